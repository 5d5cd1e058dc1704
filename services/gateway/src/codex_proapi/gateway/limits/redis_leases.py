"""Leases in Redis: members of a sorted set, scored with their expiry, renewed while they are held.

A dead replica does not renew, so its leases expire. Leases are acquired by the scripts that enforce
the limits; this module renews and releases them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable

RENEW_SECONDS: Final = 15.0
"""Seconds between two renewals; two may fail before a lease expires."""

log = structlog.get_logger(__name__)


class RedisLeases:
    """Renews and releases the leases of one replica.

    Args:
        redis: Where the sets are.
        clock: Seconds since the epoch, by Redis' clock.
        seconds: How long a lease lasts without being renewed.
        kept: Lifetime of a set that nobody renews, in seconds.
    """

    def __init__(
        self, redis: Redis, *, clock: Callable[[], float], seconds: float, kept: int
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._seconds = seconds
        self._kept = kept

    def __repr__(self) -> str:
        return f"<RedisLeases of {self._seconds} s>"

    async def renew(self, held: Mapping[str, Iterable[str]]) -> None:
        """Renew members, by the key of their set; members no longer in it are not added again.

        Raises StoreUnavailable.
        """
        until = self._clock() + self._seconds
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for key, members in held.items():
                pipe.zadd(key, dict.fromkeys(members, until), xx=True)
                pipe.expire(key, self._kept)
            await pipe.execute()

    async def release(self, key: str, member: str) -> None:
        """Release one lease. Raises StoreUnavailable; it then expires."""
        with mapped():
            await self._redis.zrem(key, member)


async def renew_regularly(
    renew: Callable[[], Awaitable[None]],
    *,
    event: str,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Renew until cancelled; `event` is logged when Redis is away."""
    while True:
        await sleep(RENEW_SECONDS)
        try:
            await renew()
        except StoreUnavailable as error:
            log.debug(event, error=str(error))
