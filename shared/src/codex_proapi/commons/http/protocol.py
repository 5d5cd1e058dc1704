"""A client's HTTP/1.1 connection: uvicorn's httptools protocol with deadlines and bounds.

uvicorn has no deadline for a request's head, no limit on its size, and waits indefinitely for a
client that has stopped reading. `HttpServer` calls `sweep` of every connection once a second; no
timer is used per connection or request. Deadlines of bodies are `request_body`'s.

Private members of uvicorn that are used here are listed in tests/commons/http/test_uvicorn_contract.py.
"""

import asyncio
import itertools
from typing import TYPE_CHECKING, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from codex_proapi.commons.http.limits import (
    HEAD_TOO_LARGE,
    MALFORMED,
    TOO_MANY_CONNECTIONS,
    TOO_SLOW,
    FaultBody,
    HttpFault,
    HttpLimits,
)
from codex_proapi.commons.http.request_id import make_request_id
from codex_proapi.commons.http.tcp_info import acknowledged_bytes, peer_has_left
from codex_proapi.commons.http.upgrade import (
    UPGRADE,
    WRITE_HIGH_WATER,
    ServerConnection,
    UpgradedConnection,
    UpgradeOffer,
    offers_websocket,
)
from codex_proapi.commons.http.upgrade_body import UpgradeBody

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

LINGER_SECONDS = 1
"""How long a connection nobody was told to drop is still answered on: one that is idle when listening
ends, one whose answer had begun before the drain.

A load balancer that keeps connections (nginx, HAProxy) may have sent a request that is not read yet:
closing at once would lose it, and a lost POST is not sent again. It was seen as failed requests in
rolling restarts.
"""
CLOSED_AT_ONCE = 16
"""A full server closes this fraction (one in so many) of its connections that wait longest."""

log = structlog.get_logger(__name__)

_numbers = itertools.count()
_begin_message = HttpToolsProtocol.on_message_begin
_take_header = HttpToolsProtocol.on_header
_end_headers = HttpToolsProtocol.on_headers_complete
_take_body = HttpToolsProtocol.on_body


class HeadRefused(Exception):
    """A request's head exceeds a limit."""


def protocol_with(limits: HttpLimits, fault_body: FaultBody) -> "type[HttpProtocol]":
    """The protocol of one service.

    Args:
        limits: limits of each connection.
        fault_body: makes the JSON body of the server's own errors.
    """
    members = {
        "limits": limits,
        "_head_limit": limits.head_bytes,
        "fault_body": staticmethod(fault_body),
    }
    return type("ServiceHttpProtocol", (HttpProtocol,), members)


class HttpProtocol(HttpToolsProtocol):
    """One connection of a client; `protocol_with` makes the class with a service's limits."""

    limits: HttpLimits
    fault_body: FaultBody
    """Makes the JSON body of the server's own errors."""

    number = 0
    """Which of the process' connections this is, in the order in which they were made."""
    _head_limit = 0
    _in_head = False
    _head_began = False
    _head_bytes = 0
    _head_sweeps = 0
    _quiet_sweeps = 0
    _answering: RequestResponseCycle | None = None
    _upgrade_body: UpgradeBody | None = None
    _upgrade_offered = False
    _after_offer = b""
    _body_came = False
    _framing_bytes = 0
    _rest_sweeps = 0
    _unread_bytes = 0
    _taken_bytes = 0
    _stalled_sweeps = 0
    _fault = MALFORMED
    _leaving = False

    def __repr__(self) -> str:
        return f"<HttpProtocol {self.client} head={self._in_head}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; a full server first closes connections that wait for a request."""
        super().connection_made(cast("asyncio.Transport", transport))
        self.transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self.number = next(_numbers)
        if len(self.connections) > self.limits.connections:
            self._make_room()

    @property
    def waits(self) -> bool:
        """Whether no request is under way: none has come yet, or the last was answered."""
        cycle = self.cycle
        return cycle is None or (cycle.response_complete and not cycle.more_body)

    @property
    def waited(self) -> int:
        """Seconds since the last request's head, or since the connection was made."""
        return self._quiet_sweeps

    def _make_room(self) -> None:
        """Close the connections that wait longest for a request or its head; refuse if none does."""
        others = cast("set[ServerConnection]", self.connections)
        waiting = [each for each in others if each is not self and each.waits]
        if not waiting:
            self.refuse(TOO_MANY_CONNECTIONS)
        waiting.sort(key=lambda each: (-each.waited, each.number))
        for each in waiting[: max(1, self.limits.connections // CLOSED_AT_ONCE)]:
            each.transport.close()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        _begin_message(self)
        self._in_head = self._head_began = True
        self._head_bytes = self._head_sweeps = 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the path."""
        self.url += url
        self._weigh(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header; refuse the head when it is one too many."""
        _take_header(self, name, value)
        self._weigh(len(name) + len(value))
        if len(self.headers) > self.limits.head_count:
            self._fault = HEAD_TOO_LARGE
            raise HeadRefused

    def on_headers_complete(self) -> None:
        """End the head; uvicorn starts the application."""
        self._in_head = False
        self._quiet_sweeps = 0
        if self.parser.should_upgrade() and offers_websocket(
            self.parser.get_method(), self.headers
        ):
            self._upgrade_offered = True
            extensions = {UPGRADE: UpgradeOffer(self._hand_over)}
            self.scope["extensions"] = cast("dict[str, dict[object, object]]", extensions)
        _end_headers(self)
        if self._leaving:
            self.leave()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._body_came = True
        _take_body(self, body)

    def on_message_complete(self) -> None:
        """End a body, also one that nobody waited for."""
        super().on_message_complete()
        self.cycle.more_body = False

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        """Feed the parser; count the bytes of a head, or between pieces of a body, after that.

        The parser tells of a header only when it is complete, so an endless one must be counted
        here, before a body and after its last chunk. A head that began in these very bytes may
        follow the end of another request.
        """
        self._head_began = self._body_came = False
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.refuse(self._fault)
        if not self.transport.is_closing():
            self._weigh_unfinished(len(data))

    def _feed(self, data: bytes) -> None:
        if self._upgrade_body is not None:
            self._take_upgrade_body(data)
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            rest = data[offer.args[0] :]
            self._refuse_upgrade(rest)
            if self._upgrade_offered:
                self._after_offer = rest
                self.flow.pause_reading()  # until the application has taken or refused it

    def _weigh_unfinished(self, size: int) -> None:
        """Count bytes of which the parser has told nothing: it keeps them until it does."""
        if self._in_head:
            if not self._head_began:
                self._head_bytes += size
            if self._head_bytes > 2 * self._head_limit:
                self.refuse(HEAD_TOO_LARGE)
            return
        cycle = self.cycle
        if self._body_came or cycle is None or not cycle.more_body:
            self._framing_bytes = 0
            return
        self._framing_bytes += size  # chunk extensions and trailers
        if self._framing_bytes > 2 * self._head_limit:
            if cycle.response_started:
                self.transport.close()
            else:
                self.refuse(HEAD_TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, too: uvicorn tells only the one that came last."""
        answering, last = self._answering, self.cycle
        if answering is not None and answering is not last:
            answering.disconnected = not answering.response_complete
            answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse_upgrade(self, rest: bytes) -> None:
        """Answer the request itself, on a connection that is closed after it.

        The parser stops where an upgrade is offered and would take the body for another request:
        Java's client offers h2c with every POST, and its body was seen to get lost.
        """
        self.cycle.keep_alive = False
        self._upgrade_body = UpgradeBody(self.headers, self.on_body)
        self._take_upgrade_body(rest)

    def _hand_over(self, connection: UpgradedConnection) -> None:
        """Give the transport to a connection that speaks another protocol: see `UpgradeOffer.take`.

        This object leaves the server's connections; the other takes its place.
        """
        transport, cycle = self.transport, self.cycle
        if cycle.disconnected or transport.is_closing():
            raise ConnectionResetError
        cycle.response_started = cycle.response_complete = True  # uvicorn sends nothing any more
        self.connections.discard(self)
        connection.belong_to(self.connections)
        connection.connection_made(transport)
        transport.set_protocol(connection)
        self.flow.resume_reading()
        if self._after_offer:
            connection.data_received(self._after_offer)

    def _take_upgrade_body(self, data: bytes) -> None:
        """Take the body of a request whose upgrade was refused; what follows it is dropped."""
        body = self._upgrade_body
        if body is None or self.cycle.response_complete:
            return
        body.feed(data)
        self.cycle.more_body = not body.complete
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request; of one answered before its body came the rest is received.

        Closing while a client still sends would reset the connection, and the answer be lost.
        uvicorn's own method also sets a timer for the idle time, which `sweep` measures here.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        if self._leaving and self.cycle.keep_alive:
            self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        if self.cycle.more_body and self.expect_100_continue:
            self.transport.close()  # it may wait for `100 Continue` and never send its body

    # What the server calls.

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

    def refuse(self, fault: HttpFault) -> None:
        """Answer with a fault and close."""
        client = self.client[0] if self.client else ""
        request_id = make_request_id()
        log.info(
            "request.refused",
            status=fault.status.value,
            code=fault.code,
            client=client,
            request_id=request_id,
        )
        body = self.fault_body(fault, request_id)
        head = (
            f"HTTP/1.1 {fault.status.value} {fault.status.phrase}\r\n"
            "content-type: application/json\r\nconnection: close\r\n"
            f"x-request-id: {request_id}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def sweep(self) -> None:
        """Check this connection's deadlines, once a second: head, idle time, stalled reader."""
        transport = self.transport
        if transport is None:
            return
        if not transport.is_closing():
            self._sweep_requests()
        # Reading is paused while a request waits for its turn, so the client's end is not read.
        if self.pipeline and peer_has_left(transport.get_extra_info("socket")):
            transport.abort()
        unread = transport.get_write_buffer_size()
        taken = self._bytes_taken() if unread else 0
        # What waits may grow although a client reads: upstream is only a little faster.
        if unread and unread >= self._unread_bytes and taken <= self._taken_bytes:
            self._stalled_sweeps += 1
            if self._stalled_sweeps > self.limits.stall_seconds:
                transport.abort()
        else:
            self._stalled_sweeps = 0
        self._unread_bytes, self._taken_bytes = unread, taken

    def _bytes_taken(self) -> int:
        """Bytes the client has taken; 0 where the system does not tell."""
        sock = self.transport.get_extra_info("socket")
        return acknowledged_bytes(sock) if sock is not None else 0

    def _sweep_requests(self) -> None:
        cycle = self.cycle
        self._rest_sweeps += 1
        if cycle is None or not (cycle.response_complete and cycle.more_body):
            self._rest_sweeps = 0
        elif self._rest_sweeps > self.limits.rest_seconds:
            self.transport.close()
        if self.waits:
            self._quiet_sweeps += 1
        if self._in_head:
            self._head_sweeps += 1
            if self._head_sweeps > self.limits.head_seconds:
                self.refuse(TOO_SLOW)
        elif self.waits and self._quiet_sweeps > self.limits.idle_seconds:
            self.transport.close()

    def _weigh(self, size: int) -> None:
        self._head_bytes += size + 4
        if self._head_bytes > self._head_limit and self._in_head:
            self._fault = HEAD_TOO_LARGE
            raise HeadRefused
