"""Whether the pool is short: keys on fair shares, and requests queued for a slot.

The gateways decide both; this reads what they store, tolerantly.
"""

from collections.abc import Iterable

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.fair_shares import ACTIVE_SECONDS
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import text
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """How many keys share and how many requests wait."""

    sharing: int
    """Keys that asked lately while the pool was scarce, and are held to their fair shares."""
    queued: int
    """Requests that wait for a slot."""


async def load_shortage(redis: Redis, *, now: float) -> Shortage:
    """Read it, in one round trip."""
    reads = [
        StoredRead("value", "fair-shares", ("HVALS", keyspace.fair_shares())),
        StoredRead("value", "queue", ("HVALS", keyspace.queue())),
    ]
    shares, positions = await read_each(redis, reads)
    return shortage_of(map(text, shares or ()), map(text, positions or ()), now=now)


def shortage_of(shares: Iterable[str], positions: Iterable[str], *, now: float) -> Shortage:
    """Count the entries still valid: shares by their last request, places by their end."""
    return Shortage(
        sharing=sum(_second(share) > now - ACTIVE_SECONDS for share in shares),
        queued=sum(_second(position) > now for position in positions),
    )


def _second(kept: str) -> float:
    """The second field, a time: a key's last request, or the end of a queue entry."""
    words = kept.split()
    try:
        return float(words[1])
    except (IndexError, ValueError):
        return 0.0
