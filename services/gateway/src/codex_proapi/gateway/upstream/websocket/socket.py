"""One WebSocket connection to the backend: its handshake, a request, the frames of the answer.

The framing is `websockets`' sans-I/O layer. Compression is not offered: the backend's frames are short.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final, cast

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.upstream.http_response import HIGH_WATER, ConnectionLost
from codex_proapi.gateway.upstream.websocket.frames import as_event

MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Most bytes of a frame: as of an event over HTTP."""
FRAGMENT_BYTES: Final = 64 * 1024
"""Bytes of a message that are sent at a time: answers to pings pass between them, as the backend ends
a connection that does not answer one while a large request is still on its way."""
PING_SECONDS: Final = 30
LAST_EVENTS: Final = frozenset(
    (b"response.completed", b"response.incomplete", b"response.failed", b"response.done", b"error")
)
"""Types after which nothing more comes for a request."""
_KEEP_ALIVE: Final = b"keepalive"
_QUIET: Final = logging.getLogger("codex_proapi.gateway.upstream.websocket.framing")
"""The framing's own log, which would quote what the backend sends."""
_QUIET.setLevel(logging.CRITICAL + 1)


class UpgradeFailed(ConnectionError):
    """The backend did not upgrade the connection: `status` is its answer's, 0 for none."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class UpstreamSocket(asyncio.Protocol):
    """A connection, used for one request at a time.

    Args:
        address: where the request goes.
        headers: the handshake's headers, beside WebSocket's own.
    """

    def __init__(self, address: WebSocketURI, headers: Mapping[str, str]) -> None:
        self._framing = ClientProtocol(address, max_size=MESSAGE_BYTES, logger=_QUIET)
        self._headers = headers
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._blocks: list[bytes] = []
        self._size = 0
        self._fragments = bytearray()
        self._paused = self._full = False
        self._answer: Response | None = None
        self._fault: Exception | None = None
        self._seconds = 0
        self.begun = False
        """Whether an event of the answer has come: the backend works on the request."""
        self.spoken = False
        """Whether anything but keepalives has come for the request."""
        self.ended = False
        """Whether the answer's last event has come."""
        self.silent = False
        """Whether it was given up because nothing but keepalives came."""

    def __repr__(self) -> str:
        return f"<UpstreamSocket {self._framing.state.name.lower()}>"

    @property
    def alive(self) -> bool:
        """Whether a request may be sent."""
        transport = self._transport
        return (
            self._framing.state is State.OPEN
            and transport is not None
            and not transport.is_closing()
        )

    @property
    def close_code(self) -> int:
        """The code with which the backend has closed; 0 for a connection that broke."""
        received = self._framing.close_rcvd
        return int(received.code) if received is not None else 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the handshake's answer, by lower-case name."""
        answered = self._answer.headers if self._answer is not None else Headers()
        return {name.lower(): value for name, value in answered.raw_items()}

    async def upgraded(self) -> None:
        """Wait for the end of the handshake. Raises UpgradeFailed."""
        while self._answer is None and self._fault is None:
            await self._wait()
        failed = self._framing.handshake_exc
        if isinstance(failed, InvalidStatus):
            raise UpgradeFailed(failed.response.status_code, "the upgrade was refused")
        if failed is not None or self._framing.state is not State.OPEN:
            raise UpgradeFailed(0, "the handshake failed")

    async def send(self, message: bytes) -> None:
        """Send a request; a large one in fragments. Raises ConnectionLost."""
        self.begun = self.spoken = self.ended = False
        if len(message) <= 2 * FRAGMENT_BYTES:
            self._check()
            self._framing.send_text(message)
            self._flush()
            return
        for at in range(0, len(message), FRAGMENT_BYTES):
            self._check()
            piece, last = message[at : at + FRAGMENT_BYTES], at + FRAGMENT_BYTES >= len(message)
            if at:
                self._framing.send_continuation(piece, fin=last)
            else:
                self._framing.send_text(piece, fin=last)
            self._flush()
            if self._full:
                self._writable = asyncio.get_running_loop().create_future()
                await self._writable

    async def read(self) -> bytes:
        """The blocks received since the last call, at least one; b"" after the last event.

        Raises ConnectionLost, or Malformed for a frame that is no event.
        """
        if not self._blocks and self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        while not self._blocks:
            if self.ended:
                return b""
            if self._fault is not None:
                raise self._fault
            await self._wait()
        blocks = self._blocks
        data = blocks[0] if len(blocks) == 1 else b"".join(blocks)
        blocks.clear()
        self._size = 0
        return data

    def close(self) -> None:
        """Say goodbye and close; what is under way is lost."""
        if self.alive:
            self._framing.send_close(1000)
            self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once: the backend stops working on the request."""
        if self._transport is not None:
            self._transport.abort()

    def tick(self) -> None:
        """Count a second: a ping every PING_SECONDS."""
        self._seconds += 1
        if self._seconds % PING_SECONDS == 0 and self.alive and not self._full:
            self._framing.send_ping(b"")
            self._flush()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open; the handshake goes out."""
        self._transport = cast("asyncio.Transport", transport)
        limit = getattr(transport, "set_read_buffer_limits", None)
        if limit is not None:
            limit(high=HIGH_WATER)
        request = self._framing.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._framing.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """asyncio: feed the framing; wake the reader once."""
        self._framing.receive_data(data)
        for event in self._framing.events_received():
            if isinstance(event, Response):
                self._answer = event
            elif isinstance(event, Frame) and self._fault is None:
                self._frame(event)
        self._flush()
        if self._framing.state is not State.OPEN and self._answer is not None:
            self._broken()
        self._wake()

    def eof_received(self) -> bool:
        """asyncio: the backend has closed its side; close ours."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection has ended."""
        del exc
        self._transport = None
        if self._framing.state is not State.CLOSED:
            self._framing.receive_eof()
        self._broken()
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        """asyncio: enough waits to be sent."""
        self._full = True

    def resume_writing(self) -> None:
        """asyncio: more can be sent."""
        self._full = False
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self._fault = Malformed("A frame of the backend holds no text.")
        if frame.opcode not in {Opcode.TEXT, Opcode.CONT} or self._fault is not None:
            return
        if not frame.fin or self._fragments:
            self._fragments += frame.data
        if not frame.fin:
            return
        data = bytes(self._fragments or frame.data)
        self._fragments = bytearray()
        if self.ended:
            return  # nothing is asked for: an event of a request that is over
        try:
            name, block = as_event(data)
        except Malformed as error:
            self._fault = error
            return
        self.spoken = self.spoken or name != _KEEP_ALIVE
        self.begun = self.begun or name.startswith(b"response.")
        self.ended = name in LAST_EVENTS
        self._blocks.append(block)
        self._size += len(block)
        if self._size > HIGH_WATER and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _broken(self) -> None:
        if self._fault is None:
            self._fault = ConnectionLost("the connection broke")

    def _check(self) -> None:
        if not self.alive:
            raise ConnectionLost("the connection had ended")

    def _flush(self) -> None:
        out = self._framing.data_to_send()
        if self._transport is None or self._transport.is_closing() or not out:
            return
        self._transport.writelines([piece for piece in out if piece])
        if not out[-1]:
            self._transport.close()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._waiter = None
