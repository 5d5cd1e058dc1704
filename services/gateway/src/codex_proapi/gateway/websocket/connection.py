"""One client's connection after its upgrade: frames in and out, pings, deadlines, its end.

The framing is `websockets`' sans-I/O layer. Compression is declined: deltas are too short to gain by
it, its state would cost each open connection 300 KiB, and an unpacked message could be a thousand
times what was counted.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from codex_proapi.commons.http.limits import BodyDeadlines
from codex_proapi.commons.http.upgrade import UpgradedConnection
from codex_proapi.gateway.errors import Overloaded
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.server.http_limits import BODY_DEADLINES, HTTP_LIMITS

PING_SECONDS: Final = 20
"""Seconds between two pings: proxies cut connections that carry nothing for 60 to 100 s."""
UNANSWERED_SECONDS: Final = 3 * PING_SECONDS
"""Seconds without a byte from a client, after which an idle connection is dead."""
CLOSE_SECONDS: Final = 5
"""Seconds without a byte in which the other side may do its part of the end."""
REST_SECONDS: Final = 30
"""Most seconds that the rest of a message is received, and dropped, after it was refused."""
COUNTED_BYTES: Final = 64 * 1024
"""Bytes of an unfinished message from which it counts towards the body budget."""
_DATA: Final = frozenset((Opcode.TEXT, Opcode.BINARY, Opcode.CONT))


class Owner(Protocol):
    """What a connection tells of, and asks."""

    @property
    def busy(self) -> bool:
        """Whether a turn is under way."""

    def message(self, data: bytes, hold: BodyHold, *, text: bool) -> None:
        """A whole message has come; its owner releases the hold."""

    def gone(self) -> None:
        """The connection has ended."""

    def leave(self) -> None:
        """The drain has begun."""

    def second(self) -> None:
        """A second has passed."""


class WebSocketConnection(UpgradedConnection):
    """A client's connection.

    Args:
        framing: the protocol, its handshake answered; what it has to send goes out first.
        owner: gets the messages.
        hold_body: gives an empty share of the body budget, for the next message.
        deadlines: how slowly a message may arrive.
    """

    def __init__(
        self,
        framing: ServerProtocol,
        owner: Owner,
        *,
        hold_body: Callable[[], BodyHold],
        deadlines: BodyDeadlines = BODY_DEADLINES,
    ) -> None:
        super().__init__(stall_seconds=HTTP_LIMITS.stall_seconds)
        self._framing = framing
        self._owner = owner
        self._hold_body = hold_body
        self._deadlines = deadlines
        # One buffer, so that fragments of a few bytes, or none, hold no more than they bring.
        self._fragments = bytearray()
        self._text = True
        self._hold: BodyHold | None = None
        self._begun = self._last = 0.0
        self._seconds = self._silent = self._closing = 0

    @property
    def waits(self) -> bool:
        """Whether no turn is under way and no message is half here."""
        return not self._owner.busy and not self._partial

    @property
    def open(self) -> bool:
        """Whether messages can be sent."""
        return bool(self._framing.state is State.OPEN and not self.transport.is_closing())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the transport is this protocol's now; the handshake's answer goes out."""
        super().connection_made(transport)
        self._flush()

    # What its owner calls.

    def send(self, payloads: Sequence[bytes]) -> None:
        """Send text frames; what a closed connection is given is dropped."""
        if self.open:
            for payload in payloads:
                self._framing.send_text(payload)
            self._flush()

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye; the connection ends when the client has answered, or after CLOSE_SECONDS."""
        if self.open:
            self._framing.send_close(code, reason)
            self._flush()
            self._end()

    # What the base calls.

    def received(self, data: bytes) -> None:
        """Feed the framing; pass on the messages that are whole."""
        self._silent = 0
        if not self._partial:
            self._begun = asyncio.get_running_loop().time()
        self._last = asyncio.get_running_loop().time()
        self._framing.receive_data(data)
        for event in self._framing.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._frame(event)
        if self._framing.close_rcvd is not None:
            self._end()
        self._count()
        self._flush()

    def lost(self) -> None:
        """The connection has ended."""
        self._release()
        self._owner.gone()

    def leave(self) -> None:
        """The drain has begun."""
        self._owner.leave()

    def sweep(self) -> None:
        """Count a second: pings, deadlines, the other side's part of the end."""
        super().sweep()
        self._seconds += 1
        self._silent += 1
        if self._closing:
            self._closing += 1
            if self._silent > CLOSE_SECONDS or self._closing > REST_SECONDS:
                self.transport.abort()
            return
        self._owner.second()
        if self.full:
            self._silent = 0  # its answers are not read
        if self._silent > UNANSWERED_SECONDS and not self._owner.busy:
            self.transport.abort()
        elif self._is_late():
            self.close(CloseCode.POLICY_VIOLATION, "the message did not arrive in time")
        elif self.open and self._seconds % PING_SECONDS == 0 and not self.full:
            self._framing.send_ping(b"")
            self._flush()

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        if self._closing:
            return
        if not frame.fin or self._fragments:
            self._fragments += frame.data
        if not frame.fin:
            return
        data = bytes(self._fragments or frame.data)
        self._fragments = bytearray()
        hold, self._hold = self._hold or self._hold_body(), None
        try:
            hold.take(len(data) - hold.size)
        except Overloaded:
            self._overloaded()
            return
        if self._text and not data.isascii() and not _is_utf8(data):
            hold.release()
            self.close(CloseCode.INVALID_DATA, "the message is not UTF-8")
            return
        self._owner.message(data, hold, text=self._text)

    @property
    def _partial(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._framing.reader.buffer) + len(self._fragments)

    def _count(self) -> None:
        """Count an unfinished message towards the body budget."""
        size = self._partial
        if size < COUNTED_BYTES or self._closing:
            return
        hold = self._hold = self._hold or self._hold_body()
        try:
            hold.take(max(0, size - hold.size))
        except Overloaded:
            self._overloaded()

    def _overloaded(self) -> None:
        self._release()
        self.close(CloseCode.TRY_AGAIN_LATER, "too many large requests are under way here")

    def _release(self) -> None:
        if self._hold is not None:
            self._hold.release()
            self._hold = None
        self._fragments = bytearray()

    def _end(self) -> None:
        """Begin to wait for the other side's part of the end."""
        if not self._closing:
            self._closing, self._silent = 1, 0

    def _is_late(self) -> bool:
        if not self._partial:
            return False
        now = asyncio.get_running_loop().time()
        begun, last = self._begun, self._last
        return now > self._deadlines.latest(begun=begun, now=last, size=self._partial)

    def _flush(self) -> None:
        """Write what the framing has to send."""
        out = self._framing.data_to_send()
        if not out or self.transport.is_closing():
            return
        last = not out[-1]  # the framing's sign for the end of what is sent
        self.transport.writelines([piece for piece in out if piece])
        if not last:
            return
        if self._framing.close_rcvd is not None:
            self.transport.close()
        else:
            # Closing while a client still sends would reset the connection, and the close code be lost.
            self._release()
            self._end()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
