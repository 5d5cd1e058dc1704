"""One timer for everything that waits: a timer for each costs a handle of the loop, and two calls."""

import asyncio
import math
from typing import Protocol


class Waiting(Protocol):
    """Something that waits until a deadline."""

    @property
    def deadline(self) -> float:
        """When it is late, by the loop's clock; may have moved on when it is looked at again."""

    def expire(self) -> None:
        """It is late; it has been forgotten."""


class Deadlines:
    """What waits, and the timer of the earliest deadline.

    A deadline is kept as exactly as with a timer of its own. The timer stays as it is when what it was
    set for has been forgotten or may wait longer: it fires, finds the earliest deadline, and is set for
    that. As nearly all wait for the same time, that is about once in this time.
    """

    def __init__(self) -> None:
        self._waiting: set[Waiting] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = math.inf
        self.forget = self._waiting.discard
        """Watch something no more, whether it was watched or not."""

    def __repr__(self) -> str:
        return f"<Deadlines of {len(self._waiting)}>"

    def watch(self, waiting: Waiting, deadline: float) -> None:
        """Have something expire at its deadline, once, unless it is forgotten before."""
        self._waiting.add(waiting)
        if deadline < self._fires_at:
            self._set(deadline)

    def close(self) -> None:
        """Forget everything."""
        self._waiting.clear()
        self._set(math.inf)

    def _set(self, when: float) -> None:
        """Set the timer in the place of the one that is set; never for infinity."""
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at, self._timer = when, None
        if when != math.inf:
            self._timer = asyncio.get_running_loop().call_at(when, self._fire)

    def _fire(self) -> None:
        self._fires_at, self._timer = math.inf, None
        now = asyncio.get_running_loop().time()
        late = [each for each in self._waiting if each.deadline <= now]
        for waiting in late:
            if waiting in self._waiting:  # what expires may end others
                self._waiting.remove(waiting)
                waiting.expire()
        earliest = min((each.deadline for each in self._waiting), default=math.inf)
        if earliest < self._fires_at:
            self._set(earliest)
