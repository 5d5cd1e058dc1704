"""One look for all who want to know the same thing at the same moment.

Where a cache is emptied a thousand requests would ask Redis the same question at once, and none of
them in time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from codex_proapi.commons.runtime.tasks import Tasks

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Looks under way, by what they look for."""

    def __init__(self) -> None:
        self._tasks = Tasks()
        self._under_way: dict[K, asyncio.Task[V | Exception]] = {}

    def __repr__(self) -> str:
        return f"<SingleFlight {len(self._under_way)} under way>"

    async def join(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """What `look` gives, by a look that is under way if there is one; its error is everybody's.

        Whoever gives up waiting does not end the look for the others.
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
    """What was found, or the error as a value: nobody may be left to raise it to."""
    try:
        return await read()
    except Exception as error:  # noqa: BLE001 - raised to everybody who waits
        return error
