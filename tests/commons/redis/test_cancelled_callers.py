"""Who is cancelled leaves the connections of a client as they were."""

import asyncio
from typing import Any

import pytest
from support.redis_clients import PATIENCE_SECONDS

from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.redis.scripts import Scripts


async def test_a_connection_is_returned_although_its_caller_is_cancelled_meanwhile(
    redis_url: str,
) -> None:
    client: Any = connect(redis_url, max_connections=1, timeout=PATIENCE_SECONDS)
    pool = client.connection_pool
    connection = await pool.get_connection()
    async with pool._condition:  # as others have it who take or return one
        releasing = asyncio.ensure_future(pool.release(connection))
        await asyncio.sleep(0)
        releasing.cancel()
        await asyncio.gather(releasing, return_exceptions=True)

    assert releasing.cancelled()
    assert await asyncio.wait_for(client.get("key"), PATIENCE_SECONDS) is None
    assert not pool._in_use_connections
    await client.aclose()


@pytest.mark.parametrize("way", ["command", "pipeline", "durable script"])
async def test_who_is_cancelled_wherever_it_is_leaves_no_connection_behind(
    redis_url: str, way: str
) -> None:
    async def work(client: Any) -> None:
        if way == "command":
            await client.get("lock")
        elif way == "pipeline":
            await client.pipeline(transaction=False).get("lock").get("lock").execute()
        else:
            scripts = Scripts(client, "codex_proapi.commons.redis")
            await scripts.run("release_lock", ["lock"], ["mine"], durably=True)

    for steps in range(0, 24, 2):
        client: Any = connect(redis_url, max_connections=2, timeout=PATIENCE_SECONDS)
        working = [asyncio.ensure_future(work(client)) for _ in range(3)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for each in working:
            each.cancel()
        await asyncio.gather(*working, return_exceptions=True)

        assert await asyncio.gather(*(client.get("lock") for _ in range(3))) == [None] * 3
        assert not client.connection_pool._in_use_connections, steps
        await client.aclose()
