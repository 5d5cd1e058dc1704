"""Stored responses: sealed, apart for each key, expiring and bounded."""

import json
import os
from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.exchange import stored_responses
from codex_proapi.gateway.exchange.stored_responses import MOST_BYTES, MOST_RESPONSES, ResponseStore

KEY = Fernet.generate_key().decode()
NOW = 1_795_000_000.0
ITEMS = [b'{"type":"message","id":"msg_1","content":"canary"}', b'{"type":"reasoning","id":"rs_1"}']


@pytest.fixture
def responses(redis_client: Redis) -> ResponseStore:
    return ResponseStore(redis_client, CredentialCipher([KEY]))


async def test_a_response_comes_back_byte_for_byte(responses: ResponseStore) -> None:
    assert await responses.keep("key_1", "resp_1", ITEMS, now=NOW)

    assert await responses.response("key_1", "resp_1") == ITEMS
    assert await responses.item("key_1", "rs_1") == ITEMS[1]


async def test_another_key_finds_nothing(responses: ResponseStore) -> None:
    await responses.keep("key_1", "resp_1", ITEMS, now=NOW)

    assert await responses.response("key_2", "resp_1") is None
    assert await responses.item("key_2", "rs_1") is None
    assert await responses.response("key_1", "resp_0") is None
    assert await responses.item("key_1", "msg_0") is None


async def test_items_without_an_id_are_kept_and_can_not_be_referred_to(
    responses: ResponseStore,
) -> None:
    items = [b'{"type":"function_call_output"}', b'{"id":7}', b'{"id":null}']

    await responses.keep("key_1", "resp_1", items, now=NOW)

    assert await responses.response("key_1", "resp_1") == items


async def test_everything_expires_and_nothing_is_readable_at_rest(
    responses: ResponseStore, redis_client: Redis
) -> None:
    await responses.keep("key_1", "resp_1", ITEMS, now=NOW)

    names = await redis_client.keys("*")
    assert len(names) == 6
    for name in names:
        assert 0 < await redis_client.ttl(name) <= keyspace.RESPONSE_SECONDS
    sealed = await redis_client.get(keyspace.response("key_1", "resp_1"))
    assert "canary" not in str(sealed)


async def test_a_large_conversation_is_kept_and_one_too_large_is_not(
    responses: ResponseStore,
) -> None:
    large = [b'{"id":"msg_1","content":"%s"}' % (b"x" * (MOST_BYTES - 100))]
    too_large = [b'{"id":"msg_1","content":"%s"}' % (b"x" * MOST_BYTES)]

    assert await responses.keep("key_1", "resp_1", large, now=NOW)
    assert not await responses.keep("key_1", "resp_2", too_large, now=NOW)

    assert await responses.response("key_1", "resp_1") == large
    assert await responses.response("key_1", "resp_2") is None


async def test_the_oldest_response_of_a_key_goes_first(
    responses: ResponseStore, redis_client: Redis
) -> None:
    for number in range(MOST_RESPONSES + 2):
        await responses.keep("key_1", f"resp_{number}", [b"{}"], now=NOW + number)
    await responses.keep("key_2", "resp_0", [b"{}"], now=NOW)

    assert await responses.response("key_1", "resp_0") is None
    assert await responses.response("key_1", "resp_1") is None
    assert await responses.response("key_1", "resp_2") == [b"{}"]
    assert await responses.response("key_2", "resp_0") == [b"{}"]
    assert await redis_client.zcard(keyspace.responses_of_key("key_1")) == MOST_RESPONSES


async def test_without_its_encryption_key_a_response_is_gone(
    responses: ResponseStore, redis_client: Redis
) -> None:
    await responses.keep("key_1", "resp_1", ITEMS, now=NOW)
    other = ResponseStore(redis_client, CredentialCipher([Fernet.generate_key().decode()]))

    assert await other.response("key_1", "resp_1") is None
    assert await other.item("key_1", "rs_1") is None
    assert repr(other) == "<ResponseStore>"


async def test_of_many_references_each_response_is_opened_once(
    responses: ResponseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [b'{"id":"msg_%d"}' % number for number in range(50)]
    await responses.keep("key_1", "resp_1", items[:25], now=NOW)
    await responses.keep("key_1", "resp_2", items[25:], now=NOW)
    opened: list[Any] = []
    unseal = responses._open

    def counted(sealed: Any) -> Any:
        opened.append(sealed)
        return unseal(sealed)

    monkeypatch.setattr(responses, "_open", counted)

    found = await responses.items("key_1", [f"msg_{n}" for n in range(60)] * 3)

    assert found == {f"msg_{number}": item for number, item in enumerate(items)}
    assert len(opened) == 2
    assert await responses.items("key_1", []) == {}


async def test_references_are_bounded(
    responses: ResponseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        await responses.keep("key_1", f"resp_{number}", [b'{"id":"msg_%d"}' % number], now=NOW)
    ids = [f"msg_{number}" for number in range(4)]

    monkeypatch.setattr(stored_responses, "MOST_REFERENCES", 3)
    assert sorted(await responses.items("key_1", ids)) == ids[:3]
    monkeypatch.setattr(stored_responses, "MOST_FOUND_BYTES", 250)
    assert 0 < len(await responses.items("key_1", ids)) < 3


async def sizes(redis: Redis) -> dict[str, str]:
    found: Any = await redis.hgetall(keyspace.response_sizes())
    return dict(found)


@pytest.mark.parametrize("key_id", ["key_1", ""])
async def test_beyond_its_bytes_a_keys_oldest_responses_go_with_their_pointers(
    responses: ResponseStore,
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
    key_id: str,
) -> None:
    monkeypatch.setattr(stored_responses, "MOST_KEY_BYTES", 1000)
    for number in range(12):
        body = b'{"id":"msg_%d","content":"%s"}' % (number, os.urandom(60).hex().encode())
        assert await responses.keep(key_id, f"resp_{number}", [body], now=NOW + number)
    await responses.keep("key_2", "resp_0", [b"{}"], now=NOW)

    left = [n for n in range(12) if await responses.response(key_id, f"resp_{n}") is not None]
    assert left == list(range(left[0], 12))
    assert 1 <= len(left) < 12
    pointers = await redis_client.keys(keyspace.response_item(key_id, "*"))
    assert len(pointers) == len(left)
    kept = await sizes(redis_client)
    own = [int(v.split()[0]) for name, v in kept.items() if name.startswith(f"{key_id} ")]
    assert sum(own) == int(kept[f"+key:{key_id}"]) <= 1000
    assert int(kept["+"]) == sum(own) + int(kept["+key:key_2"])


async def test_beyond_the_bytes_of_all_the_oldest_response_of_anybody_goes(
    responses: ResponseStore, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_responses, "MOST_ALL_BYTES", 1000)
    for number in range(12):
        await responses.keep(f"key_{number % 3}", f"resp_{number}", ITEMS, now=NOW + number)

    assert await responses.response("key_0", "resp_0") is None
    assert await responses.response("key_2", "resp_11") is not None
    assert int((await sizes(redis_client))["+"]) <= 1000


async def test_pointers_count_and_are_bounded(
    responses: ResponseStore, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of small items compress to little, but each of their pointers is a key of Redis."""
    monkeypatch.setattr(stored_responses, "MOST_POINTERS", 20)
    monkeypatch.setattr(stored_responses, "MOST_KEY_BYTES", 20_000)
    for number in range(10):
        items = [b'{"id":"m_%d_%d"}' % (number, item) for item in range(50)]
        assert await responses.keep("key_1", f"resp_{number}", [*items, items[0]], now=NOW + number)

    assert await responses.item("key_1", "m_9_49") == b'{"id":"m_9_49"}'
    assert await responses.item("key_1", "m_9_1") is None
    pointers = await redis_client.keys(keyspace.response_item("key_1", "*"))
    kept = await sizes(redis_client)
    assert len(pointers) * stored_responses.POINTER_BYTES < int(kept["+"]) <= 20_000
    assert len(pointers) == 20 * sum(name.startswith("key_1 ") for name in kept)


@pytest.mark.parametrize("odd", ["m 1", "m\n1", "m\u00a0", "", "m" * 257])
async def test_an_id_that_is_none_of_ours_has_no_pointer(
    responses: ResponseStore, redis_client: Redis, odd: str
) -> None:
    item = json.dumps({"id": odd}).encode()

    assert await responses.keep("key_1", "resp_1", [item], now=NOW)

    assert await responses.response("key_1", "resp_1") == [item]
    assert not await redis_client.keys(keyspace.response_item("key_1", "*"))


async def test_what_has_expired_counts_no_more_and_the_same_response_counts_once(
    responses: ResponseStore, redis_client: Redis
) -> None:
    await responses.keep("key_1", "resp_1", ITEMS, now=NOW)
    await responses.keep("key_1", "resp_2", ITEMS, now=NOW + keyspace.RESPONSE_SECONDS + 1)
    await responses.keep("key_1", "resp_2", ITEMS, now=NOW + keyspace.RESPONSE_SECONDS + 2)

    kept = await sizes(redis_client)
    assert set(kept) == {"+", "+key:key_1", "key_1 resp_2"}
    assert kept["+"] == kept["+key:key_1"] == kept["key_1 resp_2"].split()[0]


async def test_nothing_is_kept_while_redis_is_nearly_full(
    responses: ResponseStore, redis_client: Redis
) -> None:
    used = int((await redis_client.info("memory"))["used_memory"])
    await redis_client.config_set("maxmemory", str(int(used * 1.1)))
    try:
        assert not await responses.keep("key_1", "resp_1", ITEMS, now=NOW)
    finally:
        await redis_client.config_set("maxmemory", "0")
    assert await responses.keep("key_1", "resp_1", ITEMS, now=NOW)
