"""Stored responses: sealed, apart for each key, expiring and bounded."""

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.redis import keyspace
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
    assert len(names) == 4
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
