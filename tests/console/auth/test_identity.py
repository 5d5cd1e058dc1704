"""Who may do what: sessions, scripts, this machine itself, and every forged request refused."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import Browser, console_settings, guarded, running, script

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.app import Console
from codex_proapi.console.auth.sessions import csrf_token
from codex_proapi.console.routes import API_ROUTES

UNSAFE = {"post", "put", "patch", "delete"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def console(redis_url: str, clock: Clock) -> AsyncIterator[Console]:
    async with running(guarded(redis_url), clock=clock) as console:
        yield console


@pytest.fixture
async def open_console(redis_url: str) -> AsyncIterator[Console]:
    async with running(console_settings(redis_url)) as console:
        yield console


@pytest.fixture
async def browser(console: Console) -> AsyncIterator[Browser]:
    async with Browser(console) as browser:
        await browser.sign_in()
        yield browser


def unsafe_routes(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every method and path of the document that changes something; not those of owners alone."""
    for path, operations in document["paths"].items():
        for method in operations:
            if method in UNSAFE and not path.startswith("/api/owner/"):
                parts = ("x1" if part.startswith("{") else part for part in path.split("/"))
                yield method.upper(), "/".join(parts)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_every_route_but_the_doors_needs_an_administrator(console: Console) -> None:
    public = {"/api/session", "/api/session/link", "/api/setup", "/api/openapi.json"}
    owners = "/api/owner/"  # what they may do is in test_owner_session
    holders = "/api/key/session"  # in and out: it opens nothing else
    async with script(console) as stranger:
        document = (await stranger.get("/api/openapi.json")).json()
        for path, operations in document["paths"].items():
            for method in operations:
                if path == holders or (path in public and method != "delete"):
                    continue
                if (method, path) == ("post", "/api/owner/session"):
                    continue
                where = path.replace("{", "").replace("}", "")
                answer = await stranger.request(method.upper(), where)
                code = "owner_signed_out" if path.startswith(owners) else "signed_out"
                assert code_of(answer) == (401, code), f"{method} {path}"
    assert len(document["paths"]) > 25


async def test_every_change_from_a_browser_needs_the_csrf_token(browser: Browser) -> None:
    document = (await browser.get("/api/openapi.json")).json()
    routes = list(unsafe_routes(document))
    for wrong in ("", "0" * 64, csrf_token("another")):
        browser.headers["x-csrf-token"] = wrong
        for method, path in routes:
            answer = await browser.request(method, path, json={})
            assert code_of(answer) == (403, "csrf"), f"{method} {path}"
    assert len(routes) >= 20


async def test_a_session_without_a_browser_s_headers_needs_the_token_too(
    console: Console, browser: Browser
) -> None:
    async with script(console) as thief:
        thief.cookies.set("cpa-sid-1455", browser.cookies["cpa-sid-1455"])
        assert code_of(await thief.delete("/api/logs")) == (403, "csrf")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_s_request_is_refused_even_with_the_token(
    browser: Browser, site: str
) -> None:
    for method, path in (("DELETE", "/api/logs"), ("GET", "/api/accounts")):
        answer = await browser.request(method, path, headers={"sec-fetch-site": site})
        assert code_of(answer) == (403, "cross_site")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
async def test_another_origin_s_change_is_refused_even_with_the_token(
    browser: Browser, origin: str
) -> None:
    answer = await browser.delete("/api/logs", headers={"origin": origin})

    assert code_of(answer) == (403, "cross_site")


async def test_following_a_link_from_another_site_is_no_attack(browser: Browser) -> None:
    came = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "accept": "text/html"}

    assert (await browser.get("/accounts", headers=came)).status_code == 200


@pytest.mark.parametrize(
    ("secure", "expected"),
    [
        (False, "cpa-sid-1455=#; Path=/; HttpOnly; SameSite=Lax"),
        (True, "__Host-sid=#; Path=/; HttpOnly; SameSite=Lax; Secure"),
    ],
)
async def test_the_cookie_is_as_strict_as_the_connection_allows(
    redis_url: str, secure: bool, expected: str
) -> None:
    settings = guarded(redis_url, public_url="https://codex.example" if secure else "")
    headers = {"x-forwarded-proto": "https"} if secure else {}
    base = "https://codex.example" if secure else "http://localhost:1455"
    async with running(settings) as console, Browser(console, base=base, **headers) as browser:
        answer = await browser.sign_in()

    cookie, known = answer.headers.get_list("set-cookie")
    assert [
        part.lower() for part in known.split("; ") if part.lower() in {"httponly", "secure"}
    ] == (["httponly", "secure"] if secure else ["httponly"])
    sid = cookie.partition("=")[2].partition(";")[0]
    assert cookie.replace(sid, "#") == expected
    assert len(sid) == 43


async def test_consoles_on_two_ports_of_one_host_keep_their_sessions_apart(
    console: Console,
) -> None:
    """Cookies know no port: a browser sends each of them what the other one has set."""
    async with Browser(console) as first, Browser(console, base="http://localhost:8081") as second:
        await first.sign_in()
        second.cookies = first.cookies
        await second.sign_in()
        first.cookies = second.cookies

        assert {"cpa-sid-1455", "cpa-sid-8081"} <= set(first.cookies)
        assert (await first.get("/api/accounts")).status_code == 200
        assert (await second.get("/api/accounts")).status_code == 200


@pytest.mark.parametrize("host", ["localhost:99999", "localhost:00000", "[::1]:99999", "localhost"])
async def test_a_port_that_is_none_is_no_fault_of_the_server(console: Console, host: str) -> None:
    async with script(console) as visitor:
        answer = await visitor.get("/api/session", headers={"host": host})

        assert answer.status_code == 200
        assert answer.headers["set-cookie"].startswith("cpa-sid-")


async def test_a_session_from_before_the_cookie_had_a_port_is_still_one(console: Console) -> None:
    async with Browser(console) as browser, script(console) as old:
        await browser.sign_in()
        old.cookies.set("sid", browser.cookies["cpa-sid-1455"])

        assert (await old.get("/api/accounts")).status_code == 200


async def test_signing_in_gives_an_id_nobody_has_seen(console: Console) -> None:
    async with Browser(console) as browser:
        await browser.learn()
        planted = browser.cookies["cpa-sid-1455"]
        await browser.sign_in()
        chosen = browser.cookies["cpa-sid-1455"]

        async with script(console) as attacker:
            attacker.cookies.set("cpa-sid-1455", planted)
            assert code_of(await attacker.get("/api/accounts")) == (401, "signed_out")
    assert chosen != planted


@pytest.mark.parametrize("sid", ["", "x", "A" * 43, "../../etc"])
async def test_an_unknown_id_is_no_session(console: Console, sid: str) -> None:
    async with script(console, cookie=f"cpa-sid-1455={sid}") as stranger:
        assert code_of(await stranger.get("/api/accounts")) == (401, "signed_out")


async def test_a_session_ends_after_half_an_hour_unused(browser: Browser, clock: Clock) -> None:
    clock.pass_(29 * 60)
    assert (await browser.get("/api/accounts")).status_code == 200
    clock.pass_(29 * 60)
    assert (await browser.get("/api/accounts")).status_code == 200
    clock.pass_(30 * 60)
    assert code_of(await browser.get("/api/accounts")) == (401, "signed_out")


async def test_what_a_page_asks_by_itself_keeps_no_session_alive(
    browser: Browser, clock: Clock
) -> None:
    clock.pass_(29 * 60)
    await browser.get("/api/accounts", headers={"x-passive": "1"})
    await browser.get("/api/dashboard")
    clock.pass_(61)

    assert code_of(await browser.get("/api/accounts")) == (401, "signed_out")


async def test_no_session_lives_longer_than_twelve_hours(browser: Browser, clock: Clock) -> None:
    for _ in range(36):
        clock.pass_(20 * 60 - 1)
        assert (await browser.get("/api/accounts")).status_code == 200
    clock.pass_(36)

    assert code_of(await browser.get("/api/accounts")) == (401, "signed_out")


async def test_redis_knows_only_the_digest_of_a_session(
    browser: Browser, redis_client: Redis
) -> None:
    names = [name async for name in redis_client.scan_iter(keyspace.session("*"))]

    assert len(names) == 1
    kept = str(await redis_client.get(names[0]))
    assert browser.cookies["cpa-sid-1455"] not in f"{names!r} {kept}"


async def test_a_script_s_token_needs_neither_cookie_nor_csrf(
    console: Console, browser: Browser
) -> None:
    made = (await browser.post("/api/tokens", json={"name": "backup"})).json()
    async with script(console, authorization=f"Bearer {made['secret']}") as api:
        assert (await api.post("/api/keys", json={"name": "k"})).status_code == 201
        events = (await api.get("/api/audit")).json()["deeds"]
        assert events[0]["deed"]["actor"] == "token:backup"

        await browser.delete(f"/api/tokens/{made['token']['id']}")
        assert code_of(await api.get("/api/keys")) == (401, "signed_out")


@pytest.mark.parametrize("header", ["Bearer cpadm-wrong", "Bearer ", "Basic YTpi", "Bearer rt_1"])
async def test_a_wrong_token_is_nobody(console: Console, header: str) -> None:
    async with script(console, authorization=header) as api:
        assert code_of(await api.get("/api/keys")) == (401, "signed_out")


async def test_a_wrong_token_does_not_borrow_the_session_beside_it(browser: Browser) -> None:
    answer = await browser.get("/api/keys", headers={"authorization": "Bearer cpadm-wrong"})

    assert code_of(answer) == (401, "signed_out")


async def test_on_this_machine_alone_no_login_is_asked(open_console: Console) -> None:
    async with script(open_console) as api:
        assert (await api.post("/api/keys", json={"name": "k"})).status_code == 201
        assert (await api.get("/api/session")).json()["kind"] == "local"


async def test_on_this_machine_a_browser_still_needs_the_token(open_console: Console) -> None:
    async with Browser(open_console) as browser:
        assert code_of(await browser.delete("/api/logs")) == (403, "csrf")
        await browser.learn()
        assert (await browser.delete("/api/logs")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "content-type": "text/plain"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"referer": "https://evil.example/"},
        {"origin": "http://localhost:1455"},
    ],
)
async def test_on_this_machine_no_page_of_a_stranger_changes_anything(
    open_console: Console, headers: dict[str, str]
) -> None:
    async with script(open_console, **headers) as api:
        answer = await api.post("/api/keys", content=b'{"name":"evil"}')
        assert answer.status_code == 403
    async with script(open_console) as api:
        assert (await api.get("/api/keys")).json() == {"keys": []}


async def test_without_a_login_a_proxied_stranger_is_sent_away(open_console: Console) -> None:
    async with script(open_console, **{"x-forwarded-for": "203.0.113.9"}) as api:
        assert code_of(await api.get("/api/accounts")) == (403, "loopback_only")


async def test_where_others_can_reach_us_setup_comes_first(redis_url: str) -> None:
    settings = console_settings(redis_url, host="0.0.0.0")
    async with running(settings) as console, script(console) as api:
        assert code_of(await api.get("/api/accounts")) == (401, "setup_needed")
        assert (await api.get("/api/session")).json()["setup_needed"] is True


async def test_a_password_set_from_one_console_is_asked_by_the_other(
    redis_url: str, clock: Clock
) -> None:
    settings = console_settings(redis_url)
    async with (
        running(settings, clock=clock) as first,
        running(settings, clock=clock) as second,
        script(first) as here,
        script(second) as there,
    ):
        assert (await there.get("/api/keys")).status_code == 200
        await here.put("/api/password", json={"password": "a mule and a battery"})
        clock.pass_(1.1)

        assert code_of(await there.get("/api/keys")) == (401, "signed_out")


async def test_a_console_whose_password_is_on_its_way_lets_nobody_in(redis_url: str) -> None:
    async with running(guarded(redis_url)) as console, script(console) as api:
        await console.redis.delete(keyspace.admin())
        console.parts.administrator._known_until = 0

        assert code_of(await api.get("/api/keys")) == (401, "setup_needed")


def test_public_routes_are_few_and_known() -> None:
    public = {path for route in API_ROUTES for path in route.paths if route.opt.get("public")}

    assert public == {
        *("/api/session", "/api/session/link", "/api/setup"),
        *("/api/key/session", "/api/owner/session"),
    }


async def test_behind_a_proxy_that_renames_us_our_own_pages_are_still_ours(
    redis_url: str,
) -> None:
    settings = guarded(redis_url, public_url="https://codex.example", allowed_hosts=("console",))
    headers = {"origin": "https://codex.example", "x-forwarded-proto": "https"}
    async with (
        running(settings) as console,
        Browser(console, base="http://console:8081", **headers) as browser,
    ):
        learnt = await browser.get("/api/session")
        cookie = learnt.headers["set-cookie"].partition(";")[0]
        answer = await browser.post(
            "/api/session",
            json={"password": "wrong one here"},
            headers={"x-csrf-token": learnt.json()["csrf_token"], "cookie": cookie},
        )

    assert code_of(answer) == (401, "wrong_password")
