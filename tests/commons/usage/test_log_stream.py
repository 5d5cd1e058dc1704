"""The log that people see: kept, paged, followed, cleared and brought back."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect_blocking
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import (
    LEAST_LENGTH,
    LENGTH,
    MOST_LENGTH,
    LogEntry,
    LogKind,
    LogLevel,
    LogStream,
    entry_of,
)
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter


def an_entry(number: int) -> LogEntry:
    return LogEntry(
        at=float(number),
        level=LogLevel.WARNING,
        kind=LogKind.ACCOUNT,
        event="account.cooled",
        account="acc_1",
        detail={"seconds": number, "why": "quota"},
    )


RECORD = ExchangeRecord(
    request_id="req_1",
    at=1_795_000_000.5,
    endpoint="chat",
    key_id="key_1",
    sent_model="gpt-5.5",
    account="acc_1",
    attempts=(AttemptRecord(account="acc_1", verdict="committed", status=200),),
    tokens=Tokens(input=3, output=4),
    ending=Ending.WHOLE,
)


@pytest.fixture
def stream(redis_client: Redis) -> LogStream:
    return LogStream(redis_client)


async def test_an_entry_comes_back_as_it_went_in(stream: LogStream) -> None:
    entry_id = await stream.append(an_entry(1))

    (stored,) = await stream.page()
    assert (stored.id, stored.entry) == (entry_id, an_entry(1))
    assert await stream.last_id() == entry_id


async def test_pages_go_back_in_time(stream: LogStream) -> None:
    for number in range(5):
        await stream.append(an_entry(number))

    first = await stream.page(count=2)
    second = await stream.page(before=first[-1].id, count=2)
    third = await stream.page(before=second[-1].id, count=2)

    ats = [[each.entry.at for each in page] for page in (first, second, third)]
    assert ats == [[4, 3], [2, 1], [0]]


@pytest.mark.parametrize(
    ("stored", "length"),
    [
        (None, LENGTH),
        ("2000", 2_000),
        ("1", LEAST_LENGTH),
        ("9999999", MOST_LENGTH),
        ('"many"', LENGTH),
        ("null", LENGTH),
    ],
)
async def test_the_log_is_as_long_as_the_settings_say_whoever_appends(
    stream: LogStream, redis_client: Redis, stored: str | None, length: int
) -> None:
    full = redis_client.pipeline(transaction=False)
    for number in range(LENGTH + 5_000):
        full.xadd(keyspace.logs(), {"entry": "{}"}, id=f"{number + 1}-0")
    await full.execute()
    if stored is not None:
        await redis_client.hset(keyspace.settings(), "log_entries", stored)

    await stream.append(an_entry(1))
    after_append = await redis_client.xlen(keyspace.logs())
    await SettlementWriter(redis_client).add([RECORD])

    kept = min(length, LENGTH + 5_000)
    # Redis trims whole nodes, and at most ten thousand entries at a time.
    assert kept <= await redis_client.xlen(keyspace.logs()) <= max(kept + 102, 5_200)
    assert after_append >= kept


async def test_settings_of_another_type_leave_the_log_as_long_as_usual(
    stream: LogStream, redis_client: Redis
) -> None:
    await redis_client.set(keyspace.settings(), "no hash")

    await stream.append(an_entry(1))
    await SettlementWriter(redis_client).add([RECORD])

    assert len(await stream.page()) == 2


async def test_an_empty_log_has_no_last_entry(stream: LogStream) -> None:
    assert await stream.last_id() == "0-0"
    assert await stream.page() == []
    assert repr(stream) == "<LogStream>"


async def test_a_live_log_begins_after_a_row_that_is_no_entry(
    stream: LogStream, redis_client: Redis
) -> None:
    await stream.append(an_entry(1))
    odd = await redis_client.xadd(keyspace.logs(), {"entry": "not json"})

    assert await stream.last_id() == odd


async def test_a_log_that_is_no_stream_has_no_last_id(
    stream: LogStream, redis_client: Redis
) -> None:
    await redis_client.set(keyspace.logs(), "a text")

    with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
        await stream.last_id()


async def test_a_tail_gives_what_came_after_an_id(stream: LogStream) -> None:
    ids = [await stream.append(an_entry(number)) for number in range(3)]

    assert [each.id for each in await stream.follow(ids[0])] == ids[1:]
    assert [each.id for each in await stream.follow("0-0", count=1)] == ids[:1]


async def test_a_tail_waits_for_the_first_entry(redis_url: str, redis_client: Redis) -> None:
    blocking_redis = connect_blocking(redis_url)
    stream = LogStream(redis_client, blocking_redis=blocking_redis)
    waiting = asyncio.ensure_future(stream.follow(await stream.last_id()))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    entry_id = await stream.append(an_entry(1))

    assert [each.id for each in await waiting] == [entry_id]
    await blocking_redis.aclose()


async def test_a_tail_without_news_is_empty_after_a_while(stream: LogStream) -> None:
    assert await stream.follow("$", block=0.01) == []


async def test_the_log_is_trimmed_to_about_ten_thousand(
    stream: LogStream, redis_client: Redis
) -> None:
    pipe = redis_client.pipeline(transaction=False)
    for _ in range(LENGTH + 500):
        pipe.xadd(keyspace.logs(), {"entry": "{}"})
    await pipe.execute()

    await stream.append(an_entry(1))

    assert LENGTH <= await redis_client.xlen(keyspace.logs()) < LENGTH + 200


async def test_rows_that_are_no_entries_are_left_out(
    stream: LogStream, redis_client: Redis
) -> None:
    rows: list[dict[Any, Any]] = [{"entry": "not json"}, {"other": "x"}, {"entry": "{}"}]
    for row in rows:
        await redis_client.xadd(keyspace.logs(), row)
    await stream.append(an_entry(1))

    assert [each.entry for each in await stream.page()] == [an_entry(1)]


async def test_clearing_can_be_undone_and_keeps_what_came_since(
    stream: LogStream, redis_client: Redis
) -> None:
    old = [await stream.append(an_entry(number)) for number in range(2)]

    assert await stream.clear() == 2
    assert await stream.page() == []
    assert 0 < await redis_client.ttl(keyspace.cleared_logs()) <= keyspace.CLEARED_LOGS_SECONDS
    new = await stream.append(an_entry(2))
    assert await stream.restore()

    assert [each.id for each in await stream.page()] == [new, old[1], old[0]]
    assert await redis_client.ttl(keyspace.logs()) == -1
    assert not await stream.restore()


async def test_a_tail_follows_through_clearing(redis_url: str, redis_client: Redis) -> None:
    blocking_redis = connect_blocking(redis_url)
    stream = LogStream(redis_client, blocking_redis=blocking_redis)
    last = await stream.append(an_entry(1))
    waiting = asyncio.ensure_future(stream.follow(last))
    await asyncio.sleep(0.05)
    await stream.clear()

    entry_id = await stream.append(an_entry(2))

    assert [each.id for each in await waiting] == [entry_id]
    await blocking_redis.aclose()


@pytest.mark.parametrize(
    ("ending", "level"),
    [
        (Ending.WHOLE, LogLevel.INFO),
        (Ending.SHORT, LogLevel.INFO),
        (Ending.ABANDONED, LogLevel.INFO),
        (Ending.REFUSED, LogLevel.WARNING),
        (Ending.BROKEN, LogLevel.ERROR),
    ],
)
def test_an_exchange_is_an_entry_as_grave_as_its_ending(ending: Ending, level: LogLevel) -> None:
    record = ExchangeRecord(
        request_id="req_1", at=1.0, endpoint="chat", ending=ending, status=502, code="c"
    )

    entry = entry_of(record)

    assert (entry.level, entry.kind, entry.event) == (level, LogKind.REQUEST, "exchange.settled")
    assert (entry.request_id, entry.status, entry.code) == ("req_1", 502, "c")
    assert entry.exchange == record


async def test_a_record_survives_the_stream_whole(stream: LogStream) -> None:
    await stream.append(entry_of(RECORD))

    (stored,) = await stream.page()
    assert stored.entry.exchange == RECORD


async def test_a_request_without_an_entry_any_more_is_not_found(redis_client: Any) -> None:
    logs = LogStream(redis_client)
    assert await logs.of_request("req_1") is None

    await redis_client.zadd(keyspace.log_index(), {"req_1": 5})

    assert await logs.of_request("req_1") is None
