"""Codes of faults of the transport, which come as a `Refusal` of status 0."""

from typing import Final

UNREACHABLE: Final = "upstream_unreachable"
"""No connection could be made: nothing was sent."""
CONNECTION_LOST: Final = "upstream_connection_lost"
"""The connection broke before the commit point."""
TIMED_OUT: Final = "upstream_timeout"
"""Upstream was silent for too long."""
