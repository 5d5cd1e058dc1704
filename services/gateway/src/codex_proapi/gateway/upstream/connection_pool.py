"""An HTTP/1.1 client with a connection pool, for POST requests to one URL with streamed responses.

It exists for performance: general clients wake a task, arm a timer or copy a buffer for every
chunk. Here one read of the socket is one parse, one wake-up and one piece of bytes.

Idle connections are reused last-in first-out; the ticker closes those idle for too long. Where none is
idle and no other may be begun yet (`commons.connections.pace`), a request waits for either. The client
never repeats a request. If a reused connection ends within STALE_SECONDS of sending, before any
byte of a response, it raises `StaleConnection`: upstream had closed it before the request arrived,
so the caller may repeat the request once on a new connection (RFC 9110, section 9.2.2, allows
repeating a POST only if it is known not to have been applied).
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from codex_proapi.commons.connections.dialer import TURN_SECONDS, Dialer, Unreachable
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.connections.pace import is_edge_refusal
from codex_proapi.commons.proxy.address import Proxy
from codex_proapi.gateway.formats.codex.login_headers import NO_HEADERS, EncodedHeaders
from codex_proapi.gateway.metrics.connection_figures import ConnectionFigures
from codex_proapi.gateway.upstream.http_connection import HttpConnection
from codex_proapi.gateway.upstream.http_response import HttpResponse
from codex_proapi.gateway.upstream.idle_connections import IDLE_SECONDS, IdleConnections
from codex_proapi.gateway.upstream.request_body import RequestBody


class HttpClient:
    """Posts requests to one URL over pooled connections."""

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
        figures: ConnectionFigures | None = None,
        outgoing: Outgoing | None = None,
        idle_seconds: int = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        outgoing = outgoing or Outgoing()
        self._clock = clock
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        context = (tls or outgoing.tls) if parts.scheme == "https" else None
        self._port = parts.port or (443 if context else 80)
        observer = figures.observer("http") if figures else None
        self._dialer = Dialer(
            *(self._host, self._port),
            tls=context,
            proxy=proxy,
            observer=observer,
            outgoing=outgoing,
        )
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        start = f"POST {path} HTTP/1.1\r\nhost: {parts.netloc.rpartition('@')[2]}\r\n"
        self._start = start.encode("latin-1")
        self.idle = IdleConnections[HttpConnection](seconds=idle_seconds)
        """Its connections between two requests."""
        self.keep = self.idle.keep
        """Keep a connection for the next request, unless it is old."""
        self.ending = self.idle.ending
        """The answer of a connection is whole, its last chunk is still to come."""
        self._all: set[HttpConnection] = set()
        self._closed = False
        if figures is not None:
            figures.watch(
                "http",
                busy=lambda: len(self._all) - len(self.idle),
                idle=lambda: len(self.idle),
            )

    def __repr__(self) -> str:
        return f"<HttpClient to {self._host}, {len(self._all)} connections>"

    async def post(
        self,
        headers: Mapping[str, str],
        body: bytes | RequestBody,
        *,
        login: EncodedHeaders = NO_HEADERS,
        new_connection: bool = False,
    ) -> HttpResponse:
        """Send a request, once, and wait for the answer's head.

        Raises:
            Unreachable: no connection could be made.
            StaleConnection: a kept connection turned out to have ended.
            ConnectionLost: the connection broke, or what came is no HTTP.
        """
        head = self.head(login, headers, len(body))
        connection = None if new_connection else self.idle.take()
        if connection is None:
            connection = await self.connection(new=new_connection)
        answer = connection.send(head, body)
        try:
            await answer.head()
        except BaseException:
            answer.close()
            raise
        return answer

    def head(self, login: EncodedHeaders, headers: Mapping[str, str], length: int) -> bytes:
        """The head of a request.

        Args:
            login: the headers of the account it is sent for.
            headers: beside these, `host` and `content-length`.
            length: bytes of the body.

        Raises:
            ValueError: a header holds a line break.
        """
        own = "\r\n".join((*map(": ".join, headers.items()), f"content-length: {length}\r\n\r\n"))
        # A line break within a value would begin another header, or another request.
        breaks = len(headers) + 2
        if own.count("\n") != breaks or own.count("\r") != breaks:
            raise ValueError("a header holds a line break")
        return b"".join((self._start, login.lines, own.encode("latin-1")))

    async def connection(self, *, new: bool, deadline: float | None = None) -> HttpConnection:
        """A connection where none is idle: one that comes free, or another.

        Args:
            new: whether it must not be one that was used before.
            deadline: until when it may be waited for, by the loop's clock.

        Raises:
            Unreachable: no connection could be made.
            TimeoutError: none could be made until the deadline.
        """
        async with asyncio.timeout_at(deadline):
            kept = None if new else await self.idle.about_to_be_free()
            if kept is None and not self._dialer.pace.begin():
                kept = await self._kept_or_turn(new=new)
            return kept or await self._connect(begun=True)

    async def probe(self) -> str:
        """Open a connection and keep it idle; returns the cause if that failed, else empty."""
        try:
            connection = await self._connect()
        except Unreachable as error:
            return error.cause
        connection.fresh = False
        self.keep(connection)
        return ""

    def tick(self) -> None:
        """Count a second: close connections that have been idle for too long."""
        self.idle.tick()

    def close(self) -> None:
        """Abort all connections; no request can be sent after this."""
        self._closed = True
        for connection in tuple(self._all):
            connection.abort()

    def forget(self, connection: HttpConnection) -> None:
        """A connection is gone."""
        self._all.discard(connection)
        self.idle.forget(connection)

    async def _kept_or_turn(self, *, new: bool) -> HttpConnection | None:
        """Wait for a kept connection; None when it is the turn of another one before."""
        pace, hope = self._dialer.pace, None if new else self.idle.hope()
        turn = pace.turn()
        waits = (turn, hope.came) if hope else (turn,)
        begun = False
        try:
            await asyncio.wait(waits, timeout=TURN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if hope and (kept := hope.claim()):
                return kept
            begun = turn.done()
            if not begun:
                raise self._dialer.unreachable("timeout: turn")
            return None
        finally:
            if hope:
                self.idle.give_up(hope)
            if not begun:
                pace.give_up(turn)

    async def _connect(self, *, begun: bool = False) -> HttpConnection:
        if self._closed:
            if begun:
                self._dialer.pace.end()
            raise self._dialer.unreachable("closed")
        connection = await self._dialer.connect(HttpConnection(self, self._clock), begun=begun)
        if connection.alive:
            self._all.add(connection)
        return connection

    def answered(self, answer: HttpResponse) -> None:
        """Note the first head that came over a new connection: an edge may refuse a burst of them."""
        if is_edge_refusal(answer.status, answer.headers.get("content-type", "")):
            self._dialer.pace.refused(by_edge=True)
        else:
            self._dialer.pace.answered()
