"""One HTTP response being received: its head, then its body in pieces, one per read of the socket.

A reader waits for the pieces, or a `Receiver` is given them as they come.

It implements the parser's callbacks and the reader's side. Requests and connections are managed by
`upstream.connection_pool`.
"""

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_proapi.gateway.upstream.transport import Receiver

HIGH_WATER: Final = 32 * 1024
"""Unread bytes from which reading of the socket pauses, so that upstream waits for the client."""
HEAD_BYTES: Final = 64 * 1024
"""Most bytes of a head, including 1xx responses before it; the parser has no limit of its own."""


@lru_cache(maxsize=256)
def _header_name(name: bytes) -> str:
    """A header's name in lower case; the backend's responses have the same twenty."""
    return name.decode("latin-1").lower()


class ConnectionLost(ConnectionError):
    """The connection broke, or the response is not HTTP."""

    code = ""
    """The client's code, if it is another than that of a stream that ends too early."""


class StaleConnection(ConnectionLost):
    """A reused connection ended before upstream can have processed the request."""


class ClientConnection(Protocol):
    """The connection an answer comes over."""

    @property
    def head(self) -> tuple[int, bool]:
        """Status of the answer that is being parsed, and whether the connection lives on."""

    def pause(self) -> None:
        """Pause reading until `resume`."""

    def resume(self) -> None:
        """Resume reading: all received bytes were consumed."""

    def abort(self) -> None:
        """Close the connection at once."""

    def ending(self) -> None:
        """The answer is whole, its last chunk is still to come."""


class HttpResponse:
    """One response being received; its owner reads it to the end or closes it."""

    __slots__ = (
        *(
            "_connection",
            "_broken",
            "_raw_headers",
            "_size",
            "_until_close",
            "_waiter",
        ),
        *("complete", "framing", "headers", "keep_alive", "on_body", "on_head", "on_header"),
        *("pieces", "receiver", "status"),
    )

    def __init__(self, connection: "ClientConnection") -> None:
        self.status = 0
        """HTTP status; 0 until the head has come."""
        self.headers: dict[str, str] = {}
        """By lower-case name; of several with one name the last."""
        self.keep_alive = False
        """Whether upstream lets another request follow on the connection."""
        self._connection: ClientConnection | None = connection
        self.pieces: list[bytes] = []
        """What the parser gave and nobody has taken yet."""
        self._size = 0
        self.framing = 0
        """Bytes since the last of the body: of chunks' framing, or trailers."""
        self.complete = False
        """Whether the last byte has come."""
        self._until_close = False
        self._broken: type[ConnectionLost] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.receiver: Receiver | None = None
        """Who is given what comes."""
        self.on_head: Callable[[], None] | None = None
        """Called once, when status and headers have come."""
        # The parser calls them for every chunk and every header: methods of built-in types cost least.
        self.on_body = self.pieces.append
        self._raw_headers: dict[bytes, bytes] = {}
        self.on_header = self._raw_headers.__setitem__

    def __repr__(self) -> str:
        return f"<HttpResponse {self.status} {'complete' if self.complete else 'under way'}>"

    @property
    def closed(self) -> bool:
        """Whether its connection was returned to the pool or closed."""
        return self._connection is None

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self.complete and not self.pieces

    async def head(self) -> None:
        """Wait for status and headers. Raises ConnectionLost."""
        while not self.status:
            if self._broken is not None:
                raise self._broke()
            await self._wait()

    async def read(self) -> bytes:
        """All bytes received since the last call, at least one; b"" at the end.

        A paused socket is read again when nothing is left to give: the caller has then passed on
        what it had. Raises ConnectionLost.
        """
        if not self.pieces and self._connection is not None:
            self._connection.resume()
        while not self.pieces:
            if self.complete:
                return b""
            if self._broken is not None:
                raise self._broke()
            await self._wait()
        return self._taken()

    def _taken(self) -> bytes:
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._size = 0
        return data

    def push_to(self, receiver: "Receiver") -> None:
        """Give everything from now on to the receiver, at once what has come already."""
        self.receiver = receiver
        if self.pieces and not receiver.received(self._taken()):
            if self._connection is not None:
                self._connection.pause()
        elif self._connection is not None:
            self._connection.resume()
        if self.complete or self._broken is not None:
            receiver.ended(None if self.complete else self._broke())

    def pull(self) -> None:
        """Keep what comes from now on until it is read, or pushed."""
        self.receiver = None

    def resume(self) -> None:
        """Read the socket again if it was paused; also for what nobody will read."""
        if self._connection is not None:
            self._connection.resume()

    def ending(self) -> None:
        """Receive the end of a whole answer, which nobody will read."""
        if self._connection is not None:
            self._connection.resume()
            self._connection.ending()

    def close(self) -> None:
        """Close the connection unless the response is complete; may be called repeatedly."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Parser callback: a response begins, the final one or a 1xx before it."""
        if self.status:
            # Bytes of a second response would otherwise be read as the end of this one.
            raise ConnectionLost("more answers than requests")

    def on_headers_complete(self) -> None:
        """Parser callback: the head is complete; a head of 1xx is dropped."""
        # Read here: after the last byte the parser has reset this response's flags.
        status, keep_alive = self._connection.head if self._connection else (0, False)
        if status < 200:  # noqa: PLR2004 - HTTP's own border
            self._raw_headers.clear()
            return
        self.status, self.keep_alive = status, keep_alive
        self.headers = {
            _header_name(name): value.decode("latin-1") for name, value in self._raw_headers.items()
        }
        self._raw_headers.clear()  # the parser keeps it: trailers go there, and nowhere else
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        self._until_close = not chunked and "content-length" not in self.headers
        on_head, self.on_head = self.on_head, None
        if on_head is not None:
            on_head()

    def on_message_complete(self) -> None:
        """Parser callback: the response is complete."""
        self.complete = bool(self.status)

    # What the connection calls.

    def fed(self, size: int) -> bool:
        """Note that bytes were parsed; returns whether reading should pause.

        Raises ConnectionLost if the head is too long.
        """
        if self.pieces and self.receiver is not None:
            self.framing = 0
            return not self.receiver.received(self._taken())
        if self._waiter is not None:
            self._wake(self._waiter)
        if self.status and not self.pieces:
            # Framing of chunks, or trailers: never consumed, so it must not pause reading.
            self.framing += size
            if self.framing > HEAD_BYTES:
                raise ConnectionLost("its trailers do not end")
            return False
        self.framing = 0
        self._size += size
        if self.status:
            return self._size > HIGH_WATER
        if self._size > HEAD_BYTES:
            raise ConnectionLost("its head does not end")
        return False

    def end(self, fault: type[ConnectionLost] = ConnectionLost) -> None:
        """Detach from the connection, which was returned to the pool or has broken: by this fault."""
        self._connection = self.on_head = None
        if self._until_close and self.status:
            self.complete = True
        if not self.complete:
            self._broken = fault
        if self.receiver is not None:
            self.receiver.ended(None if self.complete else self._broke())
        if self._waiter is not None:
            self._wake(self._waiter)

    def _wake(self, waiter: "asyncio.Future[None]") -> None:
        """Wake the waiting reader."""
        self._waiter = None
        if not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _broke(self) -> ConnectionLost:
        """A new error each time: one that is kept holds the frames it went through, and they this."""
        return (self._broken or ConnectionLost)("the connection broke")
