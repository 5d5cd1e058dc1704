"""What a connection's server calls: the sweep of its deadlines once a second, and the drain."""

import asyncio
import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from codex_proapi.commons.http.connection.closing import ClosingConnection
from codex_proapi.commons.http.limits import (
    MALFORMED,
    TOO_MANY_CONNECTIONS,
    TOO_SLOW,
)
from codex_proapi.commons.http.tcp_info import acknowledged_bytes, peer_has_left

if TYPE_CHECKING:
    from codex_proapi.commons.http.upgrade import ServerConnection

LINGER_SECONDS = 1
"""How long a connection nobody was told to drop is still answered on: one that is idle when listening
ends, one whose answer had begun before the drain.

A load balancer that keeps connections (nginx, HAProxy) may have sent a request that is not read yet:
closing at once would lose it, and a lost POST is not sent again. It was seen as failed requests in
rolling restarts.
"""
CLOSED_AT_ONCE: Final = 16
"""A full server closes this fraction (one in so many) of its connections that wait longest."""
TICKS: Final = 10
"""uvicorn's ticks in a second."""

_numbers = itertools.count()


def due(connections: Iterable["ServerConnection"], tick: int) -> "list[ServerConnection]":
    """The connections to sweep at a tick: each at one of TICKS, so that no turn of the loop sweeps all.

    To sweep ten thousand takes 12 ms, in which no stream would be written.
    """
    turn = tick % TICKS
    return [each for each in connections if each.number % TICKS == turn]


class SweptConnection(ClosingConnection):
    """The server's side of a connection; `protocol.HttpProtocol` is the client's.

    Args:
        loop: the running loop.
        siblings: all connections of the server.
    """

    __slots__ = (
        *("number", "_fault", "_head_sweeps", "_leaving", "_quiet_sweeps", "_rest_sweeps"),
        *("_siblings", "_stalled_sweeps", "_taken_bytes", "_unread_bytes"),
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, siblings: "set[ServerConnection]") -> None:
        super().__init__(loop)
        self.number = next(_numbers)
        """In the order in which connections were made."""
        self._siblings = siblings
        self._head_sweeps = self._quiet_sweeps = self._rest_sweeps = 0
        self._unread_bytes = self._taken_bytes = self._stalled_sweeps = 0
        self._fault = MALFORMED
        self._leaving = False

    @property
    def waits(self) -> bool:
        """Whether no request is under way: none has come yet, or the last was answered."""
        cycle = self.cycle
        return self._discards or cycle is None or (cycle.response_complete and not cycle.more_body)

    @property
    def waited(self) -> int:
        """Seconds since the last request's head, or since the connection was made."""
        return self._quiet_sweeps

    def _make_room(self) -> None:
        """Close the connections that wait longest for a request or its head; refuse if none does."""
        waiting = [each for each in self._siblings if each is not self and each.waits]
        if not waiting:
            self._send(TOO_MANY_CONNECTIONS)
            self.transport.close()  # at once: one that lingered would be one too many
        waiting.sort(key=lambda each: (-each.waited, each.number))
        for each in waiting[: max(1, self.limits.connections // CLOSED_AT_ONCE)]:
            each.transport.close()

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
        self._linger()

    def _linger(self) -> None:
        """Close after a moment, unless another request has come until then."""
        self.loop.call_later(LINGER_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        idle = self._discards or self.cycle is None or self.cycle.response_complete
        if idle and not self._in_head and not self.transport.is_closing():
            self.transport.close()

    def sweep(self) -> None:
        """Check this connection's deadlines, once a second: head, idle time, stalled reader."""
        transport = self.transport
        if transport is None:
            return
        if not transport.is_closing():
            self._sweep_requests()
        # Reading is paused while a request waits for its turn, so the client's end is not read.
        waiting = self.pipeline or self._refusal is not None
        if waiting and peer_has_left(transport.get_extra_info("socket")):
            transport.abort()
        if self._half_closed:
            self._end_if_reset()
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
        unread = cycle is not None and cycle.response_complete and cycle.more_body
        if not (self._discards or unread):
            self._rest_sweeps = 0
        elif self._rest_sweeps > self.limits.rest_seconds:
            self.transport.close()
        if self.waits:
            self._quiet_sweeps += 1
        if self._discards:
            return
        if self._in_head and (cycle is None or cycle.response_complete):
            self._head_sweeps += 1
            if self._head_sweeps > self.limits.head_seconds:
                self.refuse(TOO_SLOW)
        elif self.waits and self._quiet_sweeps > self.limits.idle_seconds:
            self.transport.close()
