"""The roll-up: by one console of all, not beside another version, by the live settings."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis
from support.exchanges import a_record
from support.usage import WrittenUsage

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.cluster.usage_roll_up import UsageRollUp
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.calendar import UTC


@pytest.fixture
async def old_day(redis_client: Redis) -> str:
    """A day with usage, 60 days ago by Redis' clock."""
    at = await ReplicaStore(redis_client).now() - 60 * keyspace.DAY
    usage = WrittenUsage(redis_client)
    await usage.add([msgspec.structs.replace(a_record(n), at=at) for n in range(1, 3)])
    return UTC.day_of(at)


async def test_a_round_packs_what_is_old(redis_client: Redis, old_day: str) -> None:
    roll_up = UsageRollUp(redis_client, version="1")

    # A hash of each key, of its models, of each account, of the model.
    assert await roll_up.round() == 2 + 2 + 2 + 1
    assert await redis_client.exists(keyspace.usage_packed(old_day, "key")) == 1
    assert await redis_client.exists(keyspace.usage_roll_up()) == 0
    assert await roll_up.round() == 0


async def test_only_one_does_it(redis_client: Redis, old_day: str) -> None:
    await redis_client.set(keyspace.usage_roll_up(), "another", ex=60)

    assert await UsageRollUp(redis_client, version="1").round() == 0
    assert await redis_client.exists(keyspace.usage_packed(old_day, "key")) == 0


async def test_nothing_is_packed_beside_a_replica_of_another_version(
    redis_client: Redis, old_day: str
) -> None:
    replicas = ReplicaStore(redis_client)
    old, new = (Replica(id=v, service="gateway", started_at=1, version=v) for v in ("1", "2"))
    await replicas.beat(old)
    await replicas.beat(new)

    assert await UsageRollUp(redis_client, version="2").round() == 0
    assert await redis_client.exists(keyspace.usage_packed(old_day, "key")) == 0

    await replicas.leave(old)
    assert await UsageRollUp(redis_client, version="2").round() > 0


async def test_the_settings_say_how_long(redis_client: Redis, old_day: str) -> None:
    await LiveSettingsStore(redis_client).change({"usage_days": 50, "usage_months": 4})

    await UsageRollUp(redis_client, version="1").round()

    assert await redis_client.exists(keyspace.usage_packed(old_day, "key")) == 0
    month = await redis_client.ttl(keyspace.usage_packed(old_day[:7], "key"))
    assert 0 < int(month) <= 125 * keyspace.DAY


async def test_it_goes_on_where_redis_was_away(redis_client: Redis, old_day: str) -> None:
    roll_up, waits = UsageRollUp(redis_client, version="1"), 0
    rounds: list[int] = []
    usual = roll_up.round

    async def round_() -> int:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise StoreUnavailable("away")
        return await usual()

    async def sleep(_seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 3:  # before the first round, after it, after the second
            raise asyncio.CancelledError

    roll_up.round = round_  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await roll_up.run(sleep)
    assert await redis_client.exists(keyspace.usage_packed(old_day, "key")) == 1


async def test_values_of_another_type_hide_no_other_day(redis_client: Redis, old_day: str) -> None:
    await redis_client.set(keyspace.usage_packed(old_day, "account"), "no hash")
    await redis_client.delete(keyspace.usage_subjects(old_day, "model"))
    await redis_client.set(keyspace.usage_subjects(old_day, "model"), "no set")

    assert await UsageRollUp(redis_client, version="1").round() == 2 + 2
