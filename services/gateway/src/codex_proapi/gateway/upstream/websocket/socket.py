"""One WebSocket connection to the backend: its handshake, its requests, the frames of the answers.

The framing is `websockets`' sans-I/O layer, but for plain text frames (`frame_splitter`). Compression is
not offered: the backend's frames are short.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.policy.transport_faults import CONNECTION_LOST
from codex_proapi.gateway.upstream.http_response import HIGH_WATER, ConnectionLost
from codex_proapi.gateway.upstream.websocket.answer_events import AnswerEvents
from codex_proapi.gateway.upstream.websocket.continuation import AnswerMarks
from codex_proapi.gateway.upstream.websocket.frame_splitter import FrameSplitter

if TYPE_CHECKING:
    from codex_proapi.gateway.upstream.transport import Receiver

MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Most bytes of a frame: as of an event over HTTP."""
FRAGMENT_BYTES: Final = 64 * 1024
"""Bytes of a message that are sent at a time: answers to pings pass between them, as the backend ends
a connection that does not answer one while a large request is still on its way."""
PING_SECONDS: Final = 30
"""Seconds between two pings: the edge ends a connection over which nothing passes for 100 s."""
LASTING_HEADERS: Final = frozenset(
    ("x-codex-turn-state", "openai-model", "x-reasoning-included", "x-request-id")
)
"""Headers of the handshake's answer that hold for every request of a connection."""
HEAD_BYTES: Final = 64 * 1024
"""Most bytes of the handshake's answer."""
_END_OF_HEAD: Final = b"\r\n\r\n"
_QUIET: Final = logging.getLogger("codex_proapi.gateway.upstream.websocket.framing")
"""The framing's own log, which would quote what the backend sends."""
_QUIET.setLevel(logging.CRITICAL + 1)


class SocketLost(ConnectionLost):
    """The connection ended; that is the transport's fault, and no account's."""

    code = CONNECTION_LOST


class UpgradeFailed(ConnectionError):
    """The backend did not upgrade the connection: `status` is its answer's, 0 for none."""

    def __init__(self, status: int, reason: str, *, content_type: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.content_type = content_type


class UpstreamSocket(asyncio.Protocol):
    """A connection, used for one request at a time.

    Args:
        address: where the request goes.
        headers: the handshake's headers, beside WebSocket's own.
    """

    def __init__(self, address: WebSocketURI, headers: Mapping[str, str]) -> None:
        self._framing = ClientProtocol(address, max_size=MESSAGE_BYTES, logger=_QUIET)
        self._splitter: FrameSplitter | None = None
        self._head = b""
        self._headers = headers
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._fragments = bytearray()
        self._paused = self._full = False
        self._open = False
        """Whether the handshake is done, and nobody has closed."""
        self._answer: Response | None = None
        self._first_headers: dict[str, str] = {}
        self._lasting_headers: dict[str, str] = {}
        self._fault: Exception | None = None
        self.receiver: Receiver | None = None
        """Who is given what comes; None while it is kept for a reader."""
        self._seconds = 0
        self.events = AnswerEvents()
        """The answer that comes."""
        self.requests = 0
        """Requests that were sent."""
        self.silent = False
        """Whether it was given up because nothing but keepalives came."""

    def __repr__(self) -> str:
        return f"<UpstreamSocket {self._framing.state.name.lower()} after {self.requests} requests>"

    @property
    def alive(self) -> bool:
        """Whether a request may be sent."""
        transport = self._transport
        return (
            self._open
            and self._fault is None
            and not self.events.strayed
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
        """The headers of the handshake's answer, by lower-case name.

        After the first request only those that hold for the connection: quotas were true then.
        """
        return self._first_headers if self.requests <= 1 else self._lasting_headers

    async def upgraded(self) -> None:
        """Wait for the end of the handshake. Raises UpgradeFailed."""
        while self._answer is None and self._fault is None:
            await self._wait()
        failed = self._framing.handshake_exc
        if isinstance(failed, InvalidStatus):
            answer = failed.response
            kind = next(iter(answer.headers.get_all("content-type")), "")
            raise UpgradeFailed(answer.status_code, "the upgrade was refused", content_type=kind)
        if failed is not None or self._framing.state is not State.OPEN:
            raise UpgradeFailed(0, "the handshake failed")

    async def send(
        self, message: bytes, marks: AnswerMarks | None = None, *, deadline: float | None = None
    ) -> None:
        """Send a request; a large one in fragments. Raises ConnectionLost.

        Args:
            message: the frame's JSON.
            marks: observes its answer; None if nothing will follow it.
            deadline: when TimeoutError is raised, by the loop's clock.
        """
        self._check()
        self.events.begin(marks)
        self.requests += 1
        if len(message) <= 2 * FRAGMENT_BYTES:
            self._framing.send_text(message)
            self._flush()
            return
        async with asyncio.timeout_at(deadline):
            await self._send_fragments(message)

    async def _send_fragments(self, message: bytes) -> None:
        """Send a large message, as fast as the connection takes it."""
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
        if not self.events.size:
            self.resume()
        while not self.events.size:
            if self.events.ended:
                return b""
            if self._fault is not None:
                raise self._fault
            await self._wait()
        return self.events.read()

    def push_to(self, receiver: "Receiver") -> None:
        """Give everything from now on to the receiver, at once what has come already."""
        self.receiver = receiver
        if self._push() and self._paused:
            self.resume()

    def resume(self) -> None:
        """Go on reading after the receiver, or a full buffer, has paused it."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def finish(self) -> None:
        """The request is over: what is left of it is dropped."""
        self.receiver = None
        self.events.finish()
        if self._paused:
            self.resume()

    def close(self) -> None:
        """Say goodbye and close; what is under way is lost."""
        if self._open:
            self._open = False
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
        if self._seconds % PING_SECONDS == 0 and self._open and not self._full:
            self._framing.send_ping(b"")
            self._flush()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open; the handshake goes out."""
        self._transport = cast("asyncio.Transport", transport)
        request = self._framing.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._headers = {}  # they hold a token
        self._framing.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """asyncio: take the frames that are whole; wake the reader once."""
        if self._splitter is None:
            self._read_handshake(data)
        else:
            self._frames(self._splitter, data)
        if not self._open and self._answer is not None:
            self._broken()
        self._tell()

    def eof_received(self) -> bool:
        """asyncio: the backend has closed its side; close ours."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection has ended."""
        del exc
        self._transport = None
        self._open = False
        if self._framing.state is not State.CLOSED:
            self._framing.receive_eof()
        self._broken()
        self.resume_writing()
        self._tell()

    def pause_writing(self) -> None:
        """asyncio: enough waits to be sent."""
        self._full = True

    def resume_writing(self) -> None:
        """asyncio: more can be sent."""
        self._full = False
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # What comes.

    def _read_handshake(self, data: bytes) -> None:
        """Read the handshake's answer; what follows it are frames already."""
        self._head += data
        head, end, rest = self._head.partition(_END_OF_HEAD)
        if not end and len(head) <= HEAD_BYTES:
            return
        self._head = b""
        self._give(head + end)
        if not self._open:
            self._give(rest)
            return
        self._splitter = splitter = FrameSplitter(MESSAGE_BYTES)
        self._frames(splitter, rest)

    def _frames(self, splitter: FrameSplitter, data: bytes) -> None:
        messages: list[bytes] = []
        for text, payload in splitter.feed(data):
            if text:
                messages.append(payload)
                continue
            self._take(messages)
            messages = []
            self._give(payload)
        self._take(messages)

    def _give(self, data: bytes) -> None:
        """Give the library what it has to read, or to answer."""
        self._framing.receive_data(data)
        for event in self._framing.events_received():
            if isinstance(event, Response):
                self._take_headers(event)
            elif isinstance(event, Frame):
                self._frame(event)
        self._open = self._framing.state is State.OPEN
        self._flush()

    def _take_headers(self, answer: Response) -> None:
        self._answer = answer
        found = {name.lower(): value for name, value in answer.headers.raw_items()}
        self._first_headers = found
        self._lasting_headers = {name: found[name] for name in LASTING_HEADERS & found.keys()}

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self._fault = self._fault or Malformed("A frame of the backend holds no text.")
        if frame.opcode not in {Opcode.TEXT, Opcode.CONT} or self._fault is not None:
            return
        if not frame.fin or self._fragments:
            self._fragments += frame.data
        if not frame.fin:
            return
        data = bytes(self._fragments or frame.data)
        self._fragments = bytearray()
        self._take([data])

    def _take(self, messages: list[bytes]) -> None:
        """Take the messages of one read that nothing has come between."""
        if self._fault is not None or not self._open:
            return
        try:
            self.events.take(messages)
        except Malformed as error:
            self._fault = error
        if self.events.size > HIGH_WATER and self.receiver is None:
            self._pause()

    # What follows from it.

    def _tell(self) -> None:
        """Pass on what has come: to the receiver, or to who waits."""
        if self.receiver is not None:
            self._push()
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _push(self) -> bool:
        """Give the receiver what has come; False if it takes no more for now."""
        receiver, events = self.receiver, self.events
        if receiver is None:
            return True
        taken = not events.size or receiver.received(events.read())
        if not taken:
            self._pause()
        if self.receiver is receiver and (events.ended or self._fault is not None):
            self.receiver = None
            receiver.ended(None if events.ended else self._fault)
        return taken

    def _pause(self) -> None:
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _broken(self) -> None:
        if self._fault is None:
            self._fault = SocketLost("the connection broke")

    def _check(self) -> None:
        if not self.alive:
            raise SocketLost("the connection had ended")

    def _flush(self) -> None:
        out = self._framing.data_to_send()
        if self._transport is None or self._transport.is_closing() or not out:
            return
        self._transport.write(out[0] if len(out) == 1 else b"".join(out))
        if not out[-1]:
            self._transport.close()

    async def _wait(self) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._waiter = None
