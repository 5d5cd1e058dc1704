"""What a benchmark request asks of the fast upstream: a marker inside the user's message.

`%%n=500,gap=20,seg=1%%` – n deltas, `gap` milliseconds between writes (ASKED: when it is asked for the
next one), `seg` deltas a write; `,end=200`
behind them keeps the last chunk back so many milliseconds after the last event, `,wait=200` the head so
many after the request. It travels inside the prompt, so every proxy and gateway passes it on.
"""

import re
from dataclasses import dataclass

PATTERN = re.compile(rb"%%n=(\d+),gap=(\d+),seg=(\d+)(?:,end=(\d+))?(?:,wait=(\d+))?%%")
ASKED = 10**9
"""A gap that ends by `GET /bench/next`."""
STAMP = re.compile(rb"@(\d{10,})@")
"""In each delta's text: the monotonic clock at its sending, nanoseconds."""


@dataclass(frozen=True)
class Marker:
    """How many deltas, how far apart, how many in one write, and how late end and head."""

    deltas: int = 5
    gap_ms: int = 0
    per_write: int = 8
    end_ms: int = 0
    wait_ms: int = 0

    @classmethod
    def found_in(cls, body: bytes) -> "Marker":
        """The marker of a request body, or the default one."""
        found = PATTERN.search(body)
        return cls(*(int(group or 0) for group in found.groups())) if found else cls()

    def __str__(self) -> str:
        end = f",end={self.end_ms}" if self.end_ms else ""
        wait = f",wait={self.wait_ms}" if self.wait_ms else ""
        return f"%%n={self.deltas},gap={self.gap_ms},seg={self.per_write}{end}{wait}%%"
