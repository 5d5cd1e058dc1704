"""Ids of the log never go back, whatever is cleared and brought back, and an undo is whole or nothing.

Where it matters the log's last id lies far in the future: an id made from the clock alone is below it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogStream, encode_entry

LOGS, CLEARED = keyspace.logs(), keyspace.cleared_logs()
AHEAD = "9999999999999-7"
"""An id no clock has reached."""
FARTHER = "18446744073709551614-9"
"""Ids have twice 64 bits: numbers of Lua and JavaScript hold no such one exactly."""


def an_entry(number: int) -> LogEntry:
    return LogEntry(at=float(number), kind=LogKind.ACCOUNT, event="account.cooled")


@pytest.fixture
def stream(redis_client: Redis) -> LogStream:
    return LogStream(redis_client)


def order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


async def ids(stream: LogStream) -> list[str]:
    return [each.id for each in reversed(await stream.page())]


async def ahead(stream: LogStream, redis: Redis, entry_id: str = AHEAD) -> list[str]:
    """A log of two entries whose last one has this id."""
    first = await stream.append(an_entry(0))
    await redis.xadd(LOGS, {"entry": encode_entry(an_entry(0))}, id=entry_id)
    return [first, entry_id]


async def contents(redis: Redis) -> list[object]:
    """All that both keys hold, with what Redis remembers of ids and lifetimes."""
    found: list[object] = []
    for key in (LOGS, CLEARED):
        there = await redis.exists(key)
        info = await redis.xinfo_stream(key) if there else {}
        found += [
            await redis.xrange(key),
            info.get("last-generated-id"),
            await redis.ttl(key) == -1,
        ]
    return found


@asynccontextmanager
async def full(redis: Redis) -> AsyncIterator[None]:
    """Redis has no room for anything more."""
    await redis.config_set("maxmemory", 1)
    try:
        yield
    finally:
        await redis.config_set("maxmemory", 0)


@pytest.mark.parametrize("last", [AHEAD, FARTHER])
async def test_ids_go_on_over_clearing_and_the_undo_brings_all_back(
    stream: LogStream, redis_client: Redis, last: str
) -> None:
    old = await ahead(stream, redis_client, last)

    assert await stream.clear() == 2
    assert (await stream.page(), await stream.last_id()) == ([], last)
    assert 0 < await redis_client.ttl(CLEARED) <= keyspace.CLEARED_LOGS_SECONDS
    assert await redis_client.ttl(LOGS) == -1
    new = await stream.append(an_entry(1))
    assert order(new) > order(last)
    assert await stream.restore()

    assert await ids(stream) == [*old, new]
    assert await redis_client.ttl(LOGS) == -1
    assert not await redis_client.exists(CLEARED)
    assert order(await stream.append(an_entry(2))) > order(new)


async def test_the_last_id_counts_even_if_its_entry_is_gone(
    stream: LogStream, redis_client: Redis
) -> None:
    old = await ahead(stream, redis_client)
    await redis_client.xdel(LOGS, AHEAD)
    await stream.clear()
    assert await stream.last_id() == AHEAD

    gone = await stream.append(an_entry(1))
    await redis_client.xdel(LOGS, gone)
    assert await stream.restore()

    assert await ids(stream) == old[:1]
    assert await stream.last_id() == gone
    assert order(await stream.append(an_entry(2))) > order(gone)


async def test_within_one_millisecond_no_id_comes_twice(
    stream: LogStream, redis_client: Redis
) -> None:
    seen: list[str] = []
    for number in range(200):
        seen.append(await stream.append(an_entry(number)))
        assert await stream.clear() == 1
        seen.append(await stream.append(an_entry(number)))
        assert await stream.restore()
        assert await ids(stream) == seen[-2:]
        assert await stream.clear() == 2
        await redis_client.delete(CLEARED)

    assert [order(each) for each in seen] == sorted({order(each) for each in seen})


async def test_clearing_an_empty_log_keeps_what_was_cleared_before(
    stream: LogStream, redis_client: Redis
) -> None:
    old = await ahead(stream, redis_client)
    await stream.clear()

    assert await stream.clear() == 0
    assert await stream.last_id() == AHEAD
    assert await stream.restore()

    assert await ids(stream) == old


async def test_a_log_that_never_was_is_not_made_by_clearing(
    stream: LogStream, redis_client: Redis
) -> None:
    assert await stream.clear() == 0
    assert not await stream.restore()

    assert await redis_client.keys("*") == []


async def test_cleared_twice_the_undo_brings_back_all_of_it(
    stream: LogStream, redis_client: Redis
) -> None:
    first = await ahead(stream, redis_client)
    await stream.clear()
    second = await stream.append(an_entry(1))
    assert await stream.clear() == 1
    third = await stream.append(an_entry(2))

    assert 0 < await redis_client.ttl(CLEARED) <= keyspace.CLEARED_LOGS_SECONDS
    assert await stream.restore()
    assert await ids(stream) == [*first, second, third]
    assert order(AHEAD) < order(second) < order(third)


async def test_what_a_deleted_log_had_set_aside_gives_way_to_lower_ids(
    stream: LogStream, redis_client: Redis
) -> None:
    await ahead(stream, redis_client)
    await stream.clear()
    await redis_client.delete(LOGS)
    new = await stream.append(an_entry(1))

    assert await stream.clear() == 1
    assert await stream.restore()
    assert await ids(stream) == [new]


async def test_clearing_again_with_a_full_redis_changes_nothing(
    stream: LogStream, redis_client: Redis
) -> None:
    await ahead(stream, redis_client)
    await stream.clear()
    await stream.append(an_entry(1))
    before = await contents(redis_client)
    async with full(redis_client):
        with pytest.raises(StoreUnavailable):
            await stream.clear()

    assert await contents(redis_client) == before


async def test_an_undo_that_comes_too_late_or_twice_changes_nothing(
    stream: LogStream, redis_client: Redis
) -> None:
    await ahead(stream, redis_client)
    await stream.clear()
    await redis_client.pexpire(CLEARED, 0)
    before = await contents(redis_client)
    assert not await stream.restore()
    assert await contents(redis_client) == before

    new = await stream.append(an_entry(1))
    assert order(new) > order(AHEAD)
    await stream.clear()
    assert await stream.restore()
    before = await contents(redis_client)
    assert not await stream.restore()
    assert await contents(redis_client) == before


async def test_undone_and_cleared_again_it_can_be_undone_again(
    stream: LogStream, redis_client: Redis
) -> None:
    old = await ahead(stream, redis_client)
    for number in range(3):
        await stream.clear()
        old.append(await stream.append(an_entry(number)))
        assert await stream.restore()

    assert await ids(stream) == old


async def test_a_log_that_was_lost_comes_back(stream: LogStream, redis_client: Redis) -> None:
    old = await ahead(stream, redis_client)
    await stream.clear()
    await redis_client.delete(LOGS)
    assert await stream.last_id() == "0-0"

    assert await stream.restore()
    assert await ids(stream) == old
    assert await stream.last_id() == AHEAD


@pytest.mark.parametrize("emptied", [False, True])
async def test_a_log_begun_anew_by_hand_is_never_mixed_with_what_was_cleared(
    stream: LogStream, redis_client: Redis, emptied: bool
) -> None:
    old = await ahead(stream, redis_client)
    await stream.clear()
    await redis_client.delete(LOGS)
    again = await stream.append(an_entry(1))
    if emptied:
        await redis_client.xdel(LOGS, again)
    before = await contents(redis_client)

    assert await stream.restore() is emptied
    if emptied:
        assert (await ids(stream), await stream.last_id()) == (old, AHEAD)
    else:
        assert await contents(redis_client) == before


@pytest.mark.parametrize("fields", [3999, 5000])
async def test_a_row_too_long_for_a_script_leaves_everything_as_it_was(
    stream: LogStream, redis_client: Redis, fields: int
) -> None:
    await stream.append(an_entry(0))
    await stream.clear()
    await stream.append(an_entry(1))
    await redis_client.xadd(LOGS, {str(number): "" for number in range(fields)})
    before = await contents(redis_client)

    with pytest.raises(StoreUnavailable):
        await stream.restore()
    assert await contents(redis_client) == before


async def test_a_full_redis_clears_wholly_and_refuses_the_undo_wholly(
    stream: LogStream, redis_client: Redis
) -> None:
    old = await ahead(stream, redis_client)
    async with full(redis_client):
        assert await stream.clear() == 2
    assert await stream.last_id() == AHEAD
    new = await stream.append(an_entry(1))
    before = await contents(redis_client)

    async with full(redis_client):
        with pytest.raises(StoreUnavailable, match="OutOfMemory"):
            await stream.restore()
    assert await contents(redis_client) == before

    assert await stream.restore()
    assert await ids(stream) == [*old, new]


@pytest.mark.parametrize("key", [LOGS, CLEARED])
async def test_a_key_that_is_no_stream_leaves_everything_as_it_was(
    stream: LogStream, redis_client: Redis, key: str
) -> None:
    await stream.append(an_entry(0))
    await stream.clear()
    await redis_client.set(key, "a text")
    other = CLEARED if key == LOGS else LOGS
    before = await redis_client.xinfo_stream(other)

    with pytest.raises(StoreUnavailable):
        await stream.restore()
    assert await redis_client.get(key) == "a text"
    assert await redis_client.xinfo_stream(other) == before


async def test_what_follows_the_log_sees_nothing_twice_and_misses_nothing(
    stream: LogStream, redis_client: Redis
) -> None:
    await ahead(stream, redis_client)
    await stream.clear()
    permit_id = await stream.last_id()

    new = await stream.append(an_entry(1))
    assert [each.id for each in await stream.follow(permit_id, block=0.01)] == [new]
    await stream.restore()
    assert [each.id for each in await stream.follow(permit_id, block=0.01)] == [new]
    assert await stream.follow(new, block=0.01) == []
