"""One reader of the log stream for each replica, fanned out to all its browsers.

Followers share a ring buffer of the newest entries. One that resumes at an older id, or falls
behind the ring, is first caught up from Redis; no entry is skipped or sent twice.
"""

import asyncio
import collections
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TypeAlias

import structlog

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.log_stream import LogStream, StoredEntry

RING = 2_000
"""Entries kept for followers."""
CATCH_UP = 500
"""Entries read at once for one who is behind."""
NO_WAIT = 0.001
"""Seconds of a blocking read; 0 would block forever."""
RETRY_SECONDS = 1.0
"""Pause after Redis did not answer."""

Order: TypeAlias = tuple[int, int]
"""A stream id as numbers, which sort as the stream does."""

log = structlog.get_logger(__name__)


class LogBroadcast:
    """The live log of one replica."""

    def __init__(self, logs: LogStream, *, failed: Callable[[], None] = lambda: None) -> None:
        self._logs = logs
        self._failed = failed
        self._ring: collections.deque[tuple[Order, StoredEntry]] = collections.deque()
        self._oldest: Order = (0, 0)
        self._last = ""
        self._news = asyncio.Event()
        self._ready = asyncio.Event()
        self._closed = False

    def __repr__(self) -> str:
        return f"<LogBroadcast {len(self._ring)} entries up to {self._last or 'nowhere'}>"

    @property
    def last_id(self) -> str:
        """Id of the newest entry seen."""
        return self._last

    async def run(self) -> None:
        """Read until closed or cancelled; when Redis is away, go on where it stopped."""
        while not self._closed:
            try:
                if not self._ready.is_set():
                    self._last = await self._logs.last_id()
                    self._oldest = _order(self._last)
                    self._ready.set()
                self._take(await self._logs.follow(self._last))
            except StoreUnavailable:
                self._failed()
                log.warning("log_fan.interrupted")
                await asyncio.sleep(RETRY_SECONDS)

    def close(self) -> None:
        """End every follower."""
        self._closed = True
        self._ready.set()
        self._wake()

    async def follow(
        self, after: str = "", *, patience: float
    ) -> AsyncGenerator[Sequence[StoredEntry], None]:
        """Yield entries after an id (empty: from now on); empty after `patience` seconds.

        Ends when the broadcast is closed. While Redis is away nothing comes.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._ready.wait()
        position = after or self._last
        while not self._closed:
            position, news = position or self._last, self._news
            batch = await self._since(position)
            if not batch:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await news.wait()
                batch = await self._since(position)
            position = batch[-1].id if batch else position
            yield batch

    async def _since(self, position: str) -> Sequence[StoredEntry]:
        """Entries after an id: from the ring, or from Redis for a follower behind it."""
        if not position:
            return []
        after = _order(position)
        if after >= self._oldest:
            return self._newer(after)
        with contextlib.suppress(StoreUnavailable):
            return await self._logs.follow(position, block=NO_WAIT, count=CATCH_UP)
        return []

    def _newer(self, after: Order) -> Sequence[StoredEntry]:
        """The ring's entries after an id, searched from its newest end."""
        newer = []
        for order, kept in reversed(self._ring):
            if order <= after:
                break
            newer.append(kept)
        newer.reverse()
        return newer

    def _take(self, entries: Sequence[StoredEntry]) -> None:
        if not entries:
            return
        self._ring.extend((_order(entry.id), entry) for entry in entries)
        self._last = entries[-1].id
        while len(self._ring) > RING:
            self._oldest, _ = self._ring.popleft()
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _order(entry_id: str) -> Order:
    """Stream ids in the order of the stream."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds or 0), int(number or 0)
