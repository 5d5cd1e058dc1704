"""Stored responses: sealed, apart for each key, expiring; conversations are stored once."""

import json
import pathlib
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support import stored_forms
from support.stored_nodes import KEY, NOW, nodes_of, response_of, sums_are_exact

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.exchange import stored_responses
from codex_proapi.gateway.exchange.stored_responses import MOST_BYTES, ResponseStore

ASKED = b'{"type":"message","id":"msg_1","content":"canary"}'
THOUGHT = b'{"type":"reasoning","id":"rs_1"}'
EARLIER = pathlib.Path(__file__).parents[2] / "commons/stored/responses-1.json"


@pytest.fixture
def responses(redis_client: Redis) -> ResponseStore:
    return ResponseStore(redis_client, CredentialCipher([KEY]))


async def keep(
    responses: ResponseStore, response_id: str = "resp_1", key_id: str = "key_1"
) -> bool:
    return await responses.keep(
        key_id, response_id, [ASKED], response=response_of(THOUGHT), now=NOW
    )


async def test_a_response_comes_back_byte_for_byte(responses: ResponseStore) -> None:
    assert await keep(responses)

    assert await responses.response("key_1", "resp_1") == [ASKED, THOUGHT]
    assert await responses.item("key_1", "msg_1") == ASKED
    assert await responses.item("key_1", "rs_1") == THOUGHT
    found = await responses.get("key_1", "resp_1")
    assert found is not None
    assert (found.body, found.history) == (response_of(THOUGHT), [ASKED])
    assert "canary" not in repr(found)


async def test_another_key_finds_nothing(responses: ResponseStore) -> None:
    await keep(responses)

    assert await responses.response("key_2", "resp_1") is None
    assert await responses.item("key_2", "rs_1") is None
    assert await responses.get("key_1", "resp_0") is None
    assert await responses.item("key_1", "msg_0") is None
    assert not await responses.delete("key_2", "resp_1")


async def test_a_deleted_response_is_gone_and_what_continues_it_stays(
    responses: ResponseStore, redis_client: Redis
) -> None:
    await keep(responses)
    longer = [ASKED, THOUGHT, b'{"id":"msg_2"}']
    await responses.keep("key_1", "resp_2", longer, response=response_of(), now=NOW)

    assert await responses.delete("key_1", "resp_1")
    assert not await responses.delete("key_1", "resp_1")

    assert await responses.get("key_1", "resp_1") is None
    assert await responses.response("key_1", "resp_2") == longer
    await sums_are_exact(redis_client)
    assert await responses.delete("key_1", "resp_2")
    assert not await redis_client.exists(keyspace.stored("key_1"), keyspace.stored_times("key_1"))
    await sums_are_exact(redis_client)


async def test_items_without_an_id_are_kept_and_can_not_be_referred_to(
    responses: ResponseStore,
) -> None:
    items = [b'{"type":"function_call_output"}', b'{"id":7}', b'{"id":null}']

    await responses.keep("key_1", "resp_1", items, response=response_of(), now=NOW)

    assert await responses.response("key_1", "resp_1") == items


async def test_everything_expires_and_nothing_is_readable_at_rest(
    responses: ResponseStore, redis_client: Redis
) -> None:
    await keep(responses)

    names = await redis_client.keys("*")
    assert len(names) == 4
    for name in names:
        assert 0 < await redis_client.ttl(name) <= keyspace.RESPONSE_SECONDS
    stored = await redis_client.hgetall(keyspace.stored("key_1"))
    assert len(stored) == 6
    assert "canary" not in str(stored)


async def test_a_large_turn_is_kept_and_one_too_large_is_not(responses: ResponseStore) -> None:
    large = [b'{"id":"msg_1","content":"%s"}' % (b"x" * (MOST_BYTES - 100))]
    too_large = [b'{"id":"msg_1","content":"%s"}' % (b"x" * MOST_BYTES)]
    answer = response_of()

    assert await responses.keep("key_1", "resp_1", large, response=answer, now=NOW)
    assert not await responses.keep("key_1", "resp_2", too_large, response=answer, now=NOW)
    assert await responses.keep("key_1", "resp_3", [*large, ASKED], response=answer, now=NOW)

    assert await responses.response("key_1", "resp_1") == large
    assert await responses.response("key_1", "resp_2") is None
    assert await responses.response("key_1", "resp_3") == [*large, ASKED]


async def test_without_its_encryption_key_a_response_is_gone(
    responses: ResponseStore, redis_client: Redis
) -> None:
    await keep(responses)
    other = ResponseStore(redis_client, CredentialCipher([Fernet.generate_key().decode()]))

    assert await other.response("key_1", "resp_1") is None
    assert await other.item("key_1", "rs_1") is None
    assert repr(other) == "<ResponseStore>"


async def test_a_response_kept_twice_counts_once(
    responses: ResponseStore, redis_client: Redis
) -> None:
    assert await keep(responses)
    before = await redis_client.hgetall(keyspace.stored("key_1"))
    assert await keep(responses)

    assert await redis_client.hgetall(keyspace.stored("key_1")) == before
    await sums_are_exact(redis_client)


async def test_of_many_references_each_part_is_opened_once(
    responses: ResponseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [b'{"id":"msg_%d"}' % number for number in range(50)]
    for number, history in enumerate((items[:25], items[25:])):
        await responses.keep("key_1", f"resp_{number}", history, response=response_of(), now=NOW)
    opened: list[Any] = []
    unseal = responses._open

    def counted(sealed: Any, most: int) -> Any:
        opened.append(sealed)
        return unseal(sealed, most)

    monkeypatch.setattr(responses, "_open", counted)

    found = await responses.items("key_1", [f"msg_{n}" for n in range(60)] * 3)

    assert found == {f"msg_{number}": item for number, item in enumerate(items)}
    assert len(opened) == 2
    assert await responses.items("key_1", []) == {}


async def test_references_are_bounded(
    responses: ResponseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"msg_{number}" for number in range(4)]
    for item_id in ids:
        history = [msgspec.json.encode({"id": item_id})]
        await responses.keep("key_1", f"r_{item_id}", history, response=response_of(), now=NOW)

    monkeypatch.setattr(stored_responses, "MOST_REFERENCES", 3)
    assert sorted(await responses.items("key_1", ids)) == ids[:3]
    monkeypatch.setattr(stored_responses, "MOST_FOUND_BYTES", 250)
    assert 0 < len(await responses.items("key_1", ids)) < 3


@pytest.mark.parametrize("odd", ["m 1", "m\n1", "m\u00a0", "", "m" * 257])
async def test_an_id_that_is_none_of_ours_has_no_pointer(
    responses: ResponseStore, redis_client: Redis, odd: str
) -> None:
    item = json.dumps({"id": odd}).encode()

    assert await responses.keep("key_1", "resp_1", [item], response=response_of(), now=NOW)

    assert await responses.response("key_1", "resp_1") == [item]
    assert not [name for name in await nodes_of(redis_client, "key_1") if "item:" in name]


async def test_what_an_earlier_version_stored_is_found(
    responses: ResponseStore, redis_client: Redis
) -> None:
    stored = json.loads(EARLIER.read_text())
    await stored_forms.load(redis_client, stored["keys"])
    mine = ResponseStore(redis_client, stored_forms.CIPHER)
    key_id = stored["key"]

    assert await mine.response(key_id, "resp_1") == [stored_forms.ITEM]
    assert await mine.items(key_id, ["msg_1"]) == {"msg_1": stored_forms.ITEM}
    found = await mine.get(key_id, "resp_1")
    assert found is not None
    assert found.body == b""
    longer = [stored_forms.ITEM, ASKED]
    assert await mine.keep(key_id, "resp_2", longer, response=response_of(THOUGHT), now=NOW)
    assert await mine.response(key_id, "resp_2") == [*longer, THOUGHT]
