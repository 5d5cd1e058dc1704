"""A printed link signs one browser in, once."""

import asyncio
import pathlib

import pytest
from redis.asyncio import Redis
from support.consoles import Browser, console_settings, guarded, running

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.auth.loopback_peers import LoopbackPeers
from codex_proapi.console.auth.sign_in_links import SignInLinks


async def test_a_link_is_good_once(redis_client: Redis) -> None:
    links = SignInLinks(redis_client)
    token = await links.issue()
    (name,) = await redis_client.keys("*")

    assert token not in str(name)
    assert 0 < await redis_client.ttl(name) <= keyspace.SIGN_IN_LINK_SECONDS
    assert sorted(await asyncio.gather(*(links.use(token) for _ in range(5)))) == [False] * 4 + [
        True
    ]
    assert not await links.use("")
    assert not await links.use("\ud800")


@pytest.mark.parametrize("with_password", [True, False])
async def test_a_link_signs_a_browser_in(
    redis_url: str,
    redis_client: Redis,
    with_password: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    """Also where no login is asked, for a browser of another user of the machine."""
    monkeypatch.setattr(LoopbackPeers, "is_foreign", lambda *_: True)
    settings = (guarded if with_password else console_settings)(redis_url)
    async with running(settings) as console, Browser(console) as browser:
        refused = await browser.get("/api/keys")
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            (401, "signed_out") if with_password else (403, "other_user")
        )
        token = await SignInLinks(redis_client).issue()
        page = await browser.get(f"/login?link={token}", headers={"accept": "text/html"})
        assert page.status_code == 200
        assert "This link signs this browser in once." in page.text

        await browser.learn()
        answer = await browser.post("/api/session/link", json={"token": token})
        assert answer.status_code == 201
        assert (await browser.get("/api/keys")).status_code == 200
        browser.headers["x-csrf-token"] = answer.json()["csrf_token"]
        assert (await browser.post("/api/keys", json={"name": "laptop"})).status_code == 201

    async with running(settings) as console, Browser(console) as other:
        await other.learn()
        again = await other.post("/api/session/link", json={"token": token})
        assert (again.status_code, again.json()["error"]["code"]) == (401, "wrong_link")
