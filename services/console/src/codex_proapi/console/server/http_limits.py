"""The console's limits of client connections and request bodies, for `commons.http`."""

from typing import Final

import msgspec

from codex_proapi.commons.http.limits import BodyDeadlines, HttpFault, HttpLimits
from codex_proapi.console.server.error_responses import ErrorBody, ErrorEnvelope

HTTP_LIMITS: Final = HttpLimits(
    head_seconds=10,
    head_bytes=32 * 1024,
    head_count=101,
    rest_seconds=10,
    stall_seconds=60,
    idle_seconds=75,
    connections=1_000,
)
BODY_DEADLINES: Final = BodyDeadlines(stall_seconds=20.0, least_rate=1024, whole_seconds=120.0)
"""Bodies are forms and, the largest, an auth.json."""
DRAIN_SECONDS: Final = 5
"""How long requests under way may take after a signal; live streams end at once."""


def fault_body(fault: HttpFault, request_id: str) -> bytes:
    """The body of an error that the server sends before the application is called."""
    told = ErrorBody(code=fault.code, message=fault.message, param=None, request_id=request_id)
    return msgspec.json.encode(ErrorEnvelope(error=told))
