"""Signing in with an API key: it opens that key's page and nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.consoles import Browser, guarded, running, script

from codex_proapi.console.api.holders.entry import sign_in_with_key, sign_out_of_key
from codex_proapi.console.app import Console
from codex_proapi.console.pages import page_handlers
from codex_proapi.console.routes import API_ROUTES

OWN = {"/key", "/key/requests/{request_id}"}
"""Pages of a key's holder."""
OPEN = {"/login", "/setup", "/owner/enter"}
"""Pages for everybody."""


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(guarded(redis_url)) as console:
        yield console


@pytest.fixture
async def holder(console: Console) -> AsyncIterator[Browser]:
    """The browser of one who has signed in with a key."""
    _, secret = await console.parts.keys.create("Ada's laptop")
    async with Browser(console) as browser:
        await browser.learn()
        assert (await browser.post("/api/key/session", json={"key": secret})).status_code == 201
        yield browser


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_the_right_key_gets_a_cookie_that_scripts_cannot_read(console: Console) -> None:
    _, secret = await console.parts.keys.create("mine")
    async with script(console) as visitor:
        answer = await visitor.post("/api/key/session", json={"key": f" {secret}\n"})

    assert answer.json() == {"name": "mine"}
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert secret not in str(answer.headers)


async def test_over_https_the_cookie_is_of_this_host_only(redis_url: str) -> None:
    async with running(guarded(redis_url, public_url="https://pool.example")) as console:
        _, secret = await console.parts.keys.create("mine")
        async with script(console, base="https://pool.example") as visitor:
            answer = await visitor.post("/api/key/session", json={"key": secret})

    assert answer.headers["set-cookie"].startswith("__Host-key=")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("key", ["cpa-wrong", " ", "x" * 200, "é\u0000"])
async def test_a_wrong_key_is_refused_and_noted_without_it(console: Console, key: str) -> None:
    async with script(console) as visitor:
        answer = await visitor.post("/api/key/session", json={"key": key})

    assert code_of(answer) == (401, "wrong_key")
    [event] = await console.parts.audit.page()
    assert (event.event.action, event.event.code) == ("key.sign_in_refused", "wrong_key")
    assert key.strip() == "" or key.strip() not in str(event)


async def test_a_revoked_key_is_refused(console: Console) -> None:
    key, secret = await console.parts.keys.create("mine")
    await console.parts.keys.revoke(key.id)
    async with script(console) as visitor:
        answer = await visitor.post("/api/key/session", json={"key": secret})

    assert code_of(answer) == (401, "wrong_key")


@pytest.mark.parametrize("body", [{}, {"key": ""}, {"key": 5}, {"key": "x" * 201}, []])
async def test_what_is_no_key_is_a_bad_request(console: Console, body: Any) -> None:
    async with script(console) as visitor:
        answer = await visitor.post("/api/key/session", json=body)

    assert answer.status_code == 400


async def test_attempts_are_limited_by_address_whatever_is_tried(console: Console) -> None:
    _, secret = await console.parts.keys.create("mine")
    async with script(console, peer="203.0.113.9", base="http://127.0.0.1:1455") as stranger:
        found = [
            (await stranger.post("/api/key/session", json={"key": "cpa-wrong"})).status_code
            for _ in range(6)
        ]
        right = await stranger.post("/api/key/session", json={"key": secret})
    async with script(console, peer="203.0.113.8", base="http://127.0.0.1:1455") as other:
        elsewhere = await other.post("/api/key/session", json={"key": secret})

    assert found == [401] * 5 + [429]
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) > 0
    assert elsewhere.status_code == 201


async def test_who_has_signed_in_is_noted(console: Console, holder: Browser) -> None:
    events = [stored.event for stored in await console.parts.audit.page()]

    assert [(event.action, event.actor) for event in events] == [
        ("key.signed_in", "key:Ada's laptop")
    ]


async def test_a_holder_reaches_no_other_route_of_the_api(holder: Browser) -> None:
    own = {sign_in_with_key, sign_out_of_key}
    walked = 0
    for route in API_ROUTES:
        if route in own or route.opt.get("public") or route.opt.get("probe"):
            continue
        for path in route.paths:
            for method in route.http_methods:
                where = path.replace("{", "").replace("}", "").replace(":str", "")
                answer = await holder.request(method, where)
                assert answer.status_code in {401, 303}, f"{method} {path}"
                walked += 1
    assert walked > 40


async def test_a_holder_reaches_no_other_page(holder: Browser) -> None:
    holder.headers["accept"] = "text/html"
    walked = 0
    for page in page_handlers:
        for path in page.paths:
            if (
                not page.opt.get("page")
                or page.opt.get("owner")  # told apart: its sender is asked for another link
                or path in OPEN
                or path.split(":")[0] in {each.split("}")[0] for each in OWN}
            ):
                continue
            answer = await holder.get(path.replace("{", "").replace("}", "").replace(":str", ""))
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/login"), path
            walked += 1
    assert walked >= 9


async def test_a_change_needs_the_csrf_token(holder: Browser) -> None:
    holder.headers["x-csrf-token"] = "0" * 64

    assert code_of(await holder.delete("/api/key/session")) == (403, "csrf")
    assert code_of(await holder.post("/api/key/session", json={"key": "x"})) == (403, "csrf")


async def test_signing_out_ends_the_session_on_the_server(
    console: Console, holder: Browser
) -> None:
    cookie = holder.cookies["cpa-key-1455"]
    assert (await holder.delete("/api/key/session")).status_code == 204

    holder.cookies.set("cpa-key-1455", cookie)
    assert 'name="key"' in (await holder.get("/key", headers={"accept": "text/html"})).text


async def test_another_key_takes_the_place_of_the_first(console: Console, holder: Browser) -> None:
    first = holder.cookies["cpa-key-1455"]
    _, secret = await console.parts.keys.create("second")

    await holder.post("/api/key/session", json={"key": secret})

    assert await console.parts.key_sessions.find(first) is None
    found = await console.parts.key_sessions.find(holder.cookies["cpa-key-1455"])
    assert found is not None
    assert found.name == "second"


async def test_a_session_of_an_administrator_is_none_of_a_key(console: Console) -> None:
    async with Browser(console) as admin:
        await admin.sign_in()
        admin.cookies.set("cpa-key-1455", admin.cookies["cpa-sid-1455"])

        assert 'name="key"' in (await admin.get("/key", headers={"accept": "text/html"})).text
