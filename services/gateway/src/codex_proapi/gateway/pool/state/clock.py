"""The shared clock: the machine's clock, corrected to Redis' time.

Replicas whose clocks differ by minutes would refresh tokens early, end cooldowns late and count
usage in the wrong day. Every snapshot contains Redis' time, so no extra round trip is needed.
"""

import time
from collections.abc import Callable


class SharedClock:
    """Callable that gives seconds since the epoch by Redis' clock."""

    def __init__(self, own: Callable[[], float] = time.time) -> None:
        self._own = own
        self.offset = 0.0
        """Seconds that Redis' clock is ahead of the machine's."""

    def __repr__(self) -> str:
        return f"<SharedClock {self.offset:+.3f} s>"

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self._own() + self.offset

    def learn(self, now: float) -> None:
        """Set the offset from Redis' current time, seconds since the epoch."""
        self.offset = now - self._own()
