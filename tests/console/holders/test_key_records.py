"""What is read of one key: its own requests only, as far back as the log reaches."""

import dataclasses
from typing import Any

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import (
    LogEntry,
    LogKind,
    LogStream,
    encode_entry,
    entry_of,
)
from codex_proapi.console.holders import key_records
from codex_proapi.console.holders.key_records import KeyRecords

NOW = 1_790_000_000


@dataclasses.dataclass
class Scene:
    redis: Redis
    records: KeyRecords

    async def log(self, age: int, key_id: str, **fields: Any) -> str:
        """One settled request so many seconds ago; gives its id."""
        at = NOW - age
        record = ExchangeRecord(
            request_id=f"req_{age}",
            at=at,
            endpoint="chat",
            key_id=key_id,
            ending=Ending.WHOLE,
            **fields,
        )
        row: dict[Any, Any] = {"entry": encode_entry(entry_of(record))}
        await self.redis.xadd(keyspace.logs(), row, id=f"{at * 1000}-*")
        await self.redis.zadd(keyspace.log_index(), {record.request_id: at * 1000})
        return record.request_id


@pytest.fixture
def scene(redis_client: Redis) -> Scene:
    records = KeyRecords(redis_client, LogStream(redis_client), UsageStore(redis_client))
    return Scene(redis_client, records)


async def test_only_the_keys_own_requests_are_read_the_newest_first(scene: Scene) -> None:
    for age, key_id in ((900, "key_a"), (800, "key_b"), (700, "key_ab"), (600, "key_a")):
        await scene.log(age, key_id, key_name="key_a")
    row: dict[Any, Any] = {
        "entry": encode_entry(LogEntry(at=NOW, kind=LogKind.ADMIN, event="x", key_id="key_a"))
    }
    await scene.redis.xadd(keyspace.logs(), row, id=f"{NOW * 1000}-0")

    found = await scene.records.log("key_a", since=NOW - 3600)

    assert [record.request_id for record in found.records] == ["req_600", "req_900"]
    assert found.reaches_to == NOW - 900


async def test_the_log_is_read_until_the_time_asked_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_records, "ROWS_AT_ONCE", 2)
    for age in range(100, 0, -10):
        await scene.log(age, "key_a")

    found = await scene.records.log("key_a", since=NOW - 45)

    assert [NOW - int(record.at) for record in found.records] == [10, 20, 30, 40]
    assert found.reaches_to == NOW - 45


async def test_a_long_log_is_read_in_part_only_and_that_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_records, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(key_records, "MOST_ROWS", 4)
    for age in range(100, 0, -10):
        await scene.log(age, "key_a")

    found = await scene.records.log("key_a", since=NOW - 3600)

    assert (len(found.records), found.reaches_to) == (4, NOW - 40)


async def test_an_empty_log_reaches_nowhere(scene: Scene) -> None:
    found = await scene.records.log("key_a", since=NOW - 3600)

    assert (found.records, found.reaches_to) == ([], float("inf"))


async def test_a_request_is_found_by_its_own_key_only(scene: Scene) -> None:
    request_id = await scene.log(5, "key_a")

    assert await scene.records.request("key_a", request_id) is not None
    assert await scene.records.request("key_b", request_id) is None
    assert await scene.records.request("key_a", "req_unknown") is None


async def test_what_counts_against_limits_just_now_is_told(scene: Scene) -> None:
    await scene.redis.zadd(keyspace.minute_requests("key_a"), {"r1": NOW - 61, "r2": NOW - 5})
    seconds: dict[Any, Any] = {NOW - 70: 5, NOW - 10: 30, f"{NOW - 10}+": NOW - 10.0, NOW: 12}
    await scene.redis.hset(keyspace.minute_tokens("key_a"), mapping=seconds)
    await scene.redis.zadd(keyspace.streams("key_a"), {"old 9": NOW - 1, "new 9": NOW + 30})

    assert await scene.records.minute("key_a", now=NOW) == (1, 42, 1)
    assert await scene.records.minute("key_b", now=NOW) == (0, 0, 0)


async def test_figures_of_a_minute_of_another_type_are_none(scene: Scene) -> None:
    for name in (keyspace.minute_requests, keyspace.minute_tokens, keyspace.streams):
        await scene.redis.set(name("key_a"), "x")

    assert await scene.records.minute("key_a", now=NOW) == (0, 0, 0)
