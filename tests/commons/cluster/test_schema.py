"""A process that is too old for what is stored does not serve, and says so in one sentence."""

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.cluster.schema import LEAST, SCHEMA, SchemaTooOld, SchemaVersion
from codex_proapi.commons.redis import keyspace


async def test_the_first_process_writes_the_version_and_others_leave_it(
    redis_client: Redis,
) -> None:
    await SchemaVersion(redis_client).check()
    await SchemaVersion(redis_client).check()

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


@pytest.mark.parametrize("least", ["next", "", "2.x"])
async def test_what_cannot_be_read_is_newer(redis_client: Redis, least: str) -> None:
    await redis_client.hset(keyspace.schema(), mapping={"version": "1", "least": least})

    with pytest.raises(SchemaTooOld):
        await SchemaVersion(redis_client).check()
