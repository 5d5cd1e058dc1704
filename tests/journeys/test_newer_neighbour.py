"""A replica of a newer version beside this one: no word and no record it writes ends an answer."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.gateways import a_chat, stage

from codex_proapi.commons.cluster.live_settings import KeyPolicy, LiveSettingsStore
from codex_proapi.commons.redis import keyspace


@pytest.fixture
async def team(redis_url: str) -> AsyncIterator[Any]:
    async with stage(redis_url, "ada", "ben") as made:
        yield made


async def account_ids(team: Any) -> list[str]:
    return sorted(str(each) for each in await team.redis.smembers(keyspace.accounts()))


async def poison_cooldown(team: Any) -> None:
    far = int(time.time()) + 10**6
    body = f'{{"until": {far}, "reason": "weather", "since": 1}}'
    await team.redis.hset(keyspace.cooldowns(), "acc_elsewhere", body)


async def poison_unreadable_cooldown(team: Any) -> None:
    await team.redis.hset(keyspace.cooldowns(), "acc_elsewhere", "no JSON")


async def poison_state(team: Any) -> None:
    (first, _) = await account_ids(team)
    await team.redis.hset(keyspace.account(first), "state", "hibernating")
    await team.redis.incr(keyspace.accounts_version())


async def poison_weight(team: Any) -> None:
    (first, _) = await account_ids(team)
    await team.redis.hset(keyspace.account(first), "weight", "heavy")
    await team.redis.incr(keyspace.accounts_version())


async def poison_key(team: Any) -> None:
    key, _ = await team.make_key()
    await team.redis.hset(keyspace.key(key.id), "weight", "heavy")
    await team.redis.incr(keyspace.keys_version())


@pytest.mark.parametrize(
    "poison",
    [poison_cooldown, poison_unreadable_cooldown, poison_state, poison_weight, poison_key],
)
async def test_answers_and_background_loops_go_on(team: Any, poison: Any) -> None:
    _, secret = await team.make_key()
    ask = {"json": a_chat(), "headers": {"authorization": f"Bearer {secret}"}}
    url = team.replicas[0].url
    assert (await team.client.post(f"{url}/v1/chat/completions", **ask)).status_code == 200

    await poison(team)

    for _ in range(4):
        assert (await team.client.post(f"{url}/v1/chat/completions", **ask)).status_code == 200
    await LiveSettingsStore(team.redis).change({"api_key_policy": KeyPolicy.REQUIRED})
    gateway = team.replicas[0].gateway
    await team.until(lambda: gateway.stores.authenticator.policy is KeyPolicy.REQUIRED)
    assert set(gateway.tasks.failures.values()) == {0}
    assert (await team.client.get(f"{url}/readyz")).status_code == 200
