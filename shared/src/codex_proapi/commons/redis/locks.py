"""Locks in Redis: one owner among all replicas, for as long as the owner lives and renews.

A lock only avoids double work. It is no proof of ownership: whoever writes afterwards compares the
generation of what it replaces.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks

log = structlog.get_logger(__name__)


class Locks:
    """Acquires locks of one kind."""

    def __init__(self, redis: Redis, key: Callable[[str], str], *, seconds: int) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)
        self._key = key
        self._seconds = seconds

    def __repr__(self) -> str:
        return f"<Locks {self._key('…')} for {self._seconds} s>"

    @contextlib.asynccontextmanager
    async def acquire(self, name: str) -> AsyncIterator[bool]:
        """Try once to acquire a lock, renewed while the block runs; yields success."""
        key, owner = self._key(name), secrets.token_hex(16)
        with mapped():
            taken = bool(await self._redis.set(key, owner, nx=True, ex=self._seconds))
        if not taken:
            yield False
            return
        released = asyncio.Event()
        async with Tasks() as tasks:
            renewals = tasks.start(self._renew(key, owner, released), name=f"renew {name}")
            try:
                yield True
            finally:
                # A renewal under way would take the lock again after its release.
                released.set()
                await asyncio.wait((renewals,))
                with contextlib.suppress(StoreUnavailable):  # it ends by itself
                    await self._scripts.repeat("release_lock", [key], [owner])

    async def _renew(self, key: str, owner: str, released: asyncio.Event) -> None:
        """Renew the lock until it is released, and take it again if Redis lost it."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(released.wait(), self._seconds / 3)
            if released.is_set():
                return
            try:
                kept = await self._scripts.repeat("renew_lock", [key], [owner, self._seconds])
            except StoreUnavailable:
                continue
            if not kept:
                log.warning("lock.lost", lock=key)
