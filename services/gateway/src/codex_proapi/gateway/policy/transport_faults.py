"""Codes of faults of the transport, which come as a `Refusal` of status 0."""

from typing import Final

UNREACHABLE: Final = "upstream_unreachable"
"""No connection could be made: nothing was sent."""
CONNECTION_LOST: Final = "upstream_connection_lost"
"""The connection broke before the commit point."""
STALE_CONNECTION: Final = "upstream_connection_stale"
"""A kept connection ended within a second of sending, before any byte of an answer: upstream had
most probably closed it before the request came."""
SOCKET_LOST: Final = "upstream_socket_lost"
"""A WebSocket ended, or stayed silent, before the backend had begun to work on the request."""
SOCKET_BROKEN: Final = "upstream_socket_broken"
"""It ended after that, before the commit point: asking again would cost quota once more."""
TIMED_OUT: Final = "upstream_timeout"
"""Upstream was silent for too long."""
