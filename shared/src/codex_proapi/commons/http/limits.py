"""Limits of client connections, and the errors the server itself sends when one is exceeded."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeAlias

import msgspec


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of each client connection of one service; times in seconds, checked once a second."""

    head_seconds: int
    """Most seconds from the first byte of a request's head to its end."""
    head_bytes: int
    """Most bytes of a head: request line and headers."""
    head_count: int
    """Most headers of one request."""
    rest_seconds: int
    """How long the rest of a body is received, and dropped, after its request was answered."""
    stall_seconds: int
    """How long a client may leave written bytes unread before its connection is aborted."""
    idle_seconds: int
    """Idle time of a connection before its first request and between two."""
    connections: int
    """Most connections at a time. For one more, those that wait longest for a request are closed."""


class BodyDeadlines(msgspec.Struct, frozen=True, kw_only=True):
    """How slowly a request's body may arrive."""

    stall_seconds: float
    """Most seconds without any byte."""
    least_rate: int
    """Least average rate in bytes per second, enforced after `stall_seconds`.

    It ends clients that send single bytes slowly to hold a connection (slow POST).
    """
    whole_seconds: float
    """Most seconds for a whole body."""

    def latest(self, *, begun: float, now: float, size: int) -> float:
        """When the next piece must have arrived.

        Args:
            begun: when reading the body began, monotonic seconds.
            now: monotonic seconds.
            size: bytes received so far.
        """
        slowest = self.stall_seconds + size / self.least_rate
        return min(now + self.stall_seconds, begun + min(slowest, self.whole_seconds))


class HttpFault(msgspec.Struct, frozen=True):
    """Why the server refuses a request, or a connection, before the application is called."""

    status: HTTPStatus
    code: str
    message: str


FaultBody: TypeAlias = Callable[[HttpFault, str], bytes]
"""Gives the JSON body of the response to a fault, from the fault and the id of the response."""

MALFORMED: Final = HttpFault(
    HTTPStatus.BAD_REQUEST, "malformed_http", "This is not an HTTP/1.1 request."
)
TOO_SLOW: Final = HttpFault(
    HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "The request's head did not arrive in time."
)
HEAD_TOO_LARGE: Final = HttpFault(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "request_head_too_large",
    "Too many or too large request headers.",
)
TOO_MANY_CONNECTIONS: Final = HttpFault(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "server_overloaded",
    "Too many requests are under way here. Please try again.",
)
