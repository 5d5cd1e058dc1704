"""Single flight: concurrent callers with the same question share one call.

Without it, every request that misses an invalidated cache would send the same command to Redis at
the same moment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from codex_proapi.commons.runtime.tasks import Tasks

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


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
