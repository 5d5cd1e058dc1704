"""F6: the live log, from any console to any browser, resumable, and ended when it must be."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from redis.asyncio import Redis
from support.consoles import Browser, console_settings, event_source, guarded, running, served
from support.redis_server import RedisServer

from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel, LogStream
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.console.app import Console
from codex_proapi.console.live import event_streams, log_broadcast
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter


class Scene(NamedTuple):
    """Two consoles behind sockets, and the log both read."""

    first: Console
    here: str
    there: str
    logs: LogStream


@pytest.fixture
async def scene(redis_url: str, redis_client: Redis) -> AsyncIterator[Scene]:
    settings = console_settings(redis_url)
    async with (
        running(settings) as first,
        running(settings) as second,
        served(first) as here,
        served(second) as there,
    ):
        await _until(
            lambda: all(each.parts.log_broadcast._ready.is_set() for each in (first, second))
        )
        yield Scene(first, here, there, LogStream(redis_client))


def an_entry(event: str = "account.cooled", **provided: object) -> LogEntry:
    return LogEntry(**{"at": 1.0, "kind": LogKind.ACCOUNT, "event": event, **provided})  # type: ignore[arg-type]


async def test_an_entry_reaches_the_browsers_of_every_console_within_a_second(
    scene: Scene, redis_client: Redis
) -> None:
    record = ExchangeRecord(
        request_id="req_1",
        at=time.time(),
        endpoint="chat",
        ending=Ending.WHOLE,
        sent_model="gpt-6-sol",
        account="acc_1",
        attempts=(AttemptRecord(account="acc_1", verdict="committed"),),
        tokens=Tokens(input=7, output=2),
    )
    async with (
        event_source(scene.here, "/api/logs/stream") as one,
        event_source(scene.there, "/api/logs/stream") as other,
    ):
        await asyncio.sleep(0.05)
        await SettlementWriter(redis_client).add([record])
        events = [await one.next(), await other.next()]
        assert max(one.heartbeats, other.heartbeats) <= 1, "at once: one tells that it has begun"

    assert events[0] == events[1]
    assert events[0] is not None
    assert events[0]["event"] == "log"
    assert events[0]["data"]["request_id"] == "req_1"
    assert events[0]["data"]["exchange"]["tokens"]["input"] == 7


async def test_a_browser_that_comes_back_misses_nothing_and_sees_nothing_twice(
    scene: Scene,
) -> None:
    async with event_source(scene.here, "/api/logs/stream") as source:
        await asyncio.sleep(0.05)
        await scene.logs.append(an_entry("account.first"))
        first = await source.next()
    for name in ("account.second", "account.third"):
        await scene.logs.append(an_entry(name))

    assert first is not None
    back = {"last-event-id": first["id"]}
    async with event_source(scene.there, "/api/logs/stream?after=0-1", **back) as source:
        await scene.logs.append(an_entry("account.fourth"))
        seen = [await source.next() for _ in range(3)]

    assert [event and event["data"]["event"] for event in seen] == [
        "account.second",
        "account.third",
        "account.fourth",
    ]


async def test_a_page_and_the_stream_after_it_leave_no_gap(scene: Scene) -> None:
    await scene.logs.append(an_entry("account.before"))
    async with Browser(scene.first) as browser:
        page = (await browser.get("/api/logs")).json()
    await scene.logs.append(an_entry("account.between"))

    async with event_source(scene.here, f"/api/logs/stream?after={page['latest']}") as source:
        event = await source.next()
    assert [kept["entry"]["event"] for kept in page["entries"]] == ["account.before"]
    assert event is not None
    assert event["data"]["event"] == "account.between"


async def test_who_is_far_behind_is_caught_up_from_redis(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_broadcast, "RING", 5)
    monkeypatch.setattr(log_broadcast, "CATCH_UP", 7)
    for number in range(40):
        await scene.logs.append(an_entry(f"account.n{number}"))
    await asyncio.sleep(0.1)

    async with event_source(scene.here, "/api/logs/stream?after=0-1") as source:
        seen = [await source.next() for _ in range(40)]
    names = [event["data"]["event"] for event in seen if event]
    assert names == [f"account.n{number}" for number in range(40)]


async def test_only_what_passes_the_filters_is_sent_and_the_place_moves_on(scene: Scene) -> None:
    path = "/api/logs/stream?level=error&account=acc_1"
    async with event_source(scene.here, path) as source:
        await asyncio.sleep(0.05)
        await scene.logs.append(an_entry("account.quiet"))
        await scene.logs.append(an_entry("account.other", level=LogLevel.ERROR, account="acc_2"))
        skipped = await scene.logs.append(an_entry("account.quiet"))
        following = asyncio.ensure_future(source.next())
        await _until(lambda: source.heartbeats)
        await scene.logs.append(an_entry("account.ours", level=LogLevel.ERROR, account="acc_1"))
        event = await following

    assert event is not None
    assert event["data"]["event"] == "account.ours"
    assert skipped < event["id"]


async def test_silence_has_a_heartbeat_and_no_event(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_proapi.console.live.logs.PATIENCE", 0.05)
    async with event_source(scene.here, "/api/logs/stream") as source:
        following = asyncio.ensure_future(source.next())
        await _until(lambda: source.heartbeats >= 3)
        assert not following.done()
        following.cancel()


@pytest.mark.parametrize("path", ["/api/logs/stream", "/api/events"])
async def test_signing_out_ends_the_streams_of_the_session(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("codex_proapi.console.live.logs.PATIENCE", 0.1)
    monkeypatch.setattr(event_streams, "CHECK_SECONDS", 0.1)
    async with running(guarded(redis_url)) as console, served(console) as address:
        base = {"base": address}
        async with Browser(console, **base) as leaving, Browser(console, **base) as staying:
            await leaving.sign_in()
            await staying.sign_in()
            async with (
                event_source(address, path, cookies=leaving.cookies) as gone,
                event_source(address, path, cookies=staying.cookies) as stays,
            ):
                await leaving.delete("/api/session")
                last = await _last_event(gone)
                assert last == {"event": "signed_out", "data": {}}
                assert await gone.next() is None
                await leaving.aclose()
                assert stays.answer.is_closed is False


@pytest.mark.parametrize("path", ["/api/logs/stream", "/api/events"])
async def test_redis_away_ends_a_stream_without_asking_anybody_to_sign_in(
    redis_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("codex_proapi.console.live.logs.PATIENCE", 0.1)
    monkeypatch.setattr(event_streams, "CHECK_SECONDS", 0.1)
    async with (
        running(guarded(redis_url)) as console,
        served(console) as address,
        Browser(console, base=address) as browser,
    ):
        await browser.sign_in()
        async with event_source(address, path, cookies=browser.cookies) as source:
            redis_server.kill()
            try:
                assert await source.next() is None
            finally:
                redis_server.start()


async def test_the_patience_in_production_ends_a_stream_in_time() -> None:
    assert event_streams.PATIENCE + event_streams.CHECK_SECONDS < 15


async def test_a_stopped_console_ends_its_streams_at_once(scene: Scene) -> None:
    async with event_source(scene.here, "/api/logs/stream") as source:
        scene.first.begin_drain()
        assert await source.next() is None
        assert source.heartbeats <= 1, "at once: one tells that the stream has begun"


async def test_one_visitor_holds_only_so_many_streams(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "MOST_STREAMS", 2)
    async with (
        event_source(scene.here, "/api/logs/stream") as one,
        event_source(scene.here, "/api/events") as other,
        event_source(scene.here, "/api/logs/stream") as refused,
    ):
        assert (one.answer.status_code, other.answer.status_code) == (200, 200)
        assert refused.answer.status_code == 429
        assert refused.answer.json()["error"]["code"] == "too_many_streams"
    await _until(lambda: "with 0 streams" in repr(scene.first.parts.gate))


async def test_a_stream_needs_an_administrator_at_its_start(redis_url: str) -> None:
    async with running(guarded(redis_url)) as console, served(console) as address:
        for path in ("/api/logs/stream", "/api/events"):
            async with event_source(address, path) as source:
                assert source.answer.status_code == 401


async def test_what_changes_is_named_to_the_pages(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_proapi.console.live.changes.CHECK_SECONDS", 0.05)
    async with (
        event_source(scene.there, "/api/events") as source,
        Browser(scene.first) as browser,
    ):
        await browser.learn()
        await asyncio.sleep(1.3)
        await browser.post("/api/keys", json={"name": "k"})
        event = await source.next()
        topics = set(event["data"]["changed"]) if event else set()
        while "keys" not in topics:
            event = await source.next()
            assert event is not None
            topics |= set(event["data"]["changed"])
        await browser.patch("/api/settings", json={"routing": "round_robin"})
        while "settings" not in topics:
            event = await source.next()
            assert event is not None
            topics |= set(event["data"]["changed"])

    assert topics >= {"keys", "settings"}
    assert topics <= {"keys", "settings", "logs", "usage"}


async def test_clearing_can_be_undone_and_the_live_log_goes_on(scene: Scene) -> None:
    async with Browser(scene.first) as browser:
        await browser.learn()
        await scene.logs.append(an_entry("account.old"))
        cleared = (await browser.delete("/api/logs")).json()
        kept = [e["entry"]["event"] for e in (await browser.get("/api/logs")).json()["entries"]]
        restored = await browser.post("/api/logs/undo")
        again = [e["entry"]["event"] for e in (await browser.get("/api/logs")).json()["entries"]]
        twice = await browser.post("/api/logs/undo")

    assert cleared == {"cleared": 1, "undo_seconds": 600}
    assert kept == ["log.cleared"]
    assert restored.status_code == 204
    assert again == ["log.restored", "log.cleared", "account.old"]
    assert (twice.status_code, twice.json()["error"]["code"]) == (409, "nothing_to_undo")


async def _last_event(source: object) -> object:
    """The last event before the end, whatever came before it."""
    event = await source.next()  # type: ignore[attr-defined]
    while event is not None and event["event"] != "signed_out":
        event = await source.next()  # type: ignore[attr-defined]
    return event


async def _until(holds: object) -> None:
    async with asyncio.timeout(60):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.02)
