"""One time for all replicas: the machine's clock, corrected by what Redis says.

Replicas whose clocks differ by minutes would renew tokens early, end cooldowns late and count in the
wrong day; every snapshot brings Redis' time with every request, so nobody has to ask for it.
"""

import time
from collections.abc import Callable


class SharedClock:
    """Gives seconds since the epoch, as Redis counts them."""

    def __init__(self, own: Callable[[], float] = time.time) -> None:
        self._own = own
        self.offset = 0.0
        """How far Redis' clock is ahead of ours, in seconds."""

    def __repr__(self) -> str:
        return f"<SharedClock {self.offset:+.3f} s>"

    def __call__(self) -> float:
        """The time."""
        return self._own() + self.offset

    def learn(self, now: float) -> None:
        """Take in what Redis said just now."""
        self.offset = now - self._own()
