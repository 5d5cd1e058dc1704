"""The roll-up: one console of all packs old usage once an hour (`commons.usage.packing`)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.locks import Locks
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.calendar import calendar_of
from codex_proapi.commons.usage.packing import Retention, UsagePacker

ROUND_SECONDS: Final = 3600.0
"""Seconds between two rounds."""
FIRST_SECONDS: Final = 60.0
"""Seconds before a process' first round: an upgrade of all replicas may be under way."""

log = structlog.get_logger(__name__)


class UsageRollUp:
    """Packs what is old, if no other one does.

    Args:
        redis: Where the counters are.
        version: This process' version; nothing is packed beside a replica of another one, which
            may not be able to read it.
    """

    def __init__(self, redis: Redis, *, version: str) -> None:
        self._packer = UsagePacker(redis)
        self._locks = Locks(
            redis, lambda _: keyspace.usage_roll_up(), seconds=keyspace.ROLL_UP_SECONDS
        )
        self._live_settings = LiveSettingsStore(redis)
        self._replicas = ReplicaStore(redis)
        self._version = version

    def __repr__(self) -> str:
        return f"<UsageRollUp of version {self._version}>"

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Do a round once an hour until cancelled."""
        await sleep(FIRST_SECONDS)
        while True:
            try:
                await self.round()
            except StoreUnavailable as error:
                log.debug("usage.roll_up_waited", error=str(error))
            await sleep(ROUND_SECONDS)

    async def round(self) -> int:
        """Pack what is old; gives how many hashes were moved. Raises StoreUnavailable."""
        if any(each.version != self._version for each in await self._replicas.all()):
            return 0
        async with self._locks.acquire("usage") as ours:
            if not ours:
                return 0
            live = await self._live_settings.read()
            moved = await self._packer.pack(
                Retention(days=live.usage_days, months=live.usage_months),
                now=await self._replicas.now(),
                calendar=calendar_of(live.time_zone),
            )
        if moved:
            log.info("usage.rolled_up", hashes=moved)
        return moved
