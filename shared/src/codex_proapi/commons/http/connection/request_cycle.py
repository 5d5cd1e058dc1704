"""One request on a connection and the response to it: for ASGI, and directly.

An ASGI application uses `receive` and `send`. A direct handler, which a service has for the routes
that carry its load, uses what they are built on: `read`, `start`, `write`, `end`, none of which
makes a message, a coroutine for each piece, or a task. Both write the same bytes.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, cast

import msgspec
import structlog
from uvicorn.server import ServerState

from codex_proapi.commons.http.connection.heads import (
    BODILESS,
    CHUNKED,
    CLOSE,
    STATUS_LINES,
    Framing,
    Header,
    RequestHead,
    framed_lines,
    remembered_lines,
)
from codex_proapi.commons.http.connection.known_head import KnownHead

ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application; of any framework, whose types differ."""

_LAST_CHUNK: Final = b"0\r\n\r\n"
_SIZES: Final = tuple(b"%x\r\n" % size for size in range(1024))
"""The lines before chunks of a delta or two, which are nearly all."""
UNTIL_CLOSE: Final = -1
"""Length of a body that ends with its connection, as HTTP/1.0 has it: that knows no chunks."""
PIECE_BYTES: Final = 64
"""Memory that a piece of a body takes beside its own bytes: a client may send single ones."""
_CRASHED: Final = b"Internal Server Error"

log = structlog.get_logger(__name__)


class ClientGone(Exception):
    """The client disconnected before its request was complete."""


class Connection(Protocol):
    """The part of a client's connection that a request uses."""

    transport: asyncio.Transport
    server_state: ServerState
    """uvicorn's; has the headers of every response of the server."""
    read_paused: bool
    """Whether the client waits, as nobody takes what it has sent."""
    write_paused: bool
    """Whether so much waits for the client that the application should wait, too."""

    def resume_reading(self) -> None:
        """Read on, after enough was taken of a body."""

    async def writable(self) -> None:
        """Wait until less waits for the client, or it has left."""

    def close(self) -> None:
        """Close behind what was written, though the client may still be sending."""

    def response_complete(self, cycle: "RequestCycle") -> None:
        """The response has been written whole."""


class _Done:
    """What is awaited where nothing has to be waited for.

    `__await__` gives an empty iterator, and is no Python function: each event awaits it once.
    """

    __slots__ = ()
    __await__ = staticmethod(partial(iter, ()))


DONE: Final = cast("Awaitable[None]", _Done())


class RequestCycle(msgspec.Struct, eq=False):
    """One request and its response.

    Args:
        connection: the connection that they are on.
        head: the request's head.
        keep_alive: whether the client lets another request follow.
    """

    connection: Connection
    head: RequestHead
    keep_alive: bool
    """Whether the connection lives on after this response."""
    more_body: bool = True
    """Whether the body has not ended."""
    pieces: list[bytes] = []
    """What has come of the body, and nobody has taken yet."""
    disconnected: bool = False
    """Whether the client left before the response was complete."""
    response_started: bool = False
    response_complete: bool = False
    on_writable: Callable[[], None] | None = None
    """Called when a paused client takes more; only a direct handler sets it."""
    _gone: Callable[[], None] | None = None
    _untaken: int = 0
    _woken: asyncio.Event | None = None
    _end_told: bool = False
    _continued: bool = False
    """Whether `100 Continue` was sent, or the response itself."""
    _chunked: bool | None = None
    _left: int = 0
    _unsent_head: bytes = b""
    only_chunks: bool = False
    """Whether the head was sent and everything that follows are chunks."""
    known_head: KnownHead | None = None
    """What `head` was recognised by; that is the same object for each request with this head."""
    body_length: bytes = b""
    """The length of its body as it is written, if its head was known."""

    def __repr__(self) -> str:
        state = "complete" if self.response_complete else "under way"
        return f"<RequestCycle {self.head.method} {self.head.path} {state}>"

    # What the connection calls.

    def feed(self, piece: bytes) -> int:
        """Take a piece of the body; gives how many bytes of memory hold what nobody has taken yet."""
        self.pieces.append(piece)
        self._untaken += len(piece) + PIECE_BYTES
        if self._woken is not None:
            self._woken.set()
        return self._untaken

    def end_body(self) -> None:
        """The body has ended."""
        self.more_body = False
        if self._woken is not None:
            self._woken.set()

    def disconnect(self) -> None:
        """The client has left."""
        if self.response_complete:
            self.wake()
            return
        self.disconnected = True
        self.wake()
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()

    def resume_writing(self) -> None:
        """The client takes more."""
        if self.on_writable is not None:
            self.on_writable()

    def wake(self) -> None:
        """Wake who waits for the body or the client's end."""
        if self._woken is not None:
            self._woken.set()

    # The request, directly.

    @property
    def headers(self) -> list[Header]:
        """The request's headers; where its head was known with the length of its own body."""
        known = self.known_head
        return self.head.headers if known is None else known.headers(self.body_length)

    @property
    def whole_body(self) -> bytes | None:
        """The body, if it has come whole and nothing of it was read; else None.

        A client that asks for `100 Continue` gets one, though it may have sent its body already.
        """
        if self.more_body or self._end_told or self.head.expects_continue:
            return None
        self._end_told = True
        if len(self.pieces) > 1:
            return self._taken()
        self._untaken = 0
        return self.pieces.pop() if self.pieces else b""

    async def read(self) -> tuple[bytes, bool]:
        """The next bytes of the body, and whether more will follow. Raises ClientGone."""
        self._say_continue()
        while True:
            if self.disconnected or self.response_complete:
                raise ClientGone
            if self.pieces or not (self.more_body or self._end_told):
                break
            await self._wait()
        self._end_told = not self.more_body
        return self._taken(), self.more_body

    def watch(self, gone: Callable[[], None]) -> None:
        """Call `gone` when the client leaves before its response is complete."""
        if self.disconnected:
            gone()
        else:
            self._gone = gone
            if self.connection.read_paused:
                self.connection.resume_reading()  # an end that is not read is not noticed

    def _taken(self) -> bytes:
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._untaken = 0
        return data

    def _say_continue(self) -> None:
        transport = self.connection.transport
        waits = self.head.expects_continue and not self._continued
        if waits and not transport.is_closing():
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._continued = True

    async def _wait(self) -> None:
        if self._woken is None:
            self._woken = asyncio.Event()
        self.connection.resume_reading()
        await self._woken.wait()
        self._woken.clear()

    # The response, directly.

    @property
    def writable(self) -> bool:
        """Whether the client takes more."""
        return not self.connection.write_paused

    def drained(self) -> Awaitable[None]:
        """Wait until the client takes more, or has left."""
        return self.connection.writable() if self.connection.write_paused else DONE

    def start(self, status: int, headers: Sequence[Header]) -> None:
        """Begin the response; its head leaves with its first bytes, or with `write(b"")`.

        Args:
            status: the status.
            headers: headers, names in lower case.

        Raises:
            ValueError: a name or value cannot stand in a header.
        """
        self.start_framed(status, *framed_lines(headers))

    def start_framed(self, status: int, framing: Framing, lines: bytes) -> None:
        """Begin the response whose headers were read and written before: `framing` and `lines`."""
        self.response_started = self._continued = True
        if self.disconnected:
            return
        chunked, length, added = framing.chunked, framing.length, b""
        if framing.closes:
            self.keep_alive = False
        elif not self.keep_alive:
            added = CLOSE
        if chunked is None and self.head.method != "HEAD" and status not in BODILESS:
            if self.head.http_version == "1.0":
                length = UNTIL_CLOSE
            else:
                chunked, added = True, added + CHUNKED
        self._chunked, self._left = chunked, length
        # These change once a second, with the date.
        _, defaults = remembered_lines(tuple(self.connection.server_state.default_headers))
        self._unsent_head = b"".join((STATUS_LINES[status], defaults, added, lines, b"\r\n"))

    def write(self, data: bytes) -> bool:
        """Write a piece of the body, framed as the head says; b"" writes the head alone.

        Gives whether the client takes more.
        """
        connection = self.connection
        transport = connection.transport
        if self.disconnected or transport.is_closing():
            return not connection.write_paused
        if self.only_chunks and data:
            size = len(data)
            line = _SIZES[size] if size < len(_SIZES) else b"%x\r\n" % size
            transport.write(line + data + b"\r\n")
            return not connection.write_paused
        head, self._unsent_head = self._unsent_head, b""
        self.only_chunks = bool(self._chunked) and self.head.method != "HEAD"
        if not data or self.head.method == "HEAD":
            framed = head
        elif self._chunked:
            framed = b"".join((head, b"%x\r\n" % len(data), data, b"\r\n"))
        else:
            if self._left != UNTIL_CLOSE:
                if len(data) > self._left:
                    raise RuntimeError("the body is longer than its content-length")
                self._left -= len(data)
            framed = head + data if head else data
        if framed:
            transport.write(framed)
        return not connection.write_paused

    def write_framed(self, chunk: bytes) -> bool:
        """Write a chunk that is framed already, where there are `only_chunks`; as `write` does."""
        connection = self.connection
        transport = connection.transport
        if not (self.disconnected or transport.is_closing()):
            transport.write(chunk)
        return not connection.write_paused

    def end(self, data: bytes = b"") -> None:
        """Write the last piece; the connection goes on with the next request, or is closed."""
        transport = self.connection.transport
        if self.disconnected or transport.is_closing():
            return
        head, self._unsent_head = self._unsent_head, b""
        if self.head.method == "HEAD":
            framed, self._left = head, 0
        elif self._chunked:
            chunk = (b"%x\r\n" % len(data), data, b"\r\n") if data else ()
            framed = b"".join((head, *chunk, _LAST_CHUNK))
        else:
            if len(data) != self._left != UNTIL_CLOSE:
                raise RuntimeError("the body is not as long as its content-length")
            self._left, framed = 0, head + data
        if framed:
            transport.write(framed)
        self.response_complete = True
        self._gone = self.on_writable = None
        if self._woken is not None:
            self._woken.set()
        if not self.keep_alive and self.more_body and not self.head.expects_continue:
            self.connection.close()
        elif not self.keep_alive:
            transport.close()
        self.connection.response_complete(self)

    # ASGI.

    async def receive(self) -> MutableMapping[str, Any]:
        """ASGI's `receive`."""
        try:
            body, more = await self.read()
        except ClientGone:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """ASGI's `send`."""
        kind = message["type"]
        if self.connection.write_paused and not self.disconnected:
            await self.connection.writable()
        if self.disconnected:
            return
        if self.response_complete or (kind == "http.response.start") is self.response_started:
            raise RuntimeError(f"the ASGI message {kind} is out of turn")
        if kind == "http.response.start":
            headers = [(name.lower(), value) for name, value in message.get("headers", ())]
            self.start(message["status"], headers)
            self.write(b"")
        elif message.get("more_body", False):
            self.write(message.get("body", b""))
        else:
            self.end(message.get("body", b""))

    # The task of the request.

    async def run_asgi(self, app: ASGIApp, scope: MutableMapping[str, Any]) -> None:
        """Have an ASGI application answer."""
        await app(scope, self.receive, self.send)

    def answered(self, task: "asyncio.Task[None]") -> None:
        """The task that answers has ended; what it has left undone ends the connection."""
        self.connection.server_state.tasks.discard(task)
        self._gone = self.on_writable = None
        try:
            task.result()
        except BaseException:
            log.exception("server.application_failed")
            self._give_up()
            return
        if self.response_complete or self.disconnected or self.connection.transport.is_closing():
            return
        log.error("server.response_incomplete", path=self.head.path[:128])
        self._give_up()

    def _give_up(self) -> None:
        """End a response that its application did not: with a 500, or by closing the connection."""
        if self.response_started or self.disconnected:
            self.connection.transport.close()
            return
        kind, length = b"text/plain; charset=utf-8", str(len(_CRASHED)).encode()
        self.start(
            500, [(b"content-type", kind), (b"content-length", length), (b"connection", b"close")]
        )
        self.end(_CRASHED)
