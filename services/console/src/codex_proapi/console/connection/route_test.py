"""Tests the way from here to OpenAI's servers: DNS, TCP, proxy, TLS and HTTP, each with its time.

Nothing is sent but a GET without a token: it spends nothing and touches no account.
"""

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpcore

from codex_proapi.commons.connections.addresses import AddressBook, Endpoint
from codex_proapi.commons.connections.http_client import open_tunnel, stream_over, tls_with_proxy
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.connections.sockets import connected_socket
from codex_proapi.commons.proxy.address import PORTS, Proxy
from codex_proapi.console.connection.steps import (
    STEPS,
    RouteReport,
    RouteStep,
    code_of,
    code_of_answer,
    words_of,
)
from codex_proapi.console.settings import ConsoleSettings

STEP_SECONDS: Final = 5.0
"""Time-out of a step; the answer has twice as long."""
FAILURES: Final = (*(OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError),)
"""What a step raises that fails; a time-out is an OSError."""
MOST_ADDRESSES: Final = 4
"""Addresses that are named."""


class RouteTest:
    """Tests the way to the backend and to the authorization server, at the same time.

    Args:
        settings: the addresses of both, and the proxies.
        clock: measures the steps, in seconds.
    """

    def __init__(
        self, settings: ConsoleSettings, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._targets = (
            ("backend", settings.codex_base_url),
            ("authorization", settings.codex_auth_url),
        )
        self._rules = settings.proxy_rules
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<RouteTest of {', '.join(url for _, url in self._targets)}>"

    async def run(self) -> list[RouteReport]:
        """The report of each server; who asks meanwhile waits."""
        async with self._one_at_a_time:
            # Nothing is shared with connections under way: neither addresses nor TLS sessions.
            outgoing = Outgoing()
            return await asyncio.gather(
                *(self._report(name, url, outgoing) for name, url in self._targets)
            )

    async def _report(self, name: str, url: str, outgoing: Outgoing) -> RouteReport:
        parts = urlsplit(url)
        way = _Way(parts, self._rules.proxy_for_url(url), outgoing)
        steps: list[RouteStep] = []
        try:
            steps += [step async for step in self._steps(way)]
        finally:
            await way.close()
        return RouteReport(
            name=name,
            host=parts.hostname or "",
            proxy=way.proxy.name if way.proxy else "",
            passed=all(step.passed for step in steps),
            clock_seconds=way.clock_seconds,
            steps=steps,
        )

    async def _steps(self, way: "_Way") -> AsyncIterator[RouteStep]:
        for name in STEPS:
            if not way.has(name):
                continue
            began, code = self._clock(), ""
            try:
                async with asyncio.timeout(STEP_SECONDS * (2 if name == "http" else 1)):
                    note = await way.take(name)
                code = way.fault
            except FAILURES as error:
                code = code_of(name, error, proxied=way.proxy is not None)
                note = words_of(error)
            took = round((self._clock() - began) * 1000, 1)
            yield RouteStep(name=name, passed=not code, milliseconds=took, code=code, note=note)
            if code:
                return


class _Way:
    """One way, as far as it has been gone."""

    def __init__(self, target: SplitResult, proxy: Proxy | None, outgoing: Outgoing) -> None:
        self._target = target
        self._host = target.hostname or ""
        self._port = target.port or PORTS[target.scheme]
        self.proxy = proxy
        self._outgoing = outgoing
        self._book = AddressBook()
        self._endpoints: list[Endpoint] = []
        self._stream: httpcore.AsyncNetworkStream | None = None
        self.fault = ""
        """The code of what is wrong with the answer."""
        self.clock_seconds = 0
        """How far the server's clock is ahead of ours."""

    def has(self, step: str) -> bool:
        """Whether a step belongs to this way."""
        if step == "proxy":
            return self.proxy is not None
        return step != "tls" or self._target.scheme == "https"

    async def take(self, step: str) -> str:
        """Take one step; what was found."""
        return str(await getattr(self, f"_{step}")())

    async def close(self) -> None:
        """Close the connection."""
        if self._stream is not None:
            await self._stream.aclose()

    @property
    def _opened(self) -> httpcore.AsyncNetworkStream:
        assert self._stream is not None, "the step before opened it"  # noqa: S101
        return self._stream

    async def _dns(self) -> str:
        host, port = (self.proxy.host, self.proxy.port) if self.proxy else (self._host, self._port)
        self._endpoints = await self._book.find(host, port)
        found = [str(each[4][0]) for each in self._endpoints]
        more = f" (+{len(found) - MOST_ADDRESSES})" if len(found) > MOST_ADDRESSES else ""
        return ", ".join(found[:MOST_ADDRESSES]) + more

    async def _tcp(self) -> str:
        sock = await connected_socket(self._book, self._endpoints)
        address = sock.getpeername()[0]
        self._stream = await stream_over(sock)
        return str(address)

    async def _proxy(self) -> str:
        assert self.proxy is not None  # noqa: S101 - `has` says so
        self._stream = await tls_with_proxy(self._opened, self.proxy, self._outgoing)
        self._stream = await open_tunnel(self._stream, self.proxy, self._host, self._port)
        return self.proxy.name

    async def _tls(self) -> str:
        self._stream = await self._opened.start_tls(self._outgoing.tls, self._host)
        found = self._stream.get_extra_info("ssl_object")
        return str(found.version() if found is not None else "")

    async def _http(self) -> str:
        origin = httpcore.Origin(self._target.scheme.encode(), self._host.encode(), self._port)
        connection = httpcore.AsyncHTTP11Connection(origin, self._opened)
        headers = [("host", self._target.netloc), ("connection", "close")]
        request = httpcore.Request("GET", self._target.geturl(), headers=headers)
        answer = await connection.handle_async_request(request)
        found = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
        self.fault = code_of_answer(answer.status, found.get(b"content-type", ""))
        self.clock_seconds = _ahead(found.get(b"date", ""))
        return str(answer.status)


def _ahead(date: str) -> int:
    """How many seconds an HTTP date is ahead of our clock; 0 if it is none."""
    try:
        return round(email.utils.parsedate_to_datetime(date).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0
