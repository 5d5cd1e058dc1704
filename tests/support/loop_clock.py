"""The running loop with a time of the test's own, for the shared connection to Redis."""

import asyncio
from collections.abc import Callable
from typing import Any

from codex_proapi.commons.redis.multiplexed import MultiplexedConnection


class LoopClock:
    """The running loop to a connection, but for its time and timers, which move when told."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = 0.0
        self._timers: list[tuple[float, Callable[[], object]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def time(self) -> float:
        return self._now

    def call_later(self, seconds: float, work: Callable[[], object]) -> asyncio.Handle:
        self._timers.append((self._now + seconds, work))
        return asyncio.Handle(work, (), self._loop)

    def pass_(self, seconds: float) -> None:
        """Let time go by within one turn of the loop: nothing is read meanwhile."""
        self._now += seconds
        due = [work for at, work in self._timers if at <= self._now]
        self._timers = [each for each in self._timers if each[0] > self._now]
        for work in due:
            work()


async def clock_of(line: MultiplexedConnection) -> LoopClock:
    """Connect, and give the connection a clock of the test's."""
    await line.call("PING")
    end: Any = line._end
    end._watch.cancel()
    end._watch, end._loop = None, LoopClock()
    return end._loop  # type: ignore[no-any-return]
