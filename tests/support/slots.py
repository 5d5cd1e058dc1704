"""What Redis holds of the slots of accounts."""

from typing import Any

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace

MARK = "counted"
"""The member beside the slots that tells that their counts are right."""


async def slots_in_use(redis: Redis) -> dict[str, float]:
    """The slots `account request key`, with the end of their lease."""
    found: Any = await redis.zrange(keyspace.slots(), 0, -1, withscores=True)
    return {slot: until for slot, until in found if slot != MARK}
