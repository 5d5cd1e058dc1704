"""Who really asks, under which name, and what every answer carries."""

import ipaddress
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from redis.asyncio import Redis
from support.consoles import Browser, console_settings, guarded, running, script

from codex_proapi.console.app import Console
from codex_proapi.console.server.middleware import (
    CONTENT_SECURITY_POLICY,
    forwarded_origin,
    is_trusted,
)

ELSEWHERE = "203.0.113.9"
PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)
HOSTILE = [
    {"host": "evil.example"},
    {"host": "localhost:1455.evil.example"},
    {"host": "evil.example:1455"},
    {"host": "localhost@evil.example"},
    {"host": "evil.example/localhost"},
    {"host": "192.168.7.7:1455"},
]


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(console_settings(redis_url)) as console:
        yield console


async def redirect_of(console: Console, *, peer: str = "127.0.0.1", **headers: str) -> str:
    """The redirect address a login begun with these headers would use; the status if refused."""
    async with script(console, peer=peer) as api:
        answer = await api.get("/auth/login", headers=headers)
    if answer.status_code != 302:
        return str(answer.status_code)
    return parse_qs(urlsplit(answer.headers["location"]).query)["redirect_uri"][0]


@pytest.mark.parametrize("headers", HOSTILE)
async def test_a_stranger_s_host_is_400(console: Console, headers: dict[str, str]) -> None:
    async with script(console) as api:
        answer = await api.get("/api/accounts", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "host_refused")
    assert "evil" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:1455", "127.0.0.1:9", "[::1]:1455"])
async def test_this_machine_s_own_names_are_answered(console: Console, host: str) -> None:
    async with script(console) as api:
        assert (await api.get("/api/version", headers={"host": host})).status_code == 200


async def test_probes_are_answered_under_any_address(console: Console) -> None:
    async with script(console) as api:
        for path in ("/health", "/readyz", "/metrics"):
            assert (await api.get(path, headers={"host": "10.1.2.3:8081"})).status_code == 200


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics//"])
@pytest.mark.parametrize("mark", ["x-forwarded-for", "forwarded", "x-real-ip"])
async def test_figures_are_for_the_inside_only(console: Console, path: str, mark: str) -> None:
    async with script(console) as api:
        answer = await api.get(path, headers={mark: "203.0.113.9"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_the_public_address_and_the_allowed_hosts_are_answered(redis_url: str) -> None:
    settings = guarded(
        redis_url, public_url="https://codex.example", allowed_hosts=("inside.example",)
    )
    async with running(settings) as console, script(console, peer=ELSEWHERE) as api:
        for host in ("codex.example", "CODEX.example:443", "inside.example", "198.51.100.4"):
            assert (await api.get("/api/session", headers={"host": host})).status_code == 200
        assert (await api.get("/api/session", headers={"host": "other.example"})).status_code == 400


async def test_where_a_login_is_asked_a_trusted_proxy_vouches_for_its_name(redis_url: str) -> None:
    settings = guarded(redis_url, host="0.0.0.0", trusted_proxies=PROXIES)
    told = {
        "host": "team.example",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "team.example",
    }
    async with running(settings) as console:
        async with script(console, peer="10.0.0.1") as api:
            assert (await api.get("/api/session", headers=told)).status_code == 200
            inside = {**told, "host": "console:8081"}
            assert (await api.get("/api/session", headers=inside)).status_code == 200
        async with script(console, peer=ELSEWHERE) as api:
            assert (await api.get("/api/session", headers=told)).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-host": "evil.example"},
        {"forwarded": "host=evil.example;proto=https"},
        {"x-forwarded-host": "evil.example", "x-forwarded-proto": "javascript"},
        {"x-forwarded-host": "evil.example/x?", "x-forwarded-proto": "https"},
        {"x-original-host": "evil.example", "x-host": "evil.example"},
    ],
)
async def test_no_hostile_header_reaches_the_redirect_address(
    console: Console, headers: dict[str, str]
) -> None:
    assert await redirect_of(console, **headers) == "http://localhost:1455/auth/callback"


async def test_an_untrusted_peer_cannot_say_where_we_are(redis_url: str) -> None:
    settings = console_settings(redis_url, trusted_proxies=PROXIES)
    told = {"x-forwarded-proto": "https", "x-forwarded-host": "team.example"}
    async with running(settings) as console:
        assert await redirect_of(console, **told) == "http://localhost:1455/auth/callback"


async def base_url_of(console: Console, **headers: str) -> str:
    """The Base URL that the settings show to whoever asks with these headers."""
    async with script(console) as api:
        answer = await api.get("/api/settings", headers=headers)
    return str(answer.json()["fixed"]["base_url"])


async def test_a_trusted_proxy_says_where_we_are_and_logins_return_to_the_registered_address(
    console: Console,
) -> None:
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-host": "spoofed.example, team.example"}

    assert await base_url_of(console, **forwarded) == "https://team.example/v1"
    assert await redirect_of(console, **forwarded) == "http://localhost:1455/auth/callback"


@pytest.mark.parametrize(
    ("provided", "expected"),
    [
        ({"public_url": "http://localhost:9"}, "http://localhost:1455/auth/callback"),
        (
            {"oauth_redirect_uri": "http://localhost:1457/auth/callback"},
            "http://localhost:1457/auth/callback",
        ),
    ],
)
async def test_settings_come_before_any_proxy(
    redis_url: str, provided: dict[str, Any], expected: str
) -> None:
    told = {"x-forwarded-proto": "https", "x-forwarded-host": "team.example"}
    async with running(console_settings(redis_url, **provided)) as console:
        assert await redirect_of(console, **told) == expected


async def test_the_public_url_comes_before_any_proxy(redis_url: str) -> None:
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-host": "team.example"}
    async with running(console_settings(redis_url, public_url="http://localhost:9")) as console:
        assert await base_url_of(console, **forwarded) == "http://localhost:9/v1"


@pytest.mark.parametrize(
    ("peer", "said", "believed"),
    [
        (ELSEWHERE, "198.51.100.1", ELSEWHERE),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
async def test_the_visitor_s_address_is_a_trusted_proxy_s_word_or_the_peer_s_own(
    redis_url: str, redis_client: Redis, peer: str, said: str, believed: str
) -> None:
    settings = guarded(redis_url, host="0.0.0.0", trusted_proxies=PROXIES)
    async with (
        running(settings) as console,
        Browser(console, peer=peer, **{"x-forwarded-for": said}) as browser,
    ):
        await browser.sign_in()
        deeds = (await browser.get("/api/audit")).json()["deeds"]

    assert [kept["deed"]["ip"] for kept in deeds] == [believed]


async def test_every_answer_carries_the_headers_that_protect_it(console: Console) -> None:
    paths = ("/", "/api/accounts", "/api/nothing", "/nothing", "/health", "/auth/callback")
    async with Browser(console, accept="text/html") as browser:
        answers = [await browser.get(path) for path in paths]
        answers.append(await browser.get("/api/accounts", headers={"host": "evil.example"}))

    for answer in answers:
        headers = answer.headers
        assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert headers["x-request-id"].startswith("req_")
        assert "server" not in headers


def test_the_policy_lets_nothing_inline_and_nothing_foreign_run() -> None:
    assert CONTENT_SECURITY_POLICY == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


async def test_no_other_origin_is_allowed_to_read(console: Console) -> None:
    async with script(console) as api:
        for method in ("GET", "OPTIONS"):
            answer = await api.request(
                method,
                "/api/accounts",
                headers={
                    "origin": "https://evil.example",
                    "access-control-request-method": "GET",
                },
            )
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_routes_are_counted_by_their_template(console: Console) -> None:
    async with script(console) as api:
        await api.get("/api/accounts/acc_1")
        await api.get("/no/such/place")
        text = (await api.get("/metrics")).text

    assert 'route="/api/accounts/{account_id}",status="404"} 1.0' in text
    assert 'route="unmatched",status="404"} 1.0' in text
    assert "acc_1" not in text


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.1.1.1", True), ("::ffff:10.1.1.1", True), ("11.1.1.1", False), ("", False), ("x", False)],
)
def test_a_peer_is_trusted_by_its_network(address: str, expected: bool) -> None:
    assert is_trusted(address, PROXIES) is expected


def test_a_forwarded_origin_needs_both_parts() -> None:
    both = [(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"Team.Example:8443")]

    assert forwarded_origin(both) == "https://team.example:8443"
    assert forwarded_origin(both[:1]) == forwarded_origin(both[1:]) == ""


async def test_a_head_request_is_answered_like_a_get_without_its_body(console: Console) -> None:
    async with script(console) as api:
        for path in ("/health", "/api/version", "/"):
            assert (await api.head(path)).status_code == 200
        assert (await api.head("/api/logs/stream")).status_code == 405


@pytest.mark.parametrize(
    "path", ["/api/keys/", "//api/keys", "/api//keys", "/api/keys/.", "/API/keys", "/api/keys%2f"]
)
async def test_no_spelling_of_a_path_gets_round_the_login(redis_url: str, path: str) -> None:
    async with running(guarded(redis_url)) as console, script(console) as api:
        answer = await api.get(f"http://localhost:1455{path}")

    assert answer.status_code in {401, 404}
