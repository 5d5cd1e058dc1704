"""The ticker: calls `tick` of its members once a second, in place of a timer for each stream."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

BEAT_SECONDS = 1.0
"""Seconds between two ticks; members count ticks instead of reading a clock."""
AT_ONCE = 500
"""Members that are called in one turn of the event loop: ten thousand would hold it for 30 ms."""

log = structlog.get_logger(__name__)


class Ticking(Protocol):
    """Something that is called once a second."""

    def tick(self) -> None:
        """Count one second; must neither block nor raise."""


class Ticker:
    """Calls its members once a second."""

    def __init__(self) -> None:
        self._members: set[Ticking] = set()
        self.join: Callable[[Ticking], None] = self._members.add
        """Calls a member's `tick` from now on."""
        self.leave: Callable[[Ticking], None] = self._members.discard
        """Forgets a member; one that is not there is fine."""

    def __repr__(self) -> str:
        return f"<Ticker of {len(self._members)}>"

    def __len__(self) -> int:
        return len(self._members)

    def tick(self) -> None:
        """Call every member's `tick`. One that raises is logged and removed; the others go on."""
        self._tick(tuple(self._members))

    def _tick(self, members: tuple[Ticking, ...]) -> None:
        for member in members:
            if member not in self._members:
                continue  # it has left since the second began
            try:
                member.tick()
            except Exception:
                self.leave(member)
                log.exception("beat.failed", member=repr(member))

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Tick until cancelled."""
        while True:
            await sleep(BEAT_SECONDS)
            members = tuple(self._members)
            for start in range(0, len(members), AT_ONCE):
                self._tick(members[start : start + AT_ONCE])
                await asyncio.sleep(0)
