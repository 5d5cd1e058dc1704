"""How a connection of a client is refused and closed, so that what was written reaches the client."""

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from codex_proapi.commons.http.limits import FaultBody, HttpFault, HttpLimits
from codex_proapi.commons.http.request_id import make_request_id
from codex_proapi.commons.http.tcp_info import peer_has_left, was_reset

if TYPE_CHECKING:
    from codex_proapi.commons.http.connection.request_cycle import RequestCycle

DROPPED_BYTES: Final = 4 * 1024 * 1024
"""Most bytes that are dropped behind a refusal."""
BODY_DROPPED_BYTES: Final = 72 * 1024 * 1024
"""Most bytes that are dropped of a body whose request was answered: more than one may have."""

PROBE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
"""Every client of HTTP/1.1 skips it, asked for or not (RFC 9110, 15.2); from one that has left comes a reset."""
PROBE_SECONDS: Final = 0.1
"""When the socket is looked at after a probe; after that it is once a second."""

log = structlog.get_logger(__name__)


class ClosingConnection(asyncio.Protocol):
    """The end of a connection; what comes before it is its subclasses'.

    Args:
        loop: the running loop.
    """

    # With more than thirty attributes a connection without slots takes 2 KB for their names.
    __slots__ = (
        *("client", "cycle", "loop", "pipeline", "read_paused", "transport"),
        *("_answering", "_discards", "_droppable", "_half_closed", "_in_head", "_refusal"),
    )
    limits: HttpLimits
    fault_body: FaultBody
    """Makes the JSON body of the server's own errors."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # until it is made
        self.client: tuple[str, int] | None = None
        """Address and port of the other end; None for a unix socket."""
        self.cycle: RequestCycle | None = None
        """The request that came last."""
        self.pipeline: list[RequestCycle] = []
        """Requests that wait for the response before theirs."""
        self._answering: RequestCycle | None = None
        self.read_paused = False
        """Whether the client waits, as nobody takes what it has sent."""
        self._in_head = False
        self._half_closed = self._discards = False
        self._droppable = BODY_DROPPED_BYTES
        self._refusal: HttpFault | None = None

    def pause_reading(self) -> None:
        """Let the client wait."""
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self.read_paused and not self.pipeline and self._refusal is None:
            self.read_paused = False
            self.transport.resume_reading()

    def close(self) -> None:
        """Close behind what was written; first only our half, where the client may still be sending.

        A connection that is closed with bytes unread is reset, and the answer may be lost with it.
        What still comes is dropped, until the client closes or `rest_seconds` have passed.
        """
        transport = self.transport
        if self._discards or transport.is_closing():
            return
        if not transport.can_write_eof():
            transport.close()
            return
        self._discards = True
        self.pipeline.clear()
        transport.write_eof()
        self.resume_reading()

    def eof_received(self) -> bool:
        """asyncio: the client has ended its half. Gives whether ours stays open.

        It has left, or it is one that ends its half behind its request (`nc`, some proxies). The two
        differ only in what becomes of bytes that are sent to them, so a request that came whole is
        kept, and probed, as long as its answer has not begun. HTTP/1.0 knows nothing to probe with.
        """
        cycle = self.cycle
        if cycle is None or cycle.response_complete or self._discards:
            return False
        if self._half_closed:
            return True
        begun = cycle.more_body or self._in_head or cycle.response_started
        if begun or cycle is not self._answering or cycle.head.http_version != "1.1":
            return False
        sock = self.transport.get_extra_info("socket")
        if not peer_has_left(sock):  # so only Linux tells what will become of a probe
            return False
        self._half_closed = True
        cycle.keep_alive = False
        self.transport.write(PROBE)
        self.loop.call_later(PROBE_SECONDS, self._end_if_reset)
        return True

    def _end_if_reset(self) -> None:
        """Close a connection whose client has ended its half, and then the rest."""
        transport = self.transport
        if not transport.is_closing() and was_reset(transport.get_extra_info("socket")):
            transport.abort()

    def refuse(self, fault: HttpFault) -> None:
        """Answer with a fault and close; whole requests that came before it are answered first."""
        cycle = self.cycle
        while cycle is not None and cycle.more_body and cycle in self.pipeline:
            self.pipeline.pop().disconnect()  # its body is what cannot be read
            cycle = self.cycle = self.pipeline[-1] if self.pipeline else self._answering
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                self._refusal = fault
                self.pause_reading()
                return
            if cycle.response_started:
                self.transport.close()
                return
            cycle.disconnect()
        self._refusal = None
        self._send(fault)
        self.close()
        self._droppable = DROPPED_BYTES

    def _drop(self, size: int) -> None:
        """Drop bytes that nobody reads any more, within bounds."""
        self._droppable -= size
        if self._droppable < 0:
            self.transport.close()

    def _send(self, fault: HttpFault) -> None:
        request_id = make_request_id()
        log.info(
            "request.refused",
            status=fault.status.value,
            code=fault.code,
            client=self.client[0] if self.client else "",
            request_id=request_id,
        )
        body = self.fault_body(fault, request_id)
        head = (
            f"HTTP/1.1 {fault.status.value} {fault.status.phrase}\r\n"
            "content-type: application/json\r\nconnection: close\r\n"
            f"x-request-id: {request_id}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
