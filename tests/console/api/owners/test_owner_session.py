"""What an owner's session opens, and above all what it does not."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from litestar.handlers import HTTPRouteHandler
from support.consoles import Browser, console_settings, guarded, running
from support.login_scene import code_of
from support.owner_scene import OwnerBrowser, add_owner, invite
from support.redis_proxy import redis_proxy
from support.redis_server import RedisServer

from codex_proapi.console.app import Console
from codex_proapi.console.pages import page_handlers
from codex_proapi.console.routes import API_ROUTES

HTML = {"accept": "text/html", "sec-fetch-mode": "navigate"}


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(guarded(redis_url)) as console:
        yield console


@pytest.fixture
async def administrator(console: Console) -> AsyncIterator[Browser]:
    async with Browser(console) as browser:
        await browser.sign_in()
        yield browser


@pytest.fixture
async def ada(console: Console, administrator: Browser) -> AsyncIterator[OwnerBrowser]:
    async with OwnerBrowser(console) as browser:
        await browser.enter(await invite(administrator, await add_owner(administrator)))
        yield browser


def routes(kind: str) -> list[tuple[str, str]]:
    """Method and path of the routes for `administrators`, `owners` or `everybody`."""
    found = []
    for route in (*API_ROUTES, *page_handlers):
        assert isinstance(route, HTTPRouteHandler)
        opt = route.opt
        everybody = opt.get("public") or opt.get("probe")
        whose = "everybody" if everybody else "owners" if opt.get("owner") else "administrators"
        if whose == kind:
            found += [
                (method, re.sub(r"\{\w+:\w+\}", "acc_1", path))
                for path in route.paths
                for method in sorted(route.http_methods)
                if method != "OPTIONS"
            ]
    return sorted(found)


async def test_every_route_of_the_administrator_refuses_an_owner(ada: OwnerBrowser) -> None:
    walked = [each for each in routes("administrators") if each != ("GET", "/auth/callback")]
    assert len(walked) > 60
    opened = {}
    for method, path in walked:
        answer = await ada.request(method, path, json={})
        if code_of(answer) != (403, "administrators_only"):
            opened[method, path] = answer.status_code

    assert opened == {}


async def test_every_page_of_the_administrator_leads_an_owner_to_his_own(ada: OwnerBrowser) -> None:
    pages = [path for method, path in routes("administrators") if method == "GET"]
    led = {}
    for path in pages:
        if path.startswith(("/api/", "/auth/callback")):
            continue
        answer = await ada.get(path, headers=HTML)
        led[path] = (answer.status_code, answer.headers.get("location"))

    assert len(led) > 8
    assert set(led.values()) == {(303, "/owner")}


async def test_every_route_of_owners_refuses_everybody_else(
    administrator: Browser, console: Console
) -> None:
    assert len(routes("owners")) > 12
    secret = (await administrator.post("/api/tokens", json={"name": "t"})).json()["secret"]
    async with Browser(console) as stranger:
        await stranger.learn()
        for method, path in routes("owners"):
            for visitor, headers in (
                (administrator, {}),
                (stranger, {}),
                (stranger, {"authorization": f"Bearer {secret}"}),
            ):
                answer = await visitor.request(method, path, json={}, headers=headers)
                assert answer.status_code in {401, 403}, (method, path)


async def test_every_change_of_an_owner_needs_the_token_of_his_page(ada: OwnerBrowser) -> None:
    token = ada.headers.pop("x-csrf-token")
    for method, path in routes("owners"):
        if method == "GET":
            continue
        for wrong in ({}, {"x-csrf-token": "0" * 64}):
            answer = await ada.request(method, path, json={}, headers=wrong)
            assert code_of(answer) == (403, "csrf"), (method, path)
    elsewhere = {"x-csrf-token": token, "origin": "https://evil.example"}
    answer = await ada.delete("/api/owner/session", headers=elsewhere)
    assert code_of(answer) == (403, "cross_site")
    assert (await ada.get("/api/owner/session")).status_code == 200


async def test_looking_at_a_link_does_not_use_it_up(
    console: Console, administrator: Browser
) -> None:
    token = await invite(administrator, await add_owner(administrator))
    async with OwnerBrowser(console) as preview:
        for _ in range(3):
            looked = await preview.get(f"/owner/enter?link={token}", headers=HTML)
            assert looked.status_code == 200
            assert (await preview.head(f"/owner/enter?link={token}")).status_code == 200
    async with OwnerBrowser(console) as ada:
        assert (await ada.enter(token)).status_code == 201


async def test_a_link_opened_at_once_on_two_consoles_lets_one_browser_in(redis_url: str) -> None:
    async with (
        running(guarded(redis_url)) as first,
        running(guarded(redis_url)) as second,
        Browser(first) as administrator,
        OwnerBrowser(first) as here,
        OwnerBrowser(second) as there,
    ):
        await administrator.sign_in()
        token = await invite(administrator, await add_owner(administrator))
        answers = await asyncio.gather(here.enter(token), there.enter(token))
        inside = [(await each.get("/api/owner/session")).status_code for each in (here, there)]

    assert sorted(answer.status_code for answer in answers) == [201, 401]
    assert sorted(inside) == [200, 401]


async def test_the_session_s_cookie_is_made_at_the_entry_and_scripts_cannot_read_it(
    console: Console, administrator: Browser
) -> None:
    """A cookie that somebody else has put there beforehand becomes nobody's session."""
    token = await invite(administrator, await add_owner(administrator))
    async with OwnerBrowser(console) as ada:
        ada.cookies.set("cpa-owner-1455", f"{token.partition('.')[0]}.{'x' * 43}")
        answer = await ada.enter(token)
    (cookie,) = [c for c in answer.headers.get_list("set-cookie") if c.startswith("cpa-owner")]

    assert cookie.startswith("cpa-owner-1455=own_")
    assert "x" * 43 not in cookie
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    async with OwnerBrowser(console) as fixed:
        fixed.cookies.set("cpa-owner-1455", f"{token.partition('.')[0]}.{'x' * 43}")
        assert (await fixed.get("/api/owner/session")).status_code == 401


async def test_over_https_the_cookie_is_this_host_s_alone(redis_url: str) -> None:
    async with (
        running(guarded(redis_url, public_url="https://pool.example.com")) as console,
        Browser(console, base="https://pool.example.com") as administrator,
        OwnerBrowser(console, base="https://pool.example.com") as ada,
    ):
        await administrator.sign_in()
        answer = await ada.enter(await invite(administrator, await add_owner(administrator)))

    cookies = answer.headers.get_list("set-cookie")
    assert any(c.startswith("__Host-owner=own_") and "Secure" in c for c in cookies)


async def test_a_new_link_ends_the_session_at_once_and_the_owner_s_removal_too(
    console: Console, administrator: Browser
) -> None:
    owner_id = await add_owner(administrator)
    async with OwnerBrowser(console) as ada:
        await ada.enter(await invite(administrator, owner_id))
        assert await ada.own() == []
        second = await invite(administrator, owner_id)
        assert code_of(await ada.get("/api/owner/accounts")) == (401, "owner_signed_out")
        assert (await ada.enter(second)).status_code == 201
        third = await invite(administrator, owner_id)
        await administrator.delete(f"/api/owners/{owner_id}")
        assert code_of(await ada.enter(third)) == (401, "wrong_invitation")
        assert code_of(await ada.get("/api/owner/accounts")) == (401, "owner_signed_out")
        page = await ada.get("/owner", headers=HTML)

    assert page.status_code == 401
    assert "new link" in page.text


async def test_the_cookie_of_another_console_opens_nothing(
    ada: OwnerBrowser, redis_url: str
) -> None:
    elsewhere = redis_url.replace("db=0", "db=1")
    assert elsewhere != redis_url
    async with running(console_settings(elsewhere)) as other, OwnerBrowser(other) as there:
        there.cookies = ada.cookies
        assert code_of(await there.get("/api/owner/accounts")) == (401, "owner_signed_out")


async def test_an_administrator_s_session_is_left_alone_by_an_entry(
    console: Console, administrator: Browser
) -> None:
    token = await invite(administrator, await add_owner(administrator))
    csrf = administrator.headers["x-csrf-token"]
    entered = await administrator.post("/api/owner/session", json={"token": token})

    assert entered.status_code == 201
    assert (await administrator.get("/api/owners")).status_code == 200
    assert (await administrator.get("/api/owner/session")).status_code == 200
    renamed = await administrator.delete("/api/owner/session")
    assert code_of(renamed) == (403, "csrf")
    administrator.headers["x-csrf-token"] = entered.json()["csrf_token"]
    assert (await administrator.delete("/api/owner/session")).status_code == 204
    administrator.headers["x-csrf-token"] = csrf
    assert (await administrator.post("/api/owners", json={"name": "B"})).status_code == 201


async def test_the_session_of_another_owner_ends_where_a_browser_changes_hands(
    console: Console, administrator: Browser, ada: OwnerBrowser
) -> None:
    old = dict(ada.cookies)
    ben = await add_owner(administrator, "Ben")
    assert (await ada.enter(await invite(administrator, ben))).json()["name"] == "Ben"
    async with OwnerBrowser(console) as copied:
        copied.cookies.update(old)
        assert (await copied.get("/api/owner/session")).status_code == 401


async def test_guesses_are_limited_and_told_in_the_audit(
    console: Console, administrator: Browser
) -> None:
    async with OwnerBrowser(console) as stranger:
        codes = [(await stranger.enter("own_ada." + "x" * 43)).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    actions = [each.event.action for each in await console.parts.audit.page()]
    assert actions.count("owner.entry_refused") == 1

    token = await invite(administrator, await add_owner(administrator))
    async with OwnerBrowser(console, peer="198.51.100.9") as ada:
        assert (await ada.enter(token)).status_code == 201


async def test_while_redis_is_away_nothing_is_used_up_and_nobody_is_signed_out(
    redis_url: str, redis_server: RedisServer
) -> None:
    del redis_url  # empties the database
    async with (
        redis_proxy(str(redis_server.socket)) as way,
        running(guarded(way.url)) as console,
        Browser(console) as administrator,
        OwnerBrowser(console) as ada,
    ):
        await administrator.sign_in()
        token = await invite(administrator, await add_owner(administrator))
        await ada.learn()

        async def while_away(method: str, path: str, **body: str) -> int:
            way.socket, socket = "/nowhere", way.socket
            await way.cut()
            answer = await ada.request(method, path, json=body)
            way.socket = socket
            while (await administrator.get("/api/owners")).status_code == 503:
                await asyncio.sleep(0.01)
            return answer.status_code

        assert await while_away("POST", "/api/owner/session", token=token) == 503
        assert (await ada.enter(token)).status_code == 201
        assert await while_away("GET", "/api/owner/accounts") == 503
        assert (await ada.get("/api/owner/accounts")).status_code == 200


async def test_his_page_is_refreshed_with_what_has_changed_alone(ada: OwnerBrowser) -> None:
    page = await ada.get("/owner", headers=HTML)
    [shown] = re.findall(r'<meta name="live" content="([^"]+)">', page.text)
    again = await ada.get("/owner", headers={**HTML, "x-live": shown})

    assert (page.status_code, again.status_code, again.text) == (200, 204, "")
