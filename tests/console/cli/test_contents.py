"""What a restore would take away is counted, whatever form it is in."""

import asyncio

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.console.cli.archive.store_records import contents
from codex_proapi.console.cli.commands import run


async def test_what_every_start_writes_is_nothing_to_lose(redis_client: Redis) -> None:
    await redis_client.hset(keyspace.settings(), "time_zone", '"UTC"')
    await redis_client.xadd(keyspace.logs(), {"entry": "x"})

    assert await contents(redis_client) == {}


async def test_packed_days_and_months_count_like_others(redis_client: Redis) -> None:
    await redis_client.sadd(keyspace.usage_subjects("2026-11-24", "key"), "k")
    for period in ("2026-11-24", "2026-11-23", "2026-11", "2025-12"):
        for kind in ("key", "model"):
            await redis_client.hset(keyspace.usage_packed(period, kind), "k", "1")

    assert await contents(redis_client) == {"day of usage": 2, "month of usage": 1}


async def test_so_does_what_the_operator_has_entered(redis_client: Redis) -> None:
    await redis_client.sadd(keyspace.admin_tokens(), "digest")
    await redis_client.hset(operator_keys.alert_destinations(), "dst_1", "{}")
    await redis_client.hset(operator_keys.prices(), "gpt-9", "{}")

    assert await contents(redis_client) == {"admin token": 1, "alert destination": 1, "price": 1}


async def test_a_store_of_packed_usage_is_not_replaced_without_a_word(
    environ: dict[str, str],
    redis_client: Redis,
    tmp_path: object,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = f"{tmp_path}/backup"
    assert await asyncio.to_thread(run, environ, ["backup", file]) == 0
    await redis_client.hset(keyspace.usage_packed("2025-12", "key"), "k", "1")

    assert await asyncio.to_thread(run, environ, ["restore", file]) == 1
    assert "the target has 1 month of usage already" in capsys.readouterr().err
    assert await redis_client.exists(keyspace.usage_packed("2025-12", "key"))
