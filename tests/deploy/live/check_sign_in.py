"""Behind each proxy, and behind two: the administrator signs in, and a login is pasted."""

import functools
import json
import sys
from collections.abc import Iterator
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import pytest
from deploy.live.stage import Process, Stage
from support.free_ports import free_port

PASSWORD = "invented-password"
SITE = "codex.example.com"
REGISTERED = "http://localhost:1455/auth/callback"
PROXIES = ("nginx", "haproxy", "caddy", "traefik")
OUTER = {
    "none": {},
    # As a CDN in front sends them: the proxy must not pass a stranger's on as the truth.
    "cloud": {
        "cf-connecting-ip": "203.0.113.9",
        "cf-visitor": '{"scheme":"https"}',
        "x-forwarded-for": "203.0.113.9, 198.51.100.7",
        "x-forwarded-host": "evil.example",
        "forwarded": "for=203.0.113.9;host=evil.example;proto=https",
        "cdn-loop": "cloudflare",
    },
}
ROUTES = [*PROXIES, "nginx+caddy", "caddy+nginx", "traefik+haproxy", "haproxy+traefik"]


class Site:
    """A console, the authorization server, and the proxies that can stand in front."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        port = free_port()
        command = [sys.executable, "-m", "codex_proapi.simulator", "--port", str(port)]
        self.simulator = stage.process("simulator", command, port=port)
        self.simulator.start()
        self.gateway = stage.gateways(1)[0]
        self.consoles = {
            public: stage.service(
                f"console-{number}",
                "console",
                ADMIN_PASSWORD=PASSWORD,
                CODEX_AUTH_URL=f"http://{self.simulator.address}",
                ALLOWED_HOSTS=SITE,
                PUBLIC_URL=public,
            )
            for number, public in enumerate(("", f"http://{SITE}"))
        }
        for console in self.consoles.values():
            console.start(ready="/readyz")

    @functools.cache  # noqa: B019 - ends with the module
    def front(self, route: str, public: str) -> Process:
        """The outermost of the proxies that a route names, before the console of a PUBLIC_URL."""
        outer, _, inner = route.partition("+")
        behind = [self.gateway], self.consoles[public]
        if inner:
            inside = self.known(self.stage.proxy(inner, *behind))
            behind = [inside], inside
        return self.known(self.stage.proxy(outer, *behind))

    def known(self, proxy: Process) -> Process:
        """A proxy whose health checks have found who is behind it."""
        proxy.until(lambda: proxy.status("/readyz") == 200, seconds=180)
        proxy.until(lambda: proxy.status("/health") == 200, seconds=180)
        return proxy


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Stage(tmp_path_factory.mktemp("site")) as stage:
        yield Site(stage)


@pytest.mark.short
@pytest.mark.parametrize("headers", OUTER)
@pytest.mark.parametrize("public", ["none", "same"])
@pytest.mark.parametrize("route", ROUTES)
async def test_who_signs_in_and_pastes_a_login_is_served(
    site: Site, route: str, public: str, headers: str
) -> None:
    front = site.front(route, "" if public == "none" else f"http://{SITE}")
    host = f"{SITE}:{front.port}" if public == "none" else SITE
    async with Person(front, host, OUTER[headers]) as person:
        assert await person.sign_in(f"http://{host}") == 201
        account = await person.paste_login(site.simulator)

    assert account["source"] == "pasted"


@pytest.mark.short
@pytest.mark.parametrize("route", ROUTES)
async def test_another_sites_page_signs_nobody_in(site: Site, route: str) -> None:
    front = site.front(route, f"http://{SITE}")
    async with Person(front, SITE, OUTER["cloud"]) as person:
        assert await person.sign_in("http://evil.example") == 403


class Person:
    """A browser that reaches the console through a proxy under a name."""

    def __init__(self, front: Process, host: str, headers: dict[str, str]) -> None:
        self._url = f"http://{front.address}"
        self._headers = {**headers, "host": host}
        self._client = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=60)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def sign_in(self, origin: str) -> int:
        """Sign in from a page of `origin`; the status of the answer."""
        status, _ = await self._ask("GET", "/api/session")
        assert status == 200
        self._headers["origin"] = origin
        status, _ = await self._ask("POST", "/api/session", {"password": PASSWORD})
        return status

    async def paste_login(self, simulator: Process) -> dict[str, str]:
        """Add an account with the address that a browser was sent to; the account."""
        status, begun = await self._ask("POST", "/api/logins", {"way": "pasted"})
        assert (status, begun["redirect_uri"]) == (201, REGISTERED), begun
        asked = urlsplit(begun["authorize_url"])
        decided = f"http://{simulator.address}{asked.path}/decide?{asked.query}&login=ada"
        async with self._client.get(decided, allow_redirects=False) as answer:
            back = answer.headers["location"]
        assert back.startswith(f"{REGISTERED}?")
        status, account = await self._ask("POST", "/api/logins/callback", {"url": back})
        assert status == 201, account
        return account

    async def _ask(
        self, method: str, path: str, body: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str]]:
        """One request; what it says of the session holds for the next ones."""
        async with self._client.request(
            method, self._url + path, json=body, headers=self._headers
        ) as answer:
            text = await answer.text()
            found = json.loads(text) if text else {}
            if given := answer.headers.getall("set-cookie", []):
                self._headers["cookie"] = "; ".join(each.partition(";")[0] for each in given)
            if token := found.get("csrf_token"):
                self._headers["x-csrf-token"] = token
            return answer.status, found
