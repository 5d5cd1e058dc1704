"""The gateway's limits of client connections and request bodies, for `commons.http`."""

from typing import Final

from codex_proapi.commons.http.limits import BodyDeadlines, HttpLimits

HTTP_LIMITS: Final = HttpLimits(
    head_seconds=10,
    head_bytes=32 * 1024,
    head_count=101,
    rest_seconds=30,
    stall_seconds=60,
    idle_seconds=75,  # clients' pools assume at least 65
    connections=10_000,
)
BODY_DEADLINES: Final = BodyDeadlines(stall_seconds=60.0, least_rate=4096, whole_seconds=600.0)
"""Long contexts with images are some megabytes, over lines that may be slow."""
