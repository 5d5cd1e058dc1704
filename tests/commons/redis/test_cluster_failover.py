"""A client of a Cluster finds the replica that took over, however its errors are told."""

import asyncio

from support.redis_clients import PATIENCE_SECONDS
from support.redis_sets import RedisShards

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, connect
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.runtime.errors import StoreUnavailable

READS = [StoredRead("settings", "all", ("HGETALL", keyspace.settings()))]


async def test_a_reader_that_gets_errors_as_replies_finds_the_heir_at_once() -> None:
    with RedisShards() as servers:
        reader = connect(servers.url, timeout=PATIENCE_SECONDS)
        other = connect(servers.url, timeout=PATIENCE_SECONDS)
        await other.hset(keyspace.settings(), "routing", '"affinity"')
        before = await read_each(reader, READS)
        servers.wait_for_replica()
        servers.kill(servers.primary)
        async with asyncio.timeout(60):
            while not await answers(other):
                await asyncio.sleep(0.1)

        assert await read_each(reader, READS) == before == [{"routing": '"affinity"'}]
        await reader.aclose()
        await other.aclose()


async def answers(client: object) -> bool:
    try:
        await ask(lambda: client.get(keyspace.settings() + ":none"))  # type: ignore[attr-defined]
    except StoreUnavailable:
        return False
    return True
