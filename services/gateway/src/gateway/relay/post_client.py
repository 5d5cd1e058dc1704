"""A small HTTP/1.1 client for one thing: POST to one address, and read the answer as it comes.

It exists for its cost. Every layer between the socket and the wire is paid for with each of the
small writes a stream consists of; general clients wake a task, arm a timer or copy a buffer for
every chunk. Here one read of the socket is one parse, one wake-up and one piece of bytes.

Idle connections are kept and used last-in first-out; the pulse closes those idle for too long. A
request whose kept connection turns out to be dead before any byte of an answer is sent again on
another one: upstream has not seen it, or closed the connection before it looked.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import httptools

CONNECT_SECONDS: Final = 5.0
IDLE_BEATS: Final = 60
"""Seconds an idle connection is kept for the next request."""
HIGH_WATER: Final = 128 * 1024
"""Bytes nobody has read beyond which the socket is not read: upstream then waits for the client."""


class Unreachable(ConnectionError):
    """No connection could be made."""


class ConnectionLost(ConnectionError):
    """The connection broke, or what came over it is no HTTP."""


class Answer:
    """One answer on its way; whoever has it reads it to its end or closes it."""

    __slots__ = (
        *("_complete", "_connection", "_error", "_pieces", "_size", "_until_close", "_waiter"),
        *("headers", "keep_alive", "on_body", "status"),
    )

    def __init__(self, connection: "_Connection") -> None:
        self.status = 0
        """HTTP status; 0 until the head has come."""
        self.headers: dict[str, str] = {}
        """By lower-case name; of several with one name the last."""
        self.keep_alive = False
        """Whether upstream lets another request follow on the connection."""
        self._connection: _Connection | None = connection
        self._pieces: list[bytes] = []
        self._size = 0
        self._complete = False
        self._until_close = False
        self._error: ConnectionLost | None = None
        self._waiter: asyncio.Future[None] | None = None
        # The parser calls it for every chunk: a list's own method costs least.
        self.on_body = self._pieces.append

    def __repr__(self) -> str:
        return f"<Answer {self.status} {'complete' if self._complete else 'under way'}>"

    @property
    def closed(self) -> bool:
        """Whether its connection is no longer its own: given back, or cut."""
        return self._connection is None

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self._complete and not self._pieces

    async def head(self) -> None:
        """Wait for status and headers. Raises ConnectionLost."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def read(self) -> bytes:
        """Everything that has come, at least something; b"" at the end. Raises ConnectionLost."""
        while not self._pieces:
            if self._complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        if self._connection is not None:
            self._connection.resume()
        return data

    def close(self) -> None:
        """Cut the connection if the answer is not complete; any number of times."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Take the status; a head of 1xx is only an announcement."""
        # Asked for here: after the last byte the parser has forgotten this answer's flags.
        status, keep_alive = self._connection.head if self._connection else (0, False)
        if status < 200:  # noqa: PLR2004 - HTTP's own border
            self.headers.clear()
            return
        self.status, self.keep_alive = status, keep_alive
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        self._until_close = not chunked and "content-length" not in self.headers

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._complete = bool(self.status)

    # What the connection calls.

    def fed(self, size: int) -> bool:
        """Bytes have been parsed; whether so many wait that no more should be read."""
        self._size += size
        self.wake()
        return self._size > HIGH_WATER

    def end(self) -> None:
        """The connection is no longer this answer's: it was given back, or it broke."""
        self._connection = None
        if self._until_close and self.status:
            self._complete = True
        if not self._complete and self._error is None:
            self._error = ConnectionLost("the connection broke")
        self.wake()

    @property
    def complete(self) -> bool:
        """Whether the last byte has come."""
        return self._complete

    def wake(self) -> None:
        """Let whoever waits look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._waiter = None


class _Connection(asyncio.Protocol):
    """One connection, for one answer after another."""

    def __init__(self, client: "PostClient") -> None:
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: Answer | None = None
        self._paused = False
        self._heard = False
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
    def heard(self) -> bool:
        """Whether any byte of the answer has come."""
        return self._heard

    def send(self, head: bytes, body: bytes) -> Answer:
        """Send a request."""
        answer = self._answer = Answer(self)
        self._parser = httptools.HttpResponseParser(answer)
        self._heard = False
        if self._transport is not None:
            self._transport.writelines((head, body))
        return answer

    def resume(self) -> None:
        """What had come is read: read on."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Cut it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = transport  # type: ignore[assignment]  # a stream's, by its maker

    def data_received(self, data: bytes) -> None:
        """Parse what has come, wake the reader once."""
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            self.abort()  # nobody has asked anything
            return
        self._heard = True
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.abort()
            return
        if answer.complete:
            self._give_back(answer)
        elif answer.fed(len(data)) and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Close our side, too."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the answer under way."""
        del exc
        self._transport = None
        answer, self._answer, self._parser = self._answer, None, None
        if answer is not None:
            answer.end()
        self._client.forget(self)

    def _give_back(self, answer: Answer) -> None:
        self._answer = self._parser = None
        self.resume()
        # An answer may come before its request is sent; the rest would be taken for another one.
        unsent = self._transport.get_write_buffer_size() if self._transport else 0
        if answer.keep_alive and self.alive and not unsent:
            self._client.keep(self)
        else:
            self.abort()
        answer.end()


class PostClient:
    """Posts to one address."""

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        self._start = f"POST {path} HTTP/1.1\r\nhost: {parts.netloc.rpartition('@')[2]}\r\n"
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()

    def __repr__(self) -> str:
        return f"<PostClient to {self._host}, {len(self._all)} connections>"

    async def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request and wait for the answer's head. Raises Unreachable or ConnectionLost."""
        head = self._head(headers, len(body))
        while True:
            connection = self._take()
            kept = connection is not None
            if connection is None:
                connection = await self._connect()
            answer = connection.send(head, body)
            try:
                await answer.head()
            except ConnectionLost:
                if kept and not connection.heard:
                    continue
                raise
            except BaseException:
                answer.close()
                raise
            return answer

    def beat(self) -> None:
        """A second has passed: close what has been idle for too long."""
        for connection in self._idle.copy():
            connection.idle_beats += 1
            if connection.idle_beats > IDLE_BEATS:
                connection.abort()

    def close(self) -> None:
        """Cut everything."""
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
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self), self._host, self._port, ssl=self._tls
                )
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{self._host}:{self._port}: {type(error).__name__}") from error
        self._all.add(connection)
        return connection

    def _head(self, headers: Mapping[str, str], length: int) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        # A line break within a value would begin another header, or another request.
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            raise ValueError("a header holds a line break")
        return f"{self._start}{lines}content-length: {length}\r\n\r\n".encode("latin-1")
