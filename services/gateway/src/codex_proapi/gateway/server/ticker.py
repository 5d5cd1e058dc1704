"""One ticker for all exchanges of the process: no timer is made for any stream.

Once a second every member is told so; what a member does about it (a keep-alive after ten silent
seconds, an end after five minutes) is its own business.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

BEAT_SECONDS = 1.0
"""Time between two beats; members count beats instead of reading a clock."""

log = structlog.get_logger(__name__)


class Ticking(Protocol):
    """Something that wants to know that a second has passed."""

    def tick(self) -> None:
        """Take notice of one more second; must neither wait nor raise."""


class Ticker:
    """The ticker and its members."""

    def __init__(self) -> None:
        self._members: set[Ticking] = set()

    def __repr__(self) -> str:
        return f"<PoolSummary of {len(self._members)}>"

    def __len__(self) -> int:
        return len(self._members)

    def join(self, member: Ticking) -> None:
        """Tell this member of every beat from now on."""
        self._members.add(member)

    def leave(self, member: Ticking) -> None:
        """Forget a member; one that is not there is fine."""
        self._members.discard(member)

    def tick(self) -> None:
        """One beat. A member that fails is told to the log and does not stop the others."""
        for member in tuple(self._members):
            try:
                member.tick()
            except Exception:
                self.leave(member)
                log.exception("beat.failed", member=repr(member))

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Beat until cancelled."""
        while True:
            await sleep(BEAT_SECONDS)
            self.tick()
