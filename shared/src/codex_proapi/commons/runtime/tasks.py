"""Background tasks that are remembered, reported when they fail, and ended on close.

The only place that calls `asyncio.create_task`: a task nobody refers to can vanish half-way,
and its failure with it.
"""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

T = TypeVar("T")

CANCEL_AGAIN = 0.5
"""Seconds after which a task that still runs is cancelled once more."""

log = structlog.get_logger(__name__)


class Tasks:
    """The background tasks of one owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

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

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Run work in the background; its failure is logged, and raised to whoever awaits it."""
        task = asyncio.create_task(work, name=name)  # noqa: TID251 - the one allowed place
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self, *, patience: float = 0) -> None:
        """Wait so long for what runs, then cancel the rest and wait for its end."""
        if self._running and patience:
            await asyncio.wait(set(self._running), timeout=patience)
        # Once is not enough: redis-py 8.1 loses a cancellation that arrives together with a reply
        # (seen with XREAD), and the task then waits for the next entry.
        while left := set(self._running):
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=CANCEL_AGAIN)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task.failed", task=task.get_name(), error=repr(error))
