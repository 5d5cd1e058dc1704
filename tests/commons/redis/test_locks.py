"""One owner among all replicas, for as long as the owner lives."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.redis.locks import Locks
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import StoreUnavailable


def locks_on(redis: Redis, seconds: int = 30) -> Locks:
    return Locks(redis, keyspace.refresh_lock, seconds=seconds)


async def test_one_holds_and_the_other_is_told_so(redis_client: Redis) -> None:
    locks = locks_on(redis_client)

    async with (
        locks.acquire("a") as first,
        locks.acquire("a") as second,
        locks.acquire("b") as other,
    ):
        assert (first, second, other) == (True, False, True)
    async with locks.acquire("a") as again:
        assert again


async def test_the_lock_ends_by_itself_when_its_owner_dies(redis_client: Redis) -> None:
    async with locks_on(redis_client, 30).acquire("a"):
        assert 0 < await redis_client.ttl(keyspace.refresh_lock("a")) <= 30


async def test_the_lock_outlives_its_lifetime_while_the_block_runs(redis_client: Redis) -> None:
    key = keyspace.refresh_lock("a")
    async with locks_on(redis_client, 6).acquire("a"):
        owner = await redis_client.get(key)
        left, renewals = await redis_client.pttl(key), 0
        while renewals < 2:
            await asyncio.sleep(0.05)
            left, before = await redis_client.pttl(key), left
            renewals += left > before
            assert await redis_client.get(key) == owner
    assert await redis_client.get(key) is None


async def test_a_lock_taken_over_by_another_is_neither_renewed_nor_released(
    redis_client: Redis,
) -> None:
    key = keyspace.refresh_lock("a")
    async with locks_on(redis_client, 1).acquire("a"):
        await redis_client.set(key, "somebody else", ex=30)
        await asyncio.sleep(0.5)
    assert await redis_client.get(key) == "somebody else"


async def test_the_lock_is_released_when_the_block_fails(redis_client: Redis) -> None:
    with pytest.raises(ValueError, match="no"):
        async with locks_on(redis_client).acquire("a"):
            raise ValueError("no")
    assert await redis_client.exists(keyspace.refresh_lock("a")) == 0


async def test_without_redis_there_is_no_lock() -> None:
    nowhere = connect("unix:///nowhere")
    with pytest.raises(StoreUnavailable):
        async with locks_on(nowhere).acquire("a"):
            pass
    await nowhere.aclose()
    assert repr(locks_on(nowhere)) == "<Locks {codex-proapi}:refresh-lock:… for 30 s>"


async def test_a_renewal_under_way_does_not_take_the_released_lock_again(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent to Redis arrives there, whether its sender is cancelled or not."""
    sent, arrives = asyncio.Event(), asyncio.Event()
    on_the_way: list[asyncio.Future[Any]] = []
    run = Scripts.repeat

    async def slowly(scripts: Scripts, name: str, *arguments: Any) -> Any:
        async def arrive() -> Any:
            await arrives.wait()
            return await run(scripts, name, *arguments)

        if name != "renew_lock":
            return await run(scripts, name, *arguments)
        on_the_way.append(asyncio.ensure_future(arrive()))
        sent.set()
        return await asyncio.shield(on_the_way[0])

    monkeypatch.setattr(Scripts, "repeat", slowly)
    async with locks_on(redis_client, 1).acquire("a"):
        await sent.wait()
        asyncio.get_running_loop().call_later(0.05, arrives.set)
    await on_the_way[0]

    assert await redis_client.exists(keyspace.refresh_lock("a")) == 0
