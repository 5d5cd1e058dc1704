"""A client's HTTP/1.1 connection: uvicorn's protocol with additional deadlines and limits.

uvicorn has no deadline for a request's head, no limit on its size, and waits indefinitely for a
client that has stopped reading. The server checks every connection once a second; no timers are
used per connection.
"""

import socket
import struct
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeAlias

import httptools
import msgspec
import structlog
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from codex_proapi.gateway.server.asgi import make_request_id

HEAD_SECONDS = 10
"""Most seconds from the first byte of a request's head to its end."""
HEAD_BYTES = 32 * 1024
"""Most bytes of a head: request line and headers."""
HEAD_COUNT = 101
"""Most headers of one request."""
REST_SECONDS = 30
"""How long the rest of a body is taken in, and dropped, after its request was answered."""
STALL_SECONDS = 60
"""How long a client may leave written bytes untouched before it is cut off."""
ACKNOWLEDGED = struct.Struct("=120xQ")
"""Where Linux' tcp_info tells how many bytes the other side has taken (`tcpi_bytes_acked`)."""
KEEP_ALIVE_SECONDS = 75
"""Idle time of a connection between requests; clients' pools assume at least 65."""
LINGER_SECONDS = 1
"""How long a connection nobody was told to drop is still answered on: one that is idle when listening
ends, one whose answer had begun before the drain.

A load balancer that keeps connections (nginx, HAProxy) may have sent a request that is not read yet:
closing at once would lose it, and a lost POST is not sent again. It was seen as failed requests in
rolling restarts.
"""

log = structlog.get_logger(__name__)


class HeadRefused(Exception):
    """A request's head exceeds a limit."""


class HeadFault(msgspec.Struct, frozen=True):
    """Why a request's head is refused, before the application is called."""

    status: HTTPStatus
    code: str
    message: str


FaultBody: TypeAlias = Callable[[HeadFault], bytes]
"""Gives the JSON body that tells a client of a refused head."""

MALFORMED = HeadFault(HTTPStatus.BAD_REQUEST, "malformed_http", "This is not an HTTP/1.1 request.")
TOO_SLOW = HeadFault(
    HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The request's head did not arrive in time."
)
TOO_MUCH = HeadFault(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "request_head_too_large",
    "Too many or too large request headers.",
)


def with_fault_body(fault_body: FaultBody) -> "type[HttpProtocol]":
    """The protocol with a function that makes the body of refused heads."""

    class WordedHttpProtocol(HttpProtocol):
        """The protocol with the application's own error body."""

        def fault_body(self, fault: HeadFault) -> bytes:
            """The application's own error body."""
            return fault_body(fault)

    return WordedHttpProtocol


class HttpProtocol(HttpToolsProtocol):
    """One connection of a client, with limits on the size and the time of a request's head."""

    _in_head = False
    _head_began = False
    _head_bytes = 0
    _head_sweeps = 0
    _idle_sweeps = 0
    _body_left: int | None = None
    _rest_sweeps = 0
    _unread_bytes = 0
    _taken_bytes = 0
    _stalled_sweeps = 0
    _fault = MALFORMED
    _leaving = False

    def __repr__(self) -> str:
        return f"<HttpProtocol {self.client} head={self._in_head}>"

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
            self._fault = TOO_MUCH
            raise HeadRefused

    def on_headers_complete(self) -> None:
        """End the head; uvicorn starts the application."""
        self._in_head = False
        super().on_headers_complete()
        if self._leaving:
            self.leave()

    def on_message_complete(self) -> None:
        """End a body, also one that nobody waited for."""
        super().on_message_complete()
        self.cycle.more_body = False

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count the bytes of a head that is still open after that.

        The parser tells of a header only when it is complete, so an endless one must be counted
        here. A head that began in these very bytes may follow the end of another request.
        """
        self._unset_keepalive_if_required()
        if self._body_left is not None:
            self._take_body(data)
            return
        self._head_began = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._refuse_upgrade(data[offer.args[0] :])
        except httptools.HttpParserError:
            self.refuse(self._fault)
        if self._in_head and not self._head_began and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > 2 * HEAD_BYTES:
                self.refuse(TOO_MUCH)

    def _refuse_upgrade(self, rest: bytes) -> None:
        """Answer the request itself, on a connection that is closed after it.

        The parser stops where an upgrade is offered and would take the body for another request:
        Java's client offers h2c with every POST, and its body was seen to get lost.
        """
        self.cycle.keep_alive = False
        lengths = [value for name, value in self.headers if name == b"content-length"]
        self._body_left = int(lengths[0]) if lengths and lengths[0].isdigit() else 0
        self.cycle.more_body = self._body_left > 0
        self._take_body(rest)

    def _take_body(self, data: bytes) -> None:
        """Take the body of a request whose upgrade was refused; what follows it is dropped."""
        if not self._body_left or self.cycle.response_complete:
            return
        piece = data[: self._body_left]
        self._body_left -= len(piece)
        self.cycle.body += piece
        self.cycle.more_body = self._body_left > 0
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request; one that was answered before its body came is let finish.

        Closing while a client still sends would reset the connection, and the answer be lost.
        """
        super().on_response_complete()
        if self._leaving and self.cycle.keep_alive:
            self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        if self.cycle.more_body and self.expect_100_continue and not self.transport.is_closing():
            self.transport.close()  # it may wait for `100 Continue` and never send its body

    def leave(self) -> None:
        """Send `connection: close` with the next head, so that the client drops the connection.

        An answer whose head has gone out has promised to keep the connection. It lingers after that
        answer: see `LINGER_SECONDS`.
        """
        self._leaving = True
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close once idle: after the answer under way, or after a moment for one that may come."""
        self.leave()
        self.loop.call_later(LINGER_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and not self._in_head and not self.transport.is_closing():
            self.transport.close()

    def refuse(self, fault: HeadFault) -> None:
        """Answer with a fault and close."""
        client = self.client[0] if self.client else ""
        log.info("request.refused", status=fault.status.value, code=fault.code, client=client)
        body = self.fault_body(fault)
        head = (
            f"HTTP/1.1 {fault.status.value} {fault.status.phrase}\r\n"
            "content-type: application/json\r\nconnection: close\r\n"
            f"x-request-id: {make_request_id()}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def fault_body(self, fault: HeadFault) -> bytes:
        """The JSON body of a refused head; an application has its own: `with_fault_body`."""
        return msgspec.json.encode({"error": {"code": fault.code, "message": fault.message}})

    def sweep(self) -> None:
        """Check deadlines of this connection, once a second: a slow head, a stalled reader."""
        transport = self.transport
        if transport is None:
            return
        if not transport.is_closing():
            self._sweep_head()
        unread = transport.get_write_buffer_size()
        taken = self._bytes_taken() if unread else 0
        if unread and unread >= self._unread_bytes and taken <= self._taken_bytes:
            self._stalled_sweeps += 1
            if self._stalled_sweeps > STALL_SECONDS:
                transport.abort()
        else:
            self._stalled_sweeps = 0
        self._unread_bytes, self._taken_bytes = unread, taken

    def _bytes_taken(self) -> int:
        """Bytes the client has taken; 0 where the system does not tell.

        What waits may grow although a client reads: upstream is only a little faster.
        """
        sock = self.transport.get_extra_info("socket")
        if sys.platform != "linux" or sock is None or sock.family == socket.AF_UNIX:
            return 0
        try:
            facts = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, ACKNOWLEDGED.size)
            return int(ACKNOWLEDGED.unpack(facts)[0])
        except (OSError, struct.error):
            return 0

    def _sweep_head(self) -> None:
        cycle = self.cycle
        self._rest_sweeps += 1
        if cycle is None or not (cycle.response_complete and cycle.more_body):
            self._rest_sweeps = 0
        elif self._rest_sweeps > REST_SECONDS:
            self.transport.close()
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
            self._fault = TOO_MUCH
            raise HeadRefused
