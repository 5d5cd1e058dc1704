"""Stored responses: their limits in number and bytes hold exactly, and nothing needed is removed."""

import os
import threading
from typing import Any

import pytest
from redis.asyncio import Redis
from support.stored_nodes import KEY, NOW, nodes_of, response_of, sums_are_exact

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.exchange import stored_responses
from codex_proapi.gateway.exchange.stored_responses import MOST_RESPONSES, ResponseStore

ITEM = b'{"type":"message","id":"msg_1","content":"canary"}'


@pytest.fixture
def responses(redis_client: Redis) -> ResponseStore:
    return ResponseStore(redis_client, CredentialCipher([KEY]))


def an_item(number: int, size: int = 60) -> bytes:
    """An item that does not compress."""
    return b'{"id":"msg_%d","content":"%s"}' % (number, os.urandom(size).hex().encode())


async def test_the_oldest_response_of_a_key_goes_first(
    responses: ResponseStore, redis_client: Redis
) -> None:
    for number in range(MOST_RESPONSES + 2):
        await responses.keep(
            "key_1", f"resp_{number}", [b"{}"], response=response_of(), now=NOW + number
        )
    await responses.keep("key_2", "resp_0", [b"{}"], response=response_of(), now=NOW)

    assert await responses.response("key_1", "resp_0") is None
    assert await responses.response("key_1", "resp_1") is None
    assert await responses.response("key_1", "resp_2") == [b"{}"]
    assert await responses.response("key_2", "resp_0") == [b"{}"]
    assert await redis_client.zcard(keyspace.stored_times("key_1")) == MOST_RESPONSES
    await sums_are_exact(redis_client)


@pytest.mark.parametrize("key_id", ["key_1", ""])
async def test_beyond_its_bytes_a_keys_oldest_responses_go_with_their_pointers(
    responses: ResponseStore,
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
    key_id: str,
) -> None:
    monkeypatch.setattr(stored_responses, "MOST_KEY_BYTES", 5000)
    for number in range(12):
        answer = response_of(an_item(number))
        assert await responses.keep(key_id, f"resp_{number}", [], response=answer, now=NOW + number)
    await responses.keep("key_2", "resp_0", [b"{}"], response=response_of(), now=NOW)

    left = [n for n in range(12) if await responses.response(key_id, f"resp_{n}") is not None]
    assert left == list(range(left[0], 12))
    assert 1 <= len(left) < 12
    pointers = [f for f in await nodes_of(redis_client, key_id) if f.startswith("item:")]
    assert len(pointers) == len(left)
    assert (await sums_are_exact(redis_client))[f"key:{key_id}"] <= 5000


async def test_beyond_the_bytes_of_all_the_oldest_response_of_anybody_goes(
    responses: ResponseStore, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_responses, "MOST_ALL_BYTES", 6000)
    for number in range(12):
        await responses.keep(
            f"key_{number % 3}", f"resp_{number}", [ITEM], response=response_of(), now=NOW + number
        )

    assert await responses.response("key_0", "resp_0") is None
    assert await responses.response("key_2", "resp_11") is not None
    assert (await sums_are_exact(redis_client))["all"] <= 6000


async def test_of_a_long_conversation_old_responses_go_and_the_newest_stays_whole(
    responses: ResponseStore, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_responses, "MOST_KEY_BYTES", 20_000)
    history: list[bytes] = []
    for turn in range(12):
        history += [an_item(2 * turn), an_item(2 * turn + 1)]
        answer = response_of(an_item(1000 + turn))
        assert await responses.keep("key_1", f"r_{turn}", history, response=answer, now=NOW + turn)
        kept = await responses.get("key_1", f"r_{turn}")
        assert kept is not None
        assert kept.history == history
        assert (await sums_are_exact(redis_client))["all"] <= 20_000

    assert await responses.get("key_1", "r_0") is None
    assert await responses.item("key_1", "msg_0") == history[0]


async def test_a_conversation_beyond_its_limits_is_not_kept_and_nothing_is_lost_by_it(
    responses: ResponseStore, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, answer = [an_item(1)], response_of()
    assert await responses.keep("key_1", "resp_1", first, response=answer, now=NOW)
    before = await nodes_of(redis_client, "key_1")
    monkeypatch.setattr(stored_responses, "MOST_CONVERSATION_BYTES", 2000)

    longer = [*first, an_item(2, 1000)]
    assert not await responses.keep("key_1", "resp_2", longer, response=answer, now=NOW)

    assert await nodes_of(redis_client, "key_1") == before
    await sums_are_exact(redis_client)


async def test_a_history_that_builds_on_too_many_others_is_stored_whole(
    responses: ResponseStore, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_responses, "MOST_TURNS", 4)
    history: list[bytes] = []
    for turn in range(11):
        history.append(an_item(turn))
        assert await responses.keep(
            "key_1", f"resp_{turn}", history, response=response_of(), now=NOW
        )
    again = await responses.keep("key_1", "again", history, response=response_of(), now=NOW)

    assert again
    for turn in range(11):
        assert await responses.response("key_1", f"resp_{turn}") == history[: turn + 1]
    roots = [n for n in (await nodes_of(redis_client, "key_1")).values() if '"parent":""' in n]
    assert len(roots) == 3
    await sums_are_exact(redis_client)


async def test_pointers_count_and_are_bounded(
    responses: ResponseStore, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of small items compress to little, but each of their pointers costs memory."""
    monkeypatch.setattr(stored_responses, "MOST_POINTERS", 20)
    monkeypatch.setattr(stored_responses, "MOST_KEY_BYTES", 20_000)
    for number in range(10):
        items = [b'{"id":"m_%d_%d"}' % (number, item) for item in range(50)]
        assert await responses.keep(
            "key_1", f"r_{number}", [*items, items[0]], response=response_of(), now=NOW + number
        )

    assert await responses.item("key_1", "m_9_49") == b'{"id":"m_9_49"}'
    assert await responses.item("key_1", "m_9_1") is None
    fields = await nodes_of(redis_client, "key_1")
    pointers = [field for field in fields if field.startswith("item:")]
    sums = await sums_are_exact(redis_client)
    assert len(pointers) * stored_responses.POINTER_BYTES < sums["all"] <= 20_000
    assert len(pointers) == 20 * sum(field.startswith("node:response") for field in fields)


async def test_what_has_expired_counts_no_more(
    responses: ResponseStore, redis_client: Redis
) -> None:
    later = NOW + keyspace.RESPONSE_SECONDS + 1
    await responses.keep("key_1", "resp_1", [ITEM], response=response_of(), now=NOW)
    await responses.keep("key_2", "resp_1", [ITEM], response=response_of(), now=NOW)
    await responses.keep("key_1", "resp_2", [b"{}"], response=response_of(), now=later)

    assert set(await sums_are_exact(redis_client)) == {"all", "key:key_1"}
    assert await responses.response("key_1", "resp_1") is None
    assert await redis_client.zcard(keyspace.stored_times_of_all()) == 1


async def test_the_bytes_of_a_key_whose_responses_redis_has_let_expire_are_free_again(
    responses: ResponseStore, redis_client: Redis
) -> None:
    await responses.keep("key_1", "resp_1", [ITEM], response=response_of(), now=NOW)
    await redis_client.delete(keyspace.stored("key_1"), keyspace.stored_times("key_1"))
    later = NOW + keyspace.RESPONSE_SECONDS + 1
    await responses.keep("key_2", "resp_1", [ITEM], response=response_of(), now=later)

    assert set(await sums_are_exact(redis_client)) == {"all", "key:key_2"}


async def test_nothing_is_kept_while_redis_is_nearly_full(
    responses: ResponseStore, redis_client: Redis
) -> None:
    used = int((await redis_client.info("memory"))["used_memory"])
    await redis_client.config_set("maxmemory", str(int(used * 1.1)))
    try:
        assert not await responses.keep("key_1", "resp_1", [ITEM], response=response_of(), now=NOW)
    finally:
        await redis_client.config_set("maxmemory", "0")
    assert await responses.keep("key_1", "resp_1", [ITEM], response=response_of(), now=NOW)


def blank(number: int, size: int) -> bytes:
    """An item that compresses a hundredfold and more."""
    return b'{"id":"msg_%d","content":"%s"}' % (number, b" " * size)


async def test_parts_that_are_large_only_when_opened_are_opened_in_a_thread(
    responses: ResponseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    history: list[bytes] = []
    for number in range(3):
        history.append(blank(number, 1_000_000))
        answer = response_of(blank(10 + number, 1_000_000))
        assert await responses.keep("key_1", f"resp_{number}", history, response=answer, now=NOW)
    threads: set[int] = set()
    unseal = responses._open

    def noted(sealed: Any, *most: Any) -> Any:
        threads.add(threading.get_ident())
        return unseal(sealed, *most)

    monkeypatch.setattr(responses, "_open", noted)

    found = await responses.items("key_1", [f"msg_{number}" for number in (0, 1, 10, 11)])
    whole = await responses.response("key_1", "resp_2")

    assert len(found) == 4
    assert whole is not None
    assert len(whole) == 4
    assert threads
    assert threading.get_ident() not in threads


async def test_a_request_is_given_no_more_than_it_may_send_itself(
    responses: ResponseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    history: list[bytes] = []
    for number in range(4):
        history.append(blank(number, 1000))
        assert await responses.keep(
            "key_1", f"resp_{number}", history, response=response_of(), now=NOW + number
        )
    monkeypatch.setattr(stored_responses, "MOST_PLAIN_BYTES", 3500)

    found = await responses.items("key_1", [f"msg_{number}" for number in range(4)])
    more = [*history, blank(4, 1000)]
    kept = await responses.keep("key_1", "resp_4", more, response=response_of(), now=NOW + 4)

    assert list(found) == ["msg_0", "msg_1", "msg_2"]
    assert await responses.response("key_1", "resp_2") == history[:3]
    assert await responses.response("key_1", "resp_3") is None
    assert kept is False
