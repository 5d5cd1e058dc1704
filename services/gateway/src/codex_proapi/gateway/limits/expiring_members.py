"""Members of sorted sets in Redis that expire unless they are renewed, each scored with its expiry.

Both kinds of bounded concurrency are kept so: the stream permits of keys and the concurrency slots
of accounts. A dead replica does not renew, so its members expire. They are added by the scripts that
enforce the limits; this module renews and removes them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection, executor
from codex_proapi.commons.runtime.errors import StoreUnavailable

RENEW_SECONDS: Final = 15.0
"""Seconds between two renewals; two may fail before a member expires."""

log = structlog.get_logger(__name__)


class ExpiringMembers:
    """Renews and removes the members that one replica holds.

    Args:
        redis: where the sets are.
        connection: a multiplexed connection for single commands.
        clock: seconds since the epoch, by Redis' clock.
        seconds: how long a member lasts without being renewed.
        kept: lifetime of a set that nobody renews, in seconds.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        connection: MultiplexedConnection | None,
        clock: Callable[[], float],
        seconds: float,
        kept: int,
    ) -> None:
        self._redis = redis
        self._execute = executor(redis, connection)
        self._clock = clock
        self._seconds = seconds
        self._kept = kept

    def __repr__(self) -> str:
        return f"<ExpiringMembers of {self._seconds} s>"

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

    def remove(self, key: str, *members: str) -> Awaitable[object]:
        """Remove members. Raises one of REDIS_ERRORS; they then expire."""
        return self._execute("ZREM", key, *members)


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
