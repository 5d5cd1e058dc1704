"""Notifies pages of changed topics; each replica checks Redis once a second for all its pages.

Only the topic is sent; the page then fetches its content as usual, with all checks.
"""

import asyncio
import contextlib
import enum
from collections.abc import AsyncGenerator

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.console.live.log_broadcast import LogBroadcast

CHECK_SECONDS = 1.0
"""Seconds between two checks, while there are followers."""

log = structlog.get_logger(__name__)


class Topic(enum.StrEnum):
    """Something pages show that may change."""

    ACCOUNTS = "accounts"
    KEYS = "keys"
    SETTINGS = "settings"
    LOGS = "logs"
    USAGE = "usage"


class Changes:
    """Reports to followers which topics have changed."""

    def __init__(self, redis: Redis, log_broadcast: LogBroadcast) -> None:
        self._redis = redis
        self._log_broadcast = log_broadcast
        self._seen: dict[Topic, object] = {}
        self._changed: dict[Topic, int] = dict.fromkeys(Topic, 0)
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._followers = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<Changes for {self._followers} followers>"

    async def run(self) -> None:
        """Check until closed or cancelled; what changes after the start is told to who follows first."""
        await self._check()
        while not self._closed:
            await self._wanted.wait()
            await self._check()
            await asyncio.sleep(CHECK_SECONDS)

    def close(self) -> None:
        """End every follower."""
        self._closed = True
        self._wake()

    async def follow(self, *, patience: float) -> AsyncGenerator[frozenset[Topic], None]:
        """Yield the topics changed since the last time; empty after `patience` seconds."""
        self._followers += 1
        self._wanted.set()
        known = dict(self._changed)
        try:
            while not self._closed:
                news = self._news
                if known == self._changed:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(patience):
                            await news.wait()
                changed = frozenset(t for t in Topic if known[t] != self._changed[t])
                known = dict(self._changed)
                yield changed
        finally:
            self._followers -= 1
            if not self._followers:
                self._wanted.clear()

    async def _check(self) -> None:
        try:
            self._compare(await self._read_topics())
        except StoreUnavailable:
            log.warning("changes.interrupted")

    async def _read_topics(self) -> dict[Topic, object]:
        reads = [
            StoredRead("value", "accounts-version", ("GET", keyspace.accounts_version())),
            StoredRead("value", "cooldowns", ("HGETALL", keyspace.cooldowns())),
            StoredRead("value", "keys-version", ("GET", keyspace.keys_version())),
            StoredRead("value", "settings", ("HGETALL", keyspace.settings())),
        ]
        accounts, cooldowns, keys, settings = await read_each(self._redis, reads)
        return {
            Topic.ACCOUNTS: (accounts, cooldowns),
            Topic.KEYS: keys,
            Topic.SETTINGS: settings,
            Topic.LOGS: self._log_broadcast.last_id,
            # Every exchange is an entry of the log, and what counts it came with it.
            Topic.USAGE: self._log_broadcast.last_id,
        }

    def _compare(self, found: dict[Topic, object]) -> None:
        unread = ""  # the log's place, until it is read
        differ = [t for t in Topic if self._seen.get(t, unread) not in (unread, found[t])]
        self._seen = found
        for topic in differ:
            self._changed[topic] += 1
        if differ:
            self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
