"""Rate limits on sign-in attempts: for each address and for the administrator as a whole.

Each attempt is counted before the password is checked, so concurrency gains nothing; a success
resets its address. Several windows apply: five attempts a minute, then limits for a quarter of an
hour and a day. The limits for the administrator as a whole bind strangers only: a browser that has
signed in before (`known_browsers`) is counted by itself, so nobody else can lock its owner out.
"""

import ipaddress
import math
import time
from collections.abc import Sequence
from typing import Any, cast

from limits import RateLimitItem, parse_many
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped
from codex_proapi.console.errors import TooMany

PER_ADDRESS = "5/minute; 10/15 minute; 30/day"
"""Limits of attempts from one address."""
OWNER_CHANGES = "30/minute; 300/day"
"""Limits of what one owner of accounts may change: each change is a record of the audit."""
OWNER_LOOKUPS = "30/minute; 1000/day"
"""Limits of what one owner may have OpenAI asked: his saved resets, whose a token is."""
ALTOGETHER = "60/minute; 300/hour"
"""Limits of attempts from all addresses together, without known browsers."""
NEWS = 20
"""Refusals per hour of all addresses that are reported one by one."""


class Attempts:
    """Counts tries on all replicas together."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._limiter = FixedWindowRateLimiter(_storage(redis))
        self._each = parse_many(PER_ADDRESS)
        self._all = parse_many(ALTOGETHER)
        self._changes = parse_many(OWNER_CHANGES)
        self._lookups = parse_many(OWNER_LOOKUPS)

    def __repr__(self) -> str:
        return f"<Attempts {PER_ADDRESS}>"

    async def count(self, what: str, *, ip: str, browser: str = "", guessable: bool = True) -> None:
        """Count one attempt; raises TooMany with the seconds to wait.

        Args:
            what: What is tried.
            ip: Address of who tries.
            browser: Id of a known browser: it is counted by itself, whatever strangers do.
            guessable: Whether guessing could succeed. A random token of 256 bits cannot be guessed:
                the limits over all addresses would only let strangers keep its owner out.
        """
        whom = f"browser {browser}" if browser else _network(ip)
        limits = [(limit, whom) for limit in self._each]
        if guessable and not browser:
            limits += [(limit, "all") for limit in self._all]
        with mapped():
            for limit, each in limits:
                if not await self._limiter.hit(limit, what, each):
                    raise TooMany(retry_after=await self._wait(limit, what, each))

    async def count_change(self, owner_id: str) -> None:
        """Count one change by an owner of accounts; raises TooMany with the seconds to wait."""
        await self._count_of_owner(self._changes, "owner_change", owner_id)

    async def count_lookup(self, owner_id: str) -> None:
        """Count one question to OpenAI for an owner; raises TooMany with the seconds to wait."""
        await self._count_of_owner(self._lookups, "owner_lookup", owner_id)

    async def _count_of_owner(
        self, limits: Sequence[RateLimitItem], what: str, owner_id: str
    ) -> None:
        with mapped():
            for limit in limits:
                if not await self._limiter.hit(limit, what, owner_id):
                    raise TooMany(retry_after=await self._wait(limit, what, owner_id))

    async def forgive(self, what: str, *, ip: str, browser: str = "") -> None:
        """Reset an address, or a known browser, after a success."""
        whom = f"browser {browser}" if browser else _network(ip)
        with mapped():
            for limit in self._each:
                await self._limiter.clear(limit, what, whom)

    async def refused(self, what: str, *, ip: str) -> int:
        """Count a refused attempt of this hour; returns how many it was, or 0 if it adds no news.

        So strangers cannot fill the audit: of an address the 1st, 10th, 100th … refusal of an hour
        is news, and of all addresses together each of the first NEWS, then the 100th, 1000th ….
        """
        hour = int(time.time() // 3600)
        names = [
            f"{keyspace.attempts()}:refused:{what}:{whom}:{hour}" for whom in (_network(ip), "all")
        ]
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.incr(name)
                pipe.expire(name, 3600)
            of_address, _, of_all, _ = await pipe.execute()
        if of_all <= NEWS:
            return int(of_address) if _is_power_of_ten(of_address) else 0
        return int(of_all) if _is_power_of_ten(of_all) else 0

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


def _is_power_of_ten(count: int) -> bool:
    return str(count).strip("0") == "1"


def _network(ip: str) -> str:
    """The network an address is counted as: an IPv6 subscriber has a whole /64."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip[:64] or "unknown"
    if address.version == 4:  # noqa: PLR2004 - the protocol's number
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)
