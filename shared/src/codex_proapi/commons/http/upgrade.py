"""A connection that leaves HTTP: the offer of a client, and what the server asks of it afterwards.

Only WebSocket is offered to the application, as `scope["extensions"][UPGRADE]` of a GET without a
body. An application that does not take the offer answers like any other request, and the connection
is closed after its answer. One that takes it gives the transport to an `UpgradedConnection`: that
counts among the server's connections, is swept once a second, and drained with the others.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, cast

from codex_proapi.commons.http.tcp_info import acknowledged_bytes, peer_has_left

UPGRADE: Final = "codex_proapi.upgrade"
"""Name of the ASGI extension that holds an `UpgradeOffer`."""
WRITE_HIGH_WATER: Final = 16 * 1024
"""Bytes that wait in the process for a slow client, from which its connection counts as full."""

_numbers = itertools.count()


class ServerConnection(Protocol):
    """A connection as the server and its siblings see it, before and after an upgrade."""

    number: int
    """In the order in which connections were made."""
    transport: asyncio.Transport

    @property
    def waits(self) -> bool:
        """Whether nothing is under way, so that it may be closed."""

    @property
    def waited(self) -> int:
        """Seconds since something was under way."""

    def leave(self) -> None:
        """The drain has begun: close once nothing is under way."""

    def shutdown(self) -> None:
        """Listening has ended: close once nothing is under way."""

    def sweep(self) -> None:
        """Check the deadlines; called once a second."""


class UpgradedConnection(asyncio.Protocol):
    """A connection after its upgrade; made for each, and given to `UpgradeOffer.take`.

    A subclass implements `received`, `lost`, `leave` and `waits`, and may extend `sweep`.

    Args:
        stall_seconds: how long a client may leave written bytes unread.
    """

    transport: asyncio.Transport

    def __init__(self, *, stall_seconds: int) -> None:
        self.number = next(_numbers)
        self._siblings: set[Any] = set()
        self._stall_seconds = stall_seconds
        self._stalled = self._unread = self._taken = 0
        self._writable: asyncio.Event | None = None
        self._full = False
        self._quiet = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number}>"

    def belong_to(self, siblings: set[Any]) -> None:
        """Count among the server's connections until the end."""
        self._siblings = siblings
        siblings.add(self)

    # What a subclass implements.

    def received(self, data: bytes) -> None:
        """Take bytes of the client; the first are those it sent before the upgrade was answered."""
        raise NotImplementedError

    def lost(self) -> None:
        """The connection has ended, by either side."""
        raise NotImplementedError

    def leave(self) -> None:
        """The drain has begun: close once nothing is under way."""
        raise NotImplementedError

    @property
    def waits(self) -> bool:
        """Whether nothing is under way."""
        raise NotImplementedError

    # What a subclass uses.

    @property
    def full(self) -> bool:
        """Whether more than WRITE_HIGH_WATER bytes wait for the client."""
        return self._full

    async def drained(self) -> None:
        """Wait until fewer bytes wait for the client, or the connection has ended."""
        while self._full and not self.transport.is_closing():
            if self._writable is None:
                self._writable = asyncio.Event()
            self._writable.clear()
            await self._writable.wait()

    # What the server and the transport call.

    @property
    def waited(self) -> int:
        """Seconds since something was under way."""
        return self._quiet

    def shutdown(self) -> None:
        """Listening has ended."""
        self.leave()

    def sweep(self) -> None:
        """Count a second; abort when the client has left, or reads nothing for too long."""
        self._quiet = self._quiet + 1 if self.waits else 0
        transport = self.transport
        unread = transport.get_write_buffer_size()
        sock = transport.get_extra_info("socket")
        taken = acknowledged_bytes(sock) if unread and sock is not None else 0
        if unread and unread >= self._unread and taken <= self._taken:
            self._stalled += 1
        else:
            self._stalled = 0
        self._unread, self._taken = unread, taken
        # A full connection is not read, so the client's end is not read either.
        left = self._full and sock is not None and peer_has_left(sock)
        if left or self._stalled > self._stall_seconds:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the transport is this protocol's now."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        self.received(data)

    def eof_received(self) -> bool:
        """asyncio: the client has closed its half; close ours."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection has ended."""
        del exc
        self._siblings.discard(self)
        self.resume_writing()
        self.lost()

    def pause_writing(self) -> None:
        """asyncio: too many bytes wait for the client.

        What it sends waits, too: answers to pings would pile up.
        """
        self._full = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """asyncio: the client has taken enough of them."""
        if self._full and not self.transport.is_closing():
            self.transport.resume_reading()
        self._full = False
        if self._writable is not None:
            self._writable.set()


class UpgradeOffer:
    """A client's offer to speak WebSocket on its connection, as the application finds it.

    Args:
        hand_over: gives the transport to a connection, with the bytes after the head.
    """

    def __init__(self, hand_over: Callable[[UpgradedConnection], None]) -> None:
        self._hand_over = hand_over

    def __repr__(self) -> str:
        return "<UpgradeOffer>"

    def take(self, connection: UpgradedConnection) -> None:
        """Take the offer: the connection gets the transport, and writes the 101 itself.

        Nothing may have been sent, and the application's call ends without sending anything.

        Raises:
            ConnectionResetError: the client has left.
        """
        self._hand_over(connection)


def offers_websocket(method: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request offers an upgrade to WebSocket that the application may take.

    Args:
        method: the request's method.
        headers: Names (in lower case) and values. One that says where a body ends rules it out:
            a request with a body is answered as if nothing had been offered.
    """
    found = False
    for name, value in headers:
        if name in {b"content-length", b"transfer-encoding"}:
            return False
        found = found or (name == b"upgrade" and value.strip().lower() == b"websocket")
    return found and method == b"GET"
