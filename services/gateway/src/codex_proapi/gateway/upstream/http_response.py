"""One HTTP response being received: its head, then its body in pieces, one per read of the socket.

A reader waits for the pieces, or a `Receiver` is given them as they come.

It is the reader's side; what comes is parsed by its connection (`upstream.http_connection`). Requests and
connections are managed by `upstream.connection_pool`.
"""

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_proapi.gateway.upstream.transport import Receiver

HIGH_WATER: Final = 32 * 1024
"""Unread bytes from which reading of the socket pauses, so that upstream waits for the client."""
HEAD_BYTES: Final = 64 * 1024
"""Most bytes of a head, including 1xx responses before it; the parser has no limit of its own."""


class ConnectionLost(ConnectionError):
    """The connection broke, or the response is not HTTP."""

    code = ""
    """The client's code, if it is another than that of a stream that ends too early."""


class StaleConnection(ConnectionLost):
    """A reused connection ended before upstream can have processed the request."""


class ClientConnection(Protocol):
    """The connection an answer comes over."""

    paused: bool
    """Whether nothing is read from it."""

    def pause(self) -> None:
        """Pause reading until `resume`."""

    def resume(self) -> None:
        """Resume reading: all received bytes were consumed."""

    def abort(self) -> None:
        """Close the connection at once."""

    def ending(self) -> None:
        """The answer is whole, its last chunk is still to come."""


class HttpResponse(msgspec.Struct, eq=False):
    """One response being received; its owner reads it to the end or closes it."""

    connection: ClientConnection | None
    """What it comes over; None once that was returned to the pool or closed."""
    pieces: list[bytes]
    """What the parser gave and nobody has taken yet."""
    status: int = 0
    """HTTP status; 0 until the head has come."""
    headers: dict[str, str] = {}
    """By lower-case name; of several with one name the last."""
    keep_alive: bool = False
    """Whether upstream lets another request follow on the connection."""
    until_close: bool = False
    """Whether its body ends with the connection."""
    complete: bool = False
    """Whether the last byte has come."""
    broken: type[ConnectionLost] | None = None
    """What the end of the connection was to it, if it was not complete."""
    size: int = 0
    """Bytes of the head so far; then of what nobody has taken."""
    framing: int = 0
    """Bytes since the last of the body: of chunks' framing, or trailers."""
    waiter: "asyncio.Future[None] | None" = None
    """The reader that waits."""
    receiver: "Receiver | None" = None
    """Who is given what comes; None while it is kept for a reader."""
    on_head: "Callable[[], None] | None" = None
    """Called once, when status and headers have come."""

    def __repr__(self) -> str:
        return f"<HttpResponse {self.status} {'complete' if self.complete else 'under way'}>"

    @property
    def closed(self) -> bool:
        """Whether its connection was returned to the pool or closed."""
        return self.connection is None

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self.complete and not self.pieces

    async def head(self) -> None:
        """Wait for status and headers. Raises ConnectionLost."""
        while not self.status:
            if self.broken is not None:
                raise self._broke()
            await self._wait()

    async def read(self) -> bytes:
        """All bytes received since the last call, at least one; b"" at the end.

        A paused socket is read again when nothing is left to give: the caller has then passed on
        what it had. Raises ConnectionLost.
        """
        if not self.pieces and self.connection is not None:
            self.connection.resume()
        while not self.pieces:
            if self.complete:
                return b""
            if self.broken is not None:
                raise self._broke()
            await self._wait()
        return self._taken()

    def _taken(self) -> bytes:
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.size = 0
        return data

    def push_to(self, receiver: "Receiver") -> None:
        """Give everything from now on to the receiver, at once what has come already."""
        self.receiver = receiver
        if self.pieces and not receiver.received(self._taken()):
            if self.connection is not None:
                self.connection.pause()
        elif self.connection is not None and self.connection.paused:
            self.connection.resume()
        if self.complete or self.broken is not None:
            receiver.ended(None if self.complete else self._broke())

    def pause(self) -> None:
        """Read nothing from the socket until `resume`."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read the socket again if it was paused; also for what nobody will read."""
        if self.connection is not None:
            self.connection.resume()

    def ending(self) -> None:
        """Receive the end of a whole answer, which nobody will read."""
        if self.connection is not None:
            self.connection.resume()
            self.connection.ending()

    def close(self) -> None:
        """Close the connection unless the response is complete; may be called repeatedly."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abort()

    # What the connection calls.

    def fed(self, size: int) -> bool:
        """Note that bytes were parsed; returns whether reading should pause.

        Raises ConnectionLost if the head is too long.
        """
        if self.pieces and self.receiver is not None:
            self.framing = 0
            return not self.receiver.received(self._taken())
        if self.waiter is not None:
            self._wake(self.waiter)
        if self.status and not self.pieces:
            # Framing of chunks, or trailers: never consumed, so it must not pause reading.
            self.framing += size
            if self.framing > HEAD_BYTES:
                raise ConnectionLost("its trailers do not end")
            return False
        self.framing = 0
        self.size += size
        if self.status:
            return self.size > HIGH_WATER
        if self.size > HEAD_BYTES:
            raise ConnectionLost("its head does not end")
        return False

    def end(self, fault: type[ConnectionLost] = ConnectionLost) -> None:
        """Detach from the connection, which was returned to the pool or has broken: by this fault."""
        self.connection = self.on_head = None
        if self.until_close and self.status:
            self.complete = True
        if not self.complete:
            self.broken = fault
        if self.receiver is not None:
            self.receiver.ended(None if self.complete else self._broke())
        if self.waiter is not None:
            self._wake(self.waiter)

    def _wake(self, waiter: "asyncio.Future[None]") -> None:
        """Wake the waiting reader."""
        self.waiter = None
        if not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        waiter = self.waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self.waiter = None

    def _broke(self) -> ConnectionLost:
        """A new error each time: one that is kept holds the frames it went through, and they this."""
        return (self.broken or ConnectionLost)("the connection broke")
