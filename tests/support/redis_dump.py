"""Everything in a Redis, for comparing before with after."""

from typing import Any

from redis.asyncio import Redis


async def dump(redis: Redis) -> dict[str, Any]:
    """Every key with its type and value, without lifetimes."""
    readers: dict[str, Any] = {
        "string": redis.get,
        "hash": redis.hgetall,
        "set": redis.smembers,
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        "list": lambda key: redis.lrange(key, 0, -1),
        "stream": redis.xrange,
    }
    found: dict[str, Any] = {}
    for key in sorted(map(str, await redis.keys("*"))):
        kind = str(await redis.type(key))
        found[key] = kind, await readers[kind](key)
    return found
