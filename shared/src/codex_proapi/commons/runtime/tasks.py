"""Background tasks that are referenced, logged when they fail, restarted, and ended on close.

`SingleFlight` lets concurrent callers with the same question share one call: without it, every request
that misses an invalidated cache would send the same command to Redis at the same moment.

The only place that calls `asyncio.create_task`: a task that nothing refers to may be garbage
collected while it runs, and its error lost.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec
import structlog

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

CANCEL_AGAIN = 0.5
"""Seconds after which a task that still runs is cancelled once more."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a loop that failed is begun again; twice as long after each failure in a row."""
STEADY_SECONDS = 60.0
"""A loop that has run so long has recovered: its next failure is a first one."""
DOWN_FAILURES = 3
"""Failures in a row from which a loop counts as down, until it is steady."""

log = structlog.get_logger(__name__)


class _Loop(msgspec.Struct):
    """A loop that is kept running."""

    began: float
    failures: int = 0
    """In a row."""


class Tasks:
    """The background tasks of one owner.

    Args:
        sleep: Waits the given seconds before a failed loop is begun again.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._loops: dict[str, _Loop] = {}
        self._sleep = sleep
        self._clock = clock
        self.failures: Counter[str] = Counter()
        """Failures since the start, by name of the loop."""

    def __repr__(self) -> str:
        return f"<Tasks {len(self._running)} running>"

    def __len__(self) -> int:
        return len(self._running)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def down(self) -> list[str]:
        """Loops that failed several times in a row and have not run steadily since."""
        now = self._clock()
        return [
            name
            for name, loop in self._loops.items()
            if loop.failures >= DOWN_FAILURES and now - loop.began < STEADY_SECONDS
        ]

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run work in the background; its failure is logged, and raised to whoever awaits it."""
        task = asyncio.create_task(work, name=name)  # noqa: TID251 - the one allowed place
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """Run a loop until it is cancelled or returns; one that raises is logged and begun again."""
        self.failures[name] += 0
        return self.start(self._keep(name, work), name=name)

    async def close(self, *, patience: float = 0) -> None:
        """Wait `patience` seconds for running tasks, then cancel the rest and await their end."""
        if self._running and patience:
            await asyncio.wait(set(self._running), timeout=patience)
        # Once is not enough: redis-py 8.1 loses a cancellation that arrives together with a reply
        # (seen with XREAD), and the task then waits for the next entry.
        while left := set(self._running):
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=CANCEL_AGAIN)

    async def _keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = self._loops[name] = _Loop(began=self._clock())
        while True:
            loop.began = self._clock()
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever it is, the loop must go on
                pause = self._failed(name, loop, error)
            else:
                del self._loops[name]
                return
            loop.began = self._clock()
            await self._sleep(pause)

    def _failed(self, name: str, loop: _Loop, error: Exception) -> float:
        """Record a failure of a loop; returns the seconds until it is begun again."""
        if self._clock() - loop.began >= STEADY_SECONDS:
            loop.failures = 0
        loop.failures += 1
        self.failures[name] += 1
        pause = min(FIRST_PAUSE * 2.0 ** min(loop.failures - 1, 16), LONGEST_PAUSE)
        log.error("task.failed", task=name, error=repr(error), again_in=pause)
        return pause

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task.failed", task=task.get_name(), error=repr(error))


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """Await work whose effect must be known: it is not cancelled with its caller, but awaited.

    A caller that is cancelled meanwhile is so once the work has ended; a second cancellation ends
    the wait, not the work.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_seen)
        await asyncio.wait((task,))
        raise


def _seen(task: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody awaits any more."""
    if not task.cancelled():
        task.exception()


class SingleFlight(Generic[K, V]):
    """Calls under way, by key."""

    def __init__(self) -> None:
        self._tasks = Tasks()
        self._under_way: dict[K, asyncio.Task[V | Exception]] = {}

    def __repr__(self) -> str:
        return f"<SingleFlight {len(self._under_way)} under way>"

    async def join(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """The result or error of `read`, shared with a call for the same key under way.

        Cancelling one waiter does not cancel the call for the others.
        """
        task = self._under_way.get(key)
        if task is None:
            task = self._tasks.start(_outcome(read), name="look")
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
            self._under_way[key] = task
        found = await asyncio.shield(task)
        if isinstance(found, Exception):
            raise found
        return found


async def _outcome(read: Callable[[], Awaitable[Any]]) -> Any:
    """The result, or the error as a value: a task whose waiters have all left must not raise."""
    try:
        return await read()
    except Exception as error:  # noqa: BLE001 - raised to everybody who waits
        return error
