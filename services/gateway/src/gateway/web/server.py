"""uvicorn with the deadlines and limits it lacks, and a drain that streams survive.

uvicorn has no deadline for a request's head, no limit on its size, and waits for ever on a
reader that has stopped reading. One sweep a second looks at every connection; no timer is made
for any of them. What an answer says when the drain ends is `app.Gateway`'s business.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import struct
import sys
from types import FrameType
from typing import Protocol, cast

import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.web.asgi import ASGIApp

HEAD_SECONDS = 10
"""Time a request's head may take from its first byte."""
HEAD_BYTES = 32 * 1024
"""Size of a head: request line and headers."""
HEAD_COUNT = 101
"""Headers of one request."""
STALL_SECONDS = 60
"""How long a client may leave written bytes untouched before it is cut off."""
KEEP_ALIVE_SECONDS = 75
"""Idle time of a connection between requests; clients' pools assume at least 65."""
LINGER_SECONDS = 1
"""How long an idle connection is still answered on after the door has closed.

A load balancer that keeps connections (nginx) may have sent a request that is not read yet: closing
at once would lose it, and a lost POST is not sent again. It was seen as 502s in a rolling restart.
"""
LET_IN_SECONDS = 5
"""How long those who stand at the door are let in, when it is to be closed and many come."""
UNACCEPTED = struct.Struct("=24xI")
"""Where Linux' tcp_info tells of a listening socket how many wait to be accepted."""
LAST_WORDS_SECONDS = 5
"""Time for the error events after the drain, before connections are cut."""


class Drainable(Protocol):
    """What is asked to end its streams when the process has to stop."""

    def begin_drain(self) -> None:
        """Say no at `/readyz`; go on serving."""

    def end_drain(self) -> None:
        """End what still streams with an honest error."""


class HeadRefused(Exception):
    """A head beyond the limits; becomes the status in `answer`."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer


def _refusal(status: bytes, code: bytes, message: bytes) -> bytes:
    body = (
        b'{"error":{"message":"' + message + b'","type":"invalid_request_error",'
        b'"param":null,"code":"' + code + b'"}}'
    )
    head = (
        b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\nconnection: close\r\n"
        b"content-length: " + str(len(body)).encode() + b"\r\n\r\n"
    )
    return head + body


MALFORMED = _refusal(b"400 Bad Request", b"malformed_http", b"This is not an HTTP/1.1 request.")
TOO_SLOW = _refusal(
    b"408 Request Timeout", b"request_timeout", b"The request's head did not arrive in time."
)
TOO_MUCH = _refusal(
    b"431 Request Header Fields Too Large",
    b"request_head_too_large",
    b"Too many or too large request headers.",
)


class GuardedProtocol(HttpToolsProtocol):
    """One connection of a client, with limits on its head and on its patience."""

    _in_head = False
    _head_began = False
    _head_bytes = 0
    _head_sweeps = 0
    _idle_sweeps = 0
    _unread_bytes = 0
    _stalled_sweeps = 0
    _answer_to_fault = MALFORMED
    _leaving = False

    def __repr__(self) -> str:
        return f"<GuardedProtocol {self.client} head={self._in_head}>"

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        super().on_message_begin()
        self._in_head = self._head_began = True
        self._head_bytes = self._head_sweeps = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the path."""
        super().on_url(url)
        self._weigh(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; refuse the head when it is one too many."""
        super().on_header(name, value)
        self._weigh(len(name) + len(value))
        if len(self.headers) > HEAD_COUNT:
            self._answer_to_fault = TOO_MUCH
            raise HeadRefused(TOO_MUCH)

    def on_headers_complete(self) -> None:
        """End the head; uvicorn starts the application."""
        self._in_head = False
        super().on_headers_complete()
        if self._leaving:
            self.leave()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count the bytes of a head that is still open after that.

        The parser tells of a header only when it is complete, so an endless one must be counted
        here. A head that began in these very bytes may follow the end of another request.
        """
        self._head_began = False
        super().data_received(data)
        if self._in_head and not self._head_began and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > 2 * HEAD_BYTES:
                self.refuse(TOO_MUCH)

    def send_400_response(self, msg: str) -> None:
        """Answer a head the parser or our limits refused. Like all errors: OpenAI's shape."""
        del msg
        self.refuse(self._answer_to_fault)

    def _unsupported_upgrade_warning(self) -> None:
        # The request itself is answered (426 for the Responses route). After an upgrade header
        # the parser takes no second request from this connection.
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def leave(self) -> None:
        """Say `connection: close` with the next answer, so that the client's pool lets go of us."""
        self._leaving = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close once idle: after the answer under way, or after a moment for one that may come."""
        self.leave()
        self.loop.call_later(LINGER_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and not self._in_head and not self.transport.is_closing():
            self.transport.close()

    def refuse(self, answer: bytes) -> None:
        """Write a complete answer and close."""
        self.transport.write(answer)
        self.transport.close()

    def sweep(self) -> None:
        """Look at this connection, once a second: a slow head, a reader that has stopped."""
        transport = self.transport
        if transport is None:
            return
        if not transport.is_closing():
            self._sweep_head()
        unread = transport.get_write_buffer_size()
        if unread and unread >= self._unread_bytes:
            self._stalled_sweeps += 1
            if self._stalled_sweeps > STALL_SECONDS:
                transport.abort()
        else:
            self._stalled_sweeps = 0
        self._unread_bytes = unread

    def _sweep_head(self) -> None:
        if self._in_head:
            self._head_sweeps += 1
            if self._head_sweeps > HEAD_SECONDS:
                self.refuse(TOO_SLOW)
        elif self.cycle is None:
            # uvicorn arms its keep-alive timer after the first answer only.
            self._idle_sweeps += 1
            if self._idle_sweeps > KEEP_ALIVE_SECONDS:
                self.transport.close()

    def _weigh(self, size: int) -> None:
        self._head_bytes += size + 4
        if self._head_bytes > HEAD_BYTES and self._in_head:
            self._answer_to_fault = TOO_MUCH
            raise HeadRefused(TOO_MUCH)


class GatewayServer(uvicorn.Server):
    """A server that drains: says no at `/readyz`, settles, lets streams finish, then ends them."""

    def __init__(
        self, config: Config, drainable: Drainable, *, settle_seconds: float, drain_seconds: float
    ) -> None:
        super().__init__(config)
        self._drainable = drainable
        self._settle_seconds = settle_seconds
        self._drain_seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain_began = False
        self._deadline: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<GatewayServer draining={self._drain_began} exiting={self.should_exit}>"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop for the signal handler, then listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; stop at once at the second."""
        del frame
        if self._loop is None or self._drain_began:
            self.force_exit = self.should_exit
            self.should_exit = True
            return
        self._drain_began = True
        settle = 0.0 if sig == signal.SIGINT else self._settle_seconds
        self._loop.call_soon_threadsafe(self.drain, settle)

    def drain(self, settle_seconds: float) -> None:
        """Begin to stop: `/readyz` says no at once, the door closes after the settling time."""
        self._drain_began = True
        self._drainable.begin_drain()
        for connection in list(self.server_state.connections):
            cast("GuardedProtocol", connection).leave()
        loop = asyncio.get_running_loop()
        loop.call_later(settle_seconds, self._close_door)
        self._deadline = loop.call_later(
            settle_seconds + self._drain_seconds, self._drainable.end_drain
        )

    async def on_tick(self, counter: int) -> bool:
        """Sweep the connections once a second."""
        if counter % 10 == 0:
            for connection in list(self.server_state.connections):
                cast("GuardedProtocol", connection).sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the streams, then forget the deadline that would have ended them."""
        await self._let_in()
        await super().shutdown(sockets)
        if self._deadline is not None:
            self._deadline.cancel()

    def _close_door(self) -> None:
        self.should_exit = True

    async def _let_in(self) -> None:
        """Accept those who already stand at the door; closing it would cut them off unheard."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LET_IN_SECONDS
        with contextlib.ExitStack() as stack:
            doors = [each.dup() for server in self.servers for each in server.sockets]
            for door in doors:
                stack.callback(door.close)
            # One turn of the loop accepts what has come; there is no event to wait for.
            while any(map(waiting_at, doors)) and loop.time() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0)


def waiting_at(door: socket.socket) -> int:
    """How many connections nobody has accepted yet; 0 where the system does not tell."""
    if door.family not in {socket.AF_INET, socket.AF_INET6} or sys.platform != "linux":
        return 0
    facts = door.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, UNACCEPTED.size)
    waiting: int = UNACCEPTED.unpack(facts)[0]
    return waiting


def settle_heap() -> None:
    """Take what the start has made out of the collector's sight, and let it run seldom.

    With 2000 streams a full collection stops the loop for 25 ms, half of it for the start-up heap.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)


def configure(app: ASGIApp, *, host: str, port: int, drain_seconds: float) -> Config:
    """Settings of uvicorn for the gateway and for the standalone start."""
    return Config(
        app,
        host=host,
        port=port,
        http=GuardedProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        backlog=2048,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(drain_seconds) + LAST_WORDS_SECONDS,
    )
