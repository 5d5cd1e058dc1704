"""An HTTP/1.1 client with a connection pool, for POST requests to one URL with streamed responses.

It exists for performance: general clients wake a task, arm a timer or copy a buffer for every
chunk. Here one read of the socket is one parse, one wake-up and one piece of bytes.

Idle connections are reused last-in first-out; the ticker closes those idle for too long. The client
never repeats a request. If a reused connection ends within STALE_SECONDS of sending, before any
byte of a response, it raises `StaleConnection`: upstream had closed it before the request arrived,
so the caller may repeat the request once on a new connection (RFC 9110, section 9.2.2, allows
repeating a POST only if it is known not to have been applied).
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from typing import ClassVar, Final
from urllib.parse import urlsplit

import httptools

from codex_proapi.commons.proxy.address import Proxy
from codex_proapi.commons.runtime.tls import client_context
from codex_proapi.gateway.metrics.connection_figures import ConnectionFigures
from codex_proapi.gateway.upstream.dialer import Dialer, Unreachable
from codex_proapi.gateway.upstream.http_response import HIGH_WATER, ConnectionLost, HttpResponse
from codex_proapi.gateway.upstream.request_body import PIECE_BYTES, RequestBody, Upload

IDLE_BEATS: Final = 60
"""Seconds an idle connection is kept for the next request."""
READ_BYTES: Final = 16 * 1024
"""Most bytes of one read."""
STALE_SECONDS: Final = 1.0
"""Seconds after sending in which the end of a reused connection makes it a stale one."""


class StaleConnection(ConnectionLost):
    """A reused connection ended before upstream can have processed the request."""


class _Connection(asyncio.BufferedProtocol):
    """One connection, used for one response after another.

    All connections read into one buffer, as each read is parsed before the next: what one read takes,
    and so what waits for a client that reads slowly, is bounded.
    """

    _buffer: ClassVar = memoryview(bytearray(READ_BYTES))

    def __init__(self, client: "HttpClient") -> None:
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: HttpResponse | None = None
        self._upload: Upload | None = None
        self._paused = False
        self._received = False
        self.idle_beats = 0

    def __repr__(self) -> str:
        return f"<_Connection {'idle' if self._answer is None else 'busy'}>"

    @property
    def head(self) -> tuple[int, bool]:
        """Status of the answer that is being parsed, and whether the connection lives on."""
        parser = self._parser
        if parser is None:
            return 0, False
        return int(parser.get_status_code()), bool(parser.should_keep_alive())

    @property
    def alive(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def received(self) -> bool:
        """Whether any byte of the answer has come."""
        return self._received

    def send(self, head: bytes, body: bytes | RequestBody) -> HttpResponse:
        """Send a request; a long one as fast as the connection takes it."""
        answer = self._answer = HttpResponse(self)
        self._parser = httptools.HttpResponseParser(answer)
        self._received = False
        if self._transport is None:
            answer.end()  # it ended before anything was sent
        elif isinstance(body, bytes) and len(body) <= PIECE_BYTES:
            self._transport.writelines((head, body))
        else:
            self._transport.write(head)
            parts = RequestBody([body]) if isinstance(body, bytes) else body
            self._upload = Upload(self._transport, parts)
        return answer

    def pause_writing(self) -> None:
        """asyncio: the connection has taken enough of a request."""
        if self._upload is not None:
            self._upload.pause()

    def resume_writing(self) -> None:
        """asyncio: the connection takes more."""
        if self._upload is not None:
            self._upload.resume()

    def pause(self) -> None:
        """Pause reading until `resume`."""
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Resume reading: all received bytes were consumed."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open; bounds what TLS buffers while reading is paused."""
        self._transport = transport  # type: ignore[assignment]  # a stream's, by its maker
        limit = getattr(transport, "set_read_buffer_limits", None)
        if limit is not None:
            limit(high=HIGH_WATER)

    def get_buffer(self, sizehint: int) -> memoryview:
        """asyncio: where the next read goes."""
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio: parse received bytes, wake the reader once."""
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            self.abort()  # no request is under way
            return
        self._received = True
        try:
            parser.feed_data(self._buffer[:nbytes])
            too_much = answer.fed(nbytes)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ConnectionLost):
            self.abort()
            return
        if answer.complete:
            self._give_back(answer)
        elif too_much:
            self.pause()

    def eof_received(self) -> bool:
        """asyncio: the peer has closed its side; close ours."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection has ended; ends the response under way."""
        del exc
        self._transport = None
        self._end_upload()
        answer, self._answer, self._parser = self._answer, None, None
        if answer is not None:
            answer.end()
        self._client.forget(self)

    def _give_back(self, answer: HttpResponse) -> None:
        self._answer = self._parser = None
        self.resume()
        # A response may come before its request is sent; the rest would be parsed as another one.
        unsent = self._transport.get_write_buffer_size() if self._transport else 0
        whole = self._end_upload()
        if answer.keep_alive and self.alive and whole and not unsent:
            self._client.keep(self)
        else:
            self.abort()
        answer.end()

    def _end_upload(self) -> bool:
        """Send nothing more of a request; whether all of it was sent."""
        upload, self._upload = self._upload, None
        if upload is None:
            return True
        upload.stop()
        return upload.done


class HttpClient:
    """Posts requests to one URL over pooled connections."""

    def __init__(
        self,
        url: str,
        *,
        tls: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
        figures: ConnectionFigures | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        context = (tls or _default_tls()) if parts.scheme == "https" else None
        self._port = parts.port or (443 if context else 80)
        observer = figures.observer("http") if figures else None
        self._dialer = Dialer(self._host, self._port, tls=context, proxy=proxy, observer=observer)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        self._start = f"POST {path} HTTP/1.1\r\nhost: {parts.netloc.rpartition('@')[2]}\r\n"
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()
        self._closed = False
        if figures is not None:
            figures.watch(
                "http",
                busy=lambda: len(self._all) - len(self._idle),
                idle=lambda: len(self._idle),
            )

    def __repr__(self) -> str:
        return f"<HttpClient to {self._host}, {len(self._all)} connections>"

    async def post(
        self,
        headers: Mapping[str, str],
        body: bytes | RequestBody,
        *,
        new_connection: bool = False,
    ) -> HttpResponse:
        """Send a request, once, and wait for the answer's head.

        Raises:
            Unreachable: no connection could be made.
            StaleConnection: a kept connection turned out to have ended.
            ConnectionLost: the connection broke, or what came is no HTTP.
        """
        head = self._head(headers, len(body))
        connection = None if new_connection else self._take()
        kept = connection is not None
        if connection is None:
            connection = await self._connect()
        answer = connection.send(head, body)
        sent_at = self._clock()
        try:
            await answer.head()
        except ConnectionLost as error:
            if kept and not connection.received and self._clock() - sent_at <= STALE_SECONDS:
                raise StaleConnection(str(error)) from error
            raise
        except BaseException:
            answer.close()
            raise
        return answer

    async def probe(self) -> str:
        """Open a connection and keep it idle; returns the cause if that failed, else empty."""
        try:
            connection = await self._connect()
        except Unreachable as error:
            return error.cause
        self.keep(connection)
        return ""

    def tick(self) -> None:
        """Count a second: close connections idle for IDLE_BEATS."""
        for connection in self._idle.copy():
            connection.idle_beats += 1
            if connection.idle_beats > IDLE_BEATS:
                connection.abort()

    def close(self) -> None:
        """Abort all connections; no request can be sent after this."""
        self._closed = True
        for connection in tuple(self._all):
            connection.abort()

    def keep(self, connection: _Connection) -> None:
        """Keep a connection for the next request."""
        connection.idle_beats = 0
        self._idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        """A connection is gone."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                return connection
        return None

    async def _connect(self) -> _Connection:
        if self._closed:
            raise Unreachable(f"{self._host}:{self._port}", "closed")
        connection = await self._dialer.connect(_Connection(self))
        if connection.alive:
            self._all.add(connection)
        return connection

    def _head(self, headers: Mapping[str, str], length: int) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        # A line break within a value would begin another header, or another request.
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            raise ValueError("a header holds a line break")
        return f"{self._start}{lines}content-length: {length}\r\n\r\n".encode("latin-1")


def _default_tls() -> ssl.SSLContext:
    """A TLS context that offers HTTP/1.1 only."""
    context = client_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
