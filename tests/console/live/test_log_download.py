"""The log as a file."""

import csv
import io
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from redis.asyncio import Redis
from support.console_scene import Scene
from support.consoles import console_settings, guarded, running, script

from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel, LogStream
from codex_proapi.console.live import log_download

NOW = 1_790_000_000.0
PATHS = ("/api/logs.ndjson", "/api/logs.csv")


@pytest.fixture
async def api(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(console_settings(redis_url)) as console, script(console) as api:
        yield api


async def fill(redis: Redis, count: int) -> None:
    stream = LogStream(redis)
    for number in range(count):
        level = LogLevel.ERROR if number % 10 == 0 else LogLevel.INFO
        event = f"account.n{number}"
        await stream.append(
            LogEntry(at=NOW + number, level=level, kind=LogKind.ACCOUNT, event=event)
        )


async def test_all_entries_that_pass_the_filter_come_newest_first_however_many_are_read_at_once(
    api: httpx.AsyncClient, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_download, "BATCH", 7)
    await fill(redis_client, 65)
    whole = await api.get("/api/logs.ndjson")
    errors = await api.get("/api/logs.csv", params={"level": "error"})

    entries = [msgspec.json.decode(line) for line in whole.text.splitlines()]
    assert [each["entry"]["event"] for each in entries] == [
        f"account.n{n}" for n in range(64, -1, -1)
    ]
    table = list(csv.DictReader(io.StringIO(errors.text)))
    assert [row["event"] for row in table] == [f"account.n{n}" for n in range(60, -1, -10)]
    assert table[-1]["time"] == "2026-09-21T14:13:20.000+00:00"
    assert "attachment" in whole.headers["content-disposition"]
    assert whole.headers["content-type"].startswith("application/x-ndjson")
    assert errors.headers["content-type"].startswith("text/csv")


async def test_no_more_is_read_than_a_log_may_hold(
    api: httpx.AsyncClient, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_download, "BATCH", 5)
    monkeypatch.setattr(log_download, "MOST", 10)
    await fill(redis_client, 30)

    assert len((await api.get("/api/logs.ndjson")).text.splitlines()) == 10


async def test_a_request_has_its_figures_and_what_looks_like_a_formula_is_text(
    redis_url: str, redis_client: Redis
) -> None:
    scene = Scene(redis_client, now=NOW)
    stream = LogStream(redis_client)
    record = scene.record(1, at=NOW, key_id="key_1", asked_model="=HYPERLINK(1)")
    record = msgspec.structs.replace(record, key_name="+CI")
    entry = LogEntry(at=NOW, kind=LogKind.REQUEST, event="exchange.settled", exchange=record)
    await stream.append(entry)
    async with running(console_settings(redis_url)) as console, script(console) as api:
        [row] = csv.DictReader(io.StringIO((await api.get("/api/logs.csv")).text))

    assert (row["asked_model"], row["key_name"]) == ("'=HYPERLINK(1)", "'+CI")
    assert (row["input_tokens"], row["tries"]) == (
        str(record.tokens.input),
        str(len(record.attempts)),
    )
    assert tuple(row) == log_download.COLUMNS


async def test_an_empty_log_is_an_empty_file(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/logs.ndjson")).text == ""
    assert (await api.get("/api/logs.csv")).text.startswith("id,time,level")


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_gets_it_without_a_login(redis_url: str, path: str) -> None:
    async with running(guarded(redis_url)) as console, script(console) as stranger:
        assert (await stranger.get(path)).status_code == 401


@pytest.mark.parametrize("path", PATHS)
async def test_a_filter_that_is_none_is_refused_by_name(api: httpx.AsyncClient, path: str) -> None:
    refused = await api.get(path, params={"level": "loud"})

    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "level")
