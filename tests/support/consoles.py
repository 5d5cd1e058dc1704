"""Consoles for tests: in this process, with visitors that behave like browsers or like scripts."""

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import structlog
from argon2 import PasswordHasher
from cryptography.fernet import Fernet
from support.clock import Clock
from support.free_ports import loopback_listener

from codex_proapi.commons.http.limits import HttpLimits
from codex_proapi.commons.http.server import HttpServer, configure
from codex_proapi.console.app import Console, build
from codex_proapi.console.auth.passwords import Passwords
from codex_proapi.console.server.http_limits import HTTP_LIMITS, fault_body
from codex_proapi.console.settings import ConsoleSettings

# Locals in tracebacks would fill the screen, and hold what no log may have.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ]
)

KEY = Fernet.generate_key().decode()
PASSWORD = "correct mule battery clip"
HERE = "http://localhost:1455"
PATIENCE_SECONDS = 60.0
"""How long a test waits for what must come about: a busy machine is no fault of it."""


def console_settings(redis_url: str, **provided: Any) -> ConsoleSettings:
    """Settings of a console on loopback."""
    return ConsoleSettings(**{"redis_url": redis_url, "encryption_keys": (KEY,), **provided})


def guarded(redis_url: str, **provided: Any) -> ConsoleSettings:
    """Settings of a console that asks for the password."""
    return console_settings(redis_url, admin_password=PASSWORD, **provided)


@contextlib.asynccontextmanager
async def running(
    settings: ConsoleSettings,
    *,
    clock: Callable[[], float] | None = None,
    announce: Callable[[str], None] = lambda _line: None,
) -> AsyncIterator[Console]:
    """A started console."""
    # Hashing as it is in production takes a third of a second; one test of its own does that.
    quick = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    console = build(settings, clock=clock or Clock(), announce=announce, passwords=quick)
    await console.start()
    try:
        yield console
    finally:
        await console.close()


def script(
    console: Console, *, base: str = HERE, peer: str = "127.0.0.1", **headers: str
) -> httpx.AsyncClient:
    """A visitor without a browser's headers."""
    assert ipaddress.ip_address(peer)
    transport = httpx.ASGITransport(console.asgi, client=(peer, 50_000))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=base, headers=headers)


class Browser(httpx.AsyncClient):
    """A visitor with a browser's headers; sends the CSRF token once it has learnt it."""

    def __init__(
        self, console: Console, *, base: str = HERE, peer: str = "127.0.0.1", **headers: str
    ) -> None:
        transport = httpx.ASGITransport(console.asgi, client=(peer, 50_000))  # type: ignore[arg-type]
        super().__init__(
            transport=transport,
            base_url=base,
            headers={
                "sec-fetch-site": "same-origin",
                "sec-fetch-mode": "cors",
                "origin": base,
                "user-agent": "Mozilla/5.0 (test)",
                **headers,
            },
        )

    async def learn(self) -> dict[str, Any]:
        """Ask who we are, and take the cookie and the CSRF token along."""
        body: dict[str, Any] = (await self.get("/api/session")).json()
        self.headers["x-csrf-token"] = body["csrf_token"]
        return body

    async def sign_in(self, password: str = PASSWORD) -> httpx.Response:
        """Sign in with the password."""
        await self.learn()
        answer = await self.post("/api/session", json={"password": password})
        if answer.is_success:
            self.headers["x-csrf-token"] = answer.json()["csrf_token"]
        return answer


@contextlib.asynccontextmanager
async def listening(
    console: Console, limits: HttpLimits = HTTP_LIMITS
) -> AsyncIterator[tuple[HttpServer, int]]:
    """A console behind real sockets; gives its server and port."""
    config = configure(
        console.asgi,
        host="127.0.0.1",
        port=0,
        drain_seconds=5,
        limits=limits,
        fault_body=fault_body,
    )
    server = HttpServer(config, console, settle_seconds=0, drain_seconds=5)
    with loopback_listener() as listener:
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.005)
            yield server, listener.getsockname()[1]
        finally:
            console.begin_drain()
            server.should_exit = True
            await serving


@contextlib.asynccontextmanager
async def served(console: Console) -> AsyncIterator[str]:
    """A console behind real sockets; gives its address."""
    async with listening(console) as (_, port):
        yield f"http://localhost:{port}"


class EventSource:
    """A browser's open stream: events as they come, heartbeats counted."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.answer = answer
        self.heartbeats = 0
        self.last_id = ""

    async def next(self, *, patience: float = PATIENCE_SECONDS) -> dict[str, Any] | None:
        """The next event; None when the stream has ended."""
        event: dict[str, Any] = {}
        async with asyncio.timeout(patience):
            async for line in self._lines:
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if not line and "data" in event:
                    return event
                if not line:
                    event = {}
                elif not name:
                    self.heartbeats += 1
                elif name == "data":
                    event["data"] = json.loads(value)
                elif name == "id":
                    self.last_id = event["id"] = value
                elif name == "event":
                    event["event"] = value
        return None


@contextlib.asynccontextmanager
async def event_source(
    address: str, path: str, *, cookies: httpx.Cookies | None = None, **headers: str
) -> AsyncIterator[EventSource]:
    """Open a stream."""
    async with (
        httpx.AsyncClient(base_url=address, cookies=cookies, timeout=PATIENCE_SECONDS) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        if answer.status_code != httpx.codes.OK:
            await answer.aread()
        yield EventSource(answer)
