"""A process that is too old for what is stored does not serve, and says so in one sentence."""

import asyncio

import pytest
from redis.asyncio import Redis
from support.redis_server import RedisServer

from codex_proapi.commons.cluster.schema import LEAST, SCHEMA, SchemaTooOld, SchemaVersion
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import StoreUnavailable


async def test_the_first_process_writes_the_version_and_others_leave_it(
    redis_client: Redis,
) -> None:
    first = SchemaVersion(redis_client)
    await first.check()
    await SchemaVersion(redis_client).check()

    assert first.checked
    assert await redis_client.hgetall(keyspace.schema()) == {
        "version": str(SCHEMA),
        "least": str(LEAST),
    }


async def test_a_newer_version_raises_it_and_an_older_one_may_run_beside_if_it_is_not_too_old(
    redis_client: Redis,
) -> None:
    await SchemaVersion(redis_client, schema=4, least=2).check()
    await SchemaVersion(redis_client, schema=5, least=3).check()
    await SchemaVersion(redis_client, schema=3, least=1).check()

    assert await redis_client.hgetall(keyspace.schema()) == {"version": "5", "least": "3"}
    old = SchemaVersion(redis_client, schema=2, least=1)
    with pytest.raises(SchemaTooOld, match=r"needs version 3 or newer: upgrade this process\.$"):
        await old.check()
    assert not old.checked


@pytest.mark.parametrize("least", ["next", "", "2.x"])
async def test_what_cannot_be_read_is_newer(redis_client: Redis, least: str) -> None:
    await redis_client.hset(keyspace.schema(), mapping={"version": "1", "least": least})

    with pytest.raises(SchemaTooOld):
        await SchemaVersion(redis_client).check()


async def test_while_redis_is_away_it_is_looked_at_as_soon_as_it_returns() -> None:
    with RedisServer() as server:
        client, schema = connect(server.url), None
        await client.hset(keyspace.schema(), mapping={"version": "9", "least": "9"})
        await client.save()
        server.kill()
        schema = SchemaVersion(client)
        with pytest.raises(StoreUnavailable):
            await schema.check()
        found: list[SchemaTooOld] = []
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 2:
                server.start()
            await asyncio.sleep(0)

        await schema.run(found.append, sleep)

        assert len(found) == 1
        assert len(slept) >= 2
        await client.aclose()
