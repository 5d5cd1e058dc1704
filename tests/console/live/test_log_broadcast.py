"""One reader for all followers: the rest is walked in tests/journeys/test_f6_live_log.py."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import connect_blocking
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogStream, StoredEntry
from codex_proapi.console.live import log_broadcast as fans
from codex_proapi.console.live.log_broadcast import LogBroadcast


def an_entry(event: str) -> LogEntry:
    return LogEntry(at=1.0, kind=LogKind.SYSTEM, event=event)


class Counting(LogStream):
    """A stream that counts its readers, and fails when told."""

    reads = 0
    failures = 0
    away = False

    def fail(self) -> None:
        self.failures += 1

    async def follow(
        self, after: str = "$", *, block: float = 15, count: int = 200
    ) -> Sequence[StoredEntry]:
        self.reads += 1
        if self.away:
            raise StoreUnavailable("away")
        return await super().follow(after, block=block, count=count)


@pytest.fixture
async def logs(redis_client: Redis, redis_url: str) -> AsyncIterator[Counting]:
    blocking_redis = connect_blocking(redis_url)
    yield Counting(redis_client, blocking_redis=blocking_redis)
    await blocking_redis.aclose()


@pytest.fixture
async def log_broadcast(logs: Counting) -> AsyncIterator[LogBroadcast]:
    log_broadcast = LogBroadcast(logs, failed=logs.fail)
    async with Tasks() as tasks:
        tasks.start(log_broadcast.run(), name="log_broadcast")
        async with asyncio.timeout(60):
            await log_broadcast._ready.wait()
        yield log_broadcast
        log_broadcast.close()


async def read(log_broadcast: LogBroadcast, count: int, after: str = "") -> list[str]:
    seen: list[str] = []
    async for batch in log_broadcast.follow(after, patience=3):
        seen += [kept.entry.event for kept in batch]
        if len(seen) >= count:
            break
    return seen


async def test_a_hundred_followers_cost_one_read(
    log_broadcast: LogBroadcast, logs: Counting
) -> None:
    followers = [asyncio.ensure_future(read(log_broadcast, 3)) for _ in range(100)]
    await asyncio.sleep(0.05)
    before = logs.reads
    for number in range(3):
        await logs.append(an_entry(f"system.n{number}"))
    seen = await asyncio.gather(*followers)

    assert seen == [["system.n0", "system.n1", "system.n2"]] * 100
    assert logs.reads - before <= 4


async def test_a_follower_begins_now_unless_it_names_a_place(
    log_broadcast: LogBroadcast, logs: Counting
) -> None:
    early = asyncio.ensure_future(read(log_broadcast, 2))
    await asyncio.sleep(0.05)
    first = await logs.append(an_entry("system.old"))
    await logs.append(an_entry("system.older"))
    assert await early == ["system.old", "system.older"]
    follower = asyncio.ensure_future(read(log_broadcast, 1))
    await asyncio.sleep(0.05)
    await logs.append(an_entry("system.fresh"))

    assert await follower == ["system.fresh"]
    assert await read(log_broadcast, 2, after=first) == ["system.older", "system.fresh"]


async def test_after_redis_was_away_it_goes_on_where_it_stopped(
    log_broadcast: LogBroadcast, logs: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fans, "RETRY_SECONDS", 0.01)
    follower = asyncio.ensure_future(read(log_broadcast, 3))
    await asyncio.sleep(0.05)
    await logs.append(an_entry("system.before"))
    await asyncio.sleep(0.05)
    logs.away = True
    await logs.append(an_entry("system.while"))
    while not logs.failures:
        await asyncio.sleep(0.005)
    logs.away = False
    await logs.append(an_entry("system.after"))

    assert await follower == ["system.before", "system.while", "system.after"]
    assert logs.failures > 0


async def test_silence_is_told_in_time_and_closing_ends_every_follower(
    log_broadcast: LogBroadcast,
) -> None:
    batches: list[Sequence[StoredEntry]] = []

    async def follow() -> None:
        async for batch in log_broadcast.follow(patience=0.02):
            batches.append(batch)

    following = asyncio.ensure_future(follow())
    while len(batches) < 3:
        await asyncio.sleep(0.005)
    log_broadcast.close()
    async with asyncio.timeout(60):
        await following

    assert not any(batches)


async def test_a_follower_that_came_before_redis_did_sees_what_comes(logs: Counting) -> None:
    log_broadcast = LogBroadcast(logs)
    follower = asyncio.ensure_future(read(log_broadcast, 1))
    await asyncio.sleep(0.05)
    async with Tasks() as tasks:
        tasks.start(log_broadcast.run(), name="log_broadcast")
        await log_broadcast._ready.wait()
        await logs.append(an_entry("system.first"))
        assert await follower == ["system.first"]
        log_broadcast.close()


async def test_a_reader_that_began_at_a_cleared_log_takes_what_is_brought_back_for_no_news(
    logs: Counting,
) -> None:
    await logs.append(an_entry("system.old"))
    await logs.clear()
    log_broadcast = LogBroadcast(logs)
    async with Tasks() as tasks:
        tasks.start(log_broadcast.run(), name="log_broadcast")
        async with asyncio.timeout(60):
            await log_broadcast._ready.wait()
        follower = asyncio.ensure_future(read(log_broadcast, 1))
        assert await logs.restore()
        await logs.append(an_entry("system.fresh"))
        assert await follower == ["system.fresh"]
        log_broadcast.close()


async def test_one_new_entry_costs_a_follower_one_look_and_no_walk_over_the_ring(
    logs: Counting, log_broadcast: LogBroadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_broadcast._take([StoredEntry(id=f"9{n:012d}-0", entry=an_entry("x")) for n in range(2_000)])
    parsed = 0
    order = fans._order

    def counted(entry_id: str) -> tuple[int, int]:
        nonlocal parsed
        parsed += 1
        return order(entry_id)

    monkeypatch.setattr(fans, "_order", counted)
    found = await log_broadcast._since("9000000001998-0")

    assert [kept.id for kept in found] == ["9000000001999-0"]
    assert parsed == 1
