"""The scripts of stored responses where Redis holds something else than they wrote."""

from typing import Any

import pytest
from redis.asyncio import Redis
from support.redis_dump import dump
from support.stored_nodes import KEY, NOW, response_of, sums_are_exact

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.exchange.stored_responses import ResponseStore

HISTORY = [b'{"id":"msg_1"}']
NAMES = [
    keyspace.stored("key_1"),
    keyspace.stored_times("key_1"),
    keyspace.stored_times_of_all(),
    keyspace.stored_bytes(),
]


@pytest.fixture
def responses(redis_client: Redis) -> ResponseStore:
    return ResponseStore(redis_client, CredentialCipher([KEY]))


async def keep(responses: ResponseStore, number: int, key_id: str = "key_1") -> bool:
    history = [*HISTORY, *(b'{"id":"more_%d"}' % n for n in range(number))]
    return await responses.keep(
        key_id, f"resp_{number}", history, response=response_of(), now=NOW + number
    )


@pytest.mark.parametrize("name", NAMES)
async def test_a_key_of_another_type_changes_nothing(
    responses: ResponseStore, redis_client: Redis, name: str
) -> None:
    await keep(responses, 0)
    await redis_client.delete(name)
    await redis_client.set(name, "poison")
    before = await dump(redis_client)

    with pytest.raises(StoreUnavailable):
        await keep(responses, 1)

    assert await dump(redis_client) == before


@pytest.mark.parametrize("name", NAMES[1:])
async def test_a_deletion_that_meets_a_key_of_another_type_changes_nothing(
    responses: ResponseStore, redis_client: Redis, name: str
) -> None:
    await keep(responses, 0)
    await redis_client.delete(name)
    await redis_client.set(name, "poison")
    before = await dump(redis_client)

    with pytest.raises(StoreUnavailable):
        await responses.delete("key_1", "resp_0")

    assert await dump(redis_client) == before


@pytest.mark.parametrize("other", NAMES[:2])
async def test_another_keys_poison_does_not_stop_what_has_to_make_room(
    responses: ResponseStore, redis_client: Redis, other: str
) -> None:
    await keep(responses, 0)
    await keep(responses, 1)
    await redis_client.delete(other)
    await redis_client.set(other, "poison")
    later = NOW + keyspace.RESPONSE_SECONDS + 10

    assert await responses.keep("key_2", "r", HISTORY, response=response_of(), now=later)

    assert set(await sums_are_exact(redis_client)) == {"all", "key:key_2"}
    assert await keep(responses, 2)


@pytest.mark.parametrize("poison", ["no JSON", "[]", "7", '{"parent":"","items":{}}', "null"])
async def test_a_part_that_cannot_be_read_makes_its_responses_missing_and_nothing_else(
    responses: ResponseStore, redis_client: Redis, poison: str
) -> None:
    await keep(responses, 0)
    await keep(responses, 1)
    fields: Any = await redis_client.hgetall(NAMES[0])
    (longer,) = [
        name
        for name, value in fields.items()
        if name.startswith("node:history") and '"parent":"history' in value
    ]
    await redis_client.hset(NAMES[0], longer, poison)

    assert await responses.get("key_1", "resp_0") is not None
    if "parent" not in poison:
        assert await responses.get("key_1", "resp_1") is None
    assert await keep(responses, 3)
    assert await responses.get("key_1", "resp_3") is not None
    for number in (0, 1, 3):
        assert await responses.delete("key_1", f"resp_{number}")
    assert not await redis_client.exists(*NAMES[:2])
    assert await sums_are_exact(redis_client) == {}


@pytest.mark.parametrize("poison", ["no number", "-5", "1e999"])
async def test_a_sum_that_is_no_number_is_counted_anew(
    responses: ResponseStore, redis_client: Redis, poison: str
) -> None:
    await keep(responses, 0)
    await redis_client.hset(NAMES[3], "key:key_1", poison)
    await redis_client.hset(NAMES[3], "all", poison)

    await keep(responses, 1)
    assert await keep(responses, 2)

    for number in range(3):
        await responses.delete("key_1", f"resp_{number}")
    assert await sums_are_exact(redis_client) == {}
    assert await keep(responses, 4)
    await sums_are_exact(redis_client)


async def test_a_member_that_names_no_response_goes(
    responses: ResponseStore, redis_client: Redis
) -> None:
    await redis_client.zadd(keyspace.stored_times_of_all(), {"poison": NOW - 10 * keyspace.DAY})

    assert await keep(responses, 1)

    assert await redis_client.zcard(keyspace.stored_times_of_all()) == 1
