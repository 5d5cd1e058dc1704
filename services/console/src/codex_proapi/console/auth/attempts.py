"""Rate limits on sign-in attempts: for each address and for the administrator as a whole.

Each attempt is counted before the password is checked, so concurrency gains nothing; a success
resets its address. Several windows apply: five attempts a minute, then limits for a quarter of an
hour and a day. The limits for the administrator as a whole are wide, so that attempts from many
addresses do not lock the owner out for long.
"""

import ipaddress
import math
import time
from typing import Any, cast

from limits import RateLimitItem, parse_many
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped
from codex_proapi.console.errors import TooMany

PER_ADDRESS = "5/minute; 10/15 minute; 30/day"
"""Tries from one address."""
ALTOGETHER = "60/minute; 300/hour"
"""Tries from all addresses together."""


class Attempts:
    """Counts tries on all replicas together."""

    def __init__(self, redis: Redis) -> None:
        self._limiter = FixedWindowRateLimiter(_storage(redis))
        self._each = parse_many(PER_ADDRESS)
        self._all = parse_many(ALTOGETHER)

    def __repr__(self) -> str:
        return f"<Attempts {PER_ADDRESS}>"

    async def count(self, what: str, *, ip: str) -> None:
        """Count one attempt; raises TooMany with the seconds to wait."""
        address = _network(ip)
        with mapped():
            for limit in (*self._each, *self._all):
                whom = (what, address) if limit in self._each else (what, "all")
                if not await self._limiter.hit(limit, *whom):
                    raise TooMany(retry_after=await self._wait(limit, *whom))

    async def forgive(self, what: str, *, ip: str) -> None:
        """Reset an address after a success."""
        with mapped():
            for limit in self._each:
                await self._limiter.clear(limit, what, _network(ip))

    async def _wait(self, limit: RateLimitItem, *whom: str) -> int:
        stats = await self._limiter.get_window_stats(limit, *whom)
        return max(1, math.ceil(stats.reset_time - time.time()))


def _storage(redis: Redis) -> RedisStorage:
    """The limits library's storage on our own client: Sentinel, Cluster and sockets work."""
    storage = RedisStorage(
        "async+redis://localhost:6379", implementation="redispy", key_prefix=keyspace.attempts()
    )
    bridge = cast("Any", storage.bridge)
    bridge.storage = redis
    bridge.connection_getter = lambda _readonly: redis
    bridge.register_scripts()
    return storage


def _network(ip: str) -> str:
    """The network an address is counted as: an IPv6 subscriber has a whole /64."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip[:64] or "unknown"
    if address.version == 4:  # noqa: PLR2004 - the protocol's number
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)
