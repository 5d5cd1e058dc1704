"""A request's body in pieces, and how it is sent: as fast as the connection takes it, never all at once.

Written in one call a body of 60 MiB held the event loop for 60 to 280 ms over TLS, which encrypted all
of it at once, and its encrypted copy stood in memory until the last byte was sent.
"""

import asyncio
import collections
from collections.abc import Iterable, Iterator
from typing import Final

from codex_proapi.gateway.formats.codex.requests import UpstreamRequest

LONG_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a client's body from which the request is encoded in pieces."""
WHOLE_BYTES: Final = 15 * 1024 * 1024
"""Bytes up to which a request is one piece all the same: a WebSocket message is."""
PIECE_BYTES: Final = 256 * 1024
"""Most bytes written in one call, which TLS takes half a millisecond for."""


class RequestBody:
    """A long body in pieces; they are dropped as they are sent, so it can be sent once."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = collections.deque(parts)
        self.size = sum(map(len, self._parts))
        """Bytes of the whole body."""

    def __repr__(self) -> str:
        return f"<RequestBody of {self.size} bytes>"

    def __len__(self) -> int:
        return self.size

    def joined(self) -> bytes:
        """The whole body in one piece."""
        return b"".join(self._parts)

    def take(self) -> Iterator[memoryview | bytes]:
        """Pieces of at most PIECE_BYTES, each dropped once it is taken."""
        while self._parts:
            view = memoryview(self._parts.popleft())
            for start in range(0, len(view), PIECE_BYTES):
                yield view[start : start + PIECE_BYTES]


async def encoded(request: UpstreamRequest, *, size: int = 0) -> bytes | RequestBody:
    """The request's body; the event loop turns between the pieces of a long one.

    Args:
        request: what is encoded.
        size: bytes of the client's body, which it was made of.

    Raises:
        BadRequest: it is nested too deeply.
    """
    if size < LONG_BYTES:
        return request.encode()
    parts, made = [], 0
    for piece in request.encode_in_pieces():
        parts.append(piece)
        made += len(piece)
        if made >= PIECE_BYTES:
            made = 0
            await asyncio.sleep(0)
    body = RequestBody(parts)
    return body.joined() if len(body) < WHOLE_BYTES else body


class Upload:
    """One body that is being written to a connection.

    Args:
        transport: the connection; tells its protocol when to pause and to go on.
        body: what is written.
    """

    def __init__(self, transport: asyncio.WriteTransport, body: RequestBody) -> None:
        self._transport = transport
        self._pieces = body.take()
        self._paused = False
        self._goes_on: asyncio.Handle | None = None
        self.done = False
        """Whether all of it was given to the connection."""
        self._write()

    def __repr__(self) -> str:
        return f"<Upload {'done' if self.done else 'under way'}>"

    def pause(self) -> None:
        """The connection has taken enough."""
        self._paused = True

    def resume(self) -> None:
        """The connection takes more."""
        self._paused = False
        self._go_on()

    def stop(self) -> None:
        """Write no more: the connection is closed."""
        self._pieces = iter(())
        if self._goes_on is not None:
            self._goes_on.cancel()

    def _go_on(self) -> None:
        """Write the next piece in a turn of its own: a fast peer never makes the connection pause."""
        if self._goes_on is None and not (self.done or self._paused):
            self._goes_on = asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._goes_on = None
        if self._paused or self._transport.is_closing():
            return
        size = 0
        for piece in self._pieces:
            self._transport.write(piece)
            size += len(piece)
            if self._paused:
                return
            if size >= PIECE_BYTES:
                self._go_on()
                return
        self.done = True
