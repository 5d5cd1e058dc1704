"""Leases in Redis: members of a sorted set, each with the time it ends, renewed while it is held.

A replica that dies renews nothing, so what it held is free again when its leases end. Taking one is
the business of the script that decides who may; here they are renewed and given back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable

RENEW_SECONDS: Final = 15.0
"""Time between two renewals: two may be missed before a lease is lost."""

log = structlog.get_logger(__name__)


class RedisLeases:
    """Renews and gives back the leases of one replica.

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
        """Renew members, by the key of their set. Raises StoreUnavailable.

        Only who is there: a lease given back meanwhile must not come again.
        """
        until = self._clock() + self._seconds
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for key, members in held.items():
                pipe.zadd(key, dict.fromkeys(members, until), xx=True)
                pipe.expire(key, self._kept)
            await pipe.execute()

    async def release(self, key: str, member: str) -> None:
        """Give one back. Raises StoreUnavailable; it then ends by itself."""
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
