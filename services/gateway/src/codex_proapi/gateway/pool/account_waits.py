"""Requests that wait for an account to come back: until a known time, or until the pool has changed.

A cooldown ends at a known time, but an answer, a renewed login or an administrator may end it
earlier. While any request of this replica waits, one task reads the versions of accounts and
cooldowns; nothing else is asked of Redis. Who waits is woken in a fair order: the first request of
each key, then the second ones, by the weights of the keys, and among equals the oldest first. In
that order they ask for an account, so no key's many requests pass another key's one.
"""

import asyncio
import collections
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import msgspec
import structlog

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.metrics.state_figures import StateFigures
from codex_proapi.gateway.pool.slot_queue import Waiter

CHECK_SECONDS: Final = 0.25
"""Seconds between two looks at the versions, while anyone waits."""
MOST_WOKEN: Final = 32
"""Most requests woken by one change of the pool; the next look wakes the others."""
TOGETHER_SECONDS: Final = 0.02
"""Waits that end within so many seconds end together, in the fair order."""

log = structlog.get_logger(__name__)


class _Wait(msgspec.Struct, eq=False):
    """One request that waits."""

    until: float
    """When it ends, by the loop's clock."""
    version: str
    """Version of the pool that offered no account."""
    waiter: Waiter
    woken: asyncio.Future[None]


class AccountWaits:
    """The requests of this replica that wait for an account to come back.

    Args:
        version: version of accounts and cooldowns as this replica last read them.
        read_version: reads it from Redis; raises StoreUnavailable.
        tasks: runs the task that reads it.
        figures: shows how many wait, and how long each waited.
        sleep: for the pauses between two looks.
    """

    def __init__(
        self,
        version: Callable[[], str],
        read_version: Callable[[], Awaitable[str]],
        *,
        tasks: Tasks,
        figures: StateFigures | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._version = version
        self._read_version = read_version
        self._tasks = tasks
        self._figures = figures
        self._sleep = sleep
        self._waits: dict[_Wait, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._watches = False
        if figures is not None:
            figures.account_waiting.set_function(self._waits.__len__)

    def __repr__(self) -> str:
        return f"<AccountWaits of {len(self._waits)}>"

    async def wait(self, seconds: float, waiter: Waiter) -> float:
        """Wait so long, or until the pool has changed; gives the seconds waited.

        Must be called in the same step in which a snapshot offered no account: a change since then
        ends the wait.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        wait = _Wait(begun + seconds, self._version(), waiter, loop.create_future())
        self._waits[wait] = None
        if self._timer is None or wait.until < self._timer.when():
            self._set_timer()
        if not self._watches:
            self._watches = True
            self._tasks.start(self._watch(), name="pool version")
        try:
            await wait.woken
        finally:
            self._waits.pop(wait, None)
            waited = loop.time() - begun
            if self._figures is not None:
                self._figures.account_wait_seconds.observe(waited)
        return waited

    async def _watch(self) -> None:
        """Wake requests when the version has changed, as long as any waits."""
        try:
            while self._waits:
                await self._sleep(CHECK_SECONDS)
                try:
                    version = await self._read_version()
                except StoreUnavailable as error:  # the known ends hold
                    log.debug("waits.unwatched", error=str(error))
                    continue
                self._wake([w for w in self._waits if w.version != version], most=MOST_WOKEN)
        finally:
            self._watches = False

    def _set_timer(self) -> None:
        """Set the timer to the first end."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waits:
            first = min(wait.until for wait in self._waits)
            self._timer = asyncio.get_running_loop().call_at(first, self._end)

    def _end(self) -> None:
        until = asyncio.get_running_loop().time() + TOGETHER_SECONDS
        self._wake([wait for wait in self._waits if wait.until <= until], most=len(self._waits))
        self._set_timer()

    def _wake(self, waits: Sequence[_Wait], *, most: int) -> None:
        for wait in in_fair_order(waits)[:most]:
            self._waits.pop(wait, None)
            if not wait.woken.done():
                wait.woken.set_result(None)


def in_fair_order(waits: Iterable[_Wait]) -> Sequence[_Wait]:
    """Those who wait, in the order in which they are woken."""
    positions: collections.Counter[str] = collections.Counter()
    ranked = []
    for wait in sorted(waits, key=lambda wait: wait.waiter.since):
        key_id, weight = wait.waiter.key_id, wait.waiter.weight
        positions[key_id] += 1
        ranked.append((positions[key_id] / weight, wait.waiter.since, wait))
    return [wait for *_, wait in sorted(ranked, key=lambda each: each[:2])]
