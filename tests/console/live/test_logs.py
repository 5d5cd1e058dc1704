"""The log one page at a time. Live it is walked in tests/journeys/test_f6_live_log.py."""

from collections.abc import AsyncIterator

import httpx
import pytest
from redis.asyncio import Redis
from support.consoles import console_settings, running, script

from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel, LogStream
from codex_proapi.console.live import logs
from codex_proapi.console.live.log_filter import LogFilter


@pytest.fixture
async def api(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with running(console_settings(redis_url)) as console, script(console) as api:
        yield api


async def fill(redis: Redis, count: int) -> None:
    stream = LogStream(redis)
    for number in range(count):
        level = LogLevel.ERROR if number % 10 == 0 else LogLevel.INFO
        await stream.append(
            LogEntry(
                at=float(number), level=level, kind=LogKind.ACCOUNT, event=f"account.n{number}"
            )
        )


def events(page: dict[str, object]) -> list[str]:
    entries = page["entries"]
    assert isinstance(entries, list)
    return [kept["entry"]["event"] for kept in entries]


async def test_pages_lead_from_the_newest_to_the_oldest(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    await fill(redis_client, 25)
    first = (await api.get("/api/logs", params={"limit": 10})).json()
    second = (await api.get("/api/logs", params={"limit": 20, "before": first["before"]})).json()

    assert events(first) == [f"account.n{n}" for n in range(24, 14, -1)]
    assert events(second) == [f"account.n{n}" for n in range(14, -1, -1)]
    assert (first["latest"], second["before"]) == (first["entries"][0]["id"], "")


async def test_a_filter_looks_as_far_back_as_it_must(
    api: httpx.AsyncClient, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SCAN", 7)
    await fill(redis_client, 65)
    page = (await api.get("/api/logs", params={"level": "error", "limit": 4})).json()
    rest = (await api.get("/api/logs", params={"level": "error", "before": page["before"]})).json()

    assert events(page) == [f"account.n{n}" for n in (60, 50, 40, 30)]
    assert events(rest) == [f"account.n{n}" for n in (20, 10, 0)]
    assert page["scanned"] == 35
    assert rest["before"] == ""


async def test_one_answer_looks_through_a_part_of_a_long_log(
    api: httpx.AsyncClient, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SCAN", 7)
    monkeypatch.setattr(logs, "SCANNED_AT_MOST", 30)
    await fill(redis_client, 65)
    found, before, scanned = [], "", []
    while True:
        page = (await api.get("/api/logs", params={"q": "account.n7", "before": before})).json()
        found += events(page)
        scanned.append(page["scanned"])
        before = page["before"]
        if not before:
            break

    assert found == ["account.n7"]
    assert scanned == [30, 30, 5]


async def test_a_page_without_filter_reads_no_more_than_it_shows(redis_client: Redis) -> None:
    await fill(redis_client, 65)

    page = await logs.read_page(LogStream(redis_client), LogFilter(), limit=10)

    assert (len(page.entries), page.scanned) == (10, 10)


async def test_an_empty_log_is_an_empty_page(redis_client: Redis) -> None:
    page = await logs.read_page(LogStream(redis_client), LogFilter())

    assert (page.entries, page.before, page.latest) == ([], "", "0-0")


async def test_a_page_of_a_cleared_log_tells_where_the_log_stands(redis_client: Redis) -> None:
    await fill(redis_client, 2)
    stream = LogStream(redis_client)
    last = await stream.last_id()
    await stream.clear()

    page = await logs.read_page(stream, LogFilter())
    assert (page.entries, page.latest) == ([], last)


@pytest.mark.parametrize(
    "params",
    [
        {"level": "loud"},
        {"kind": "request,mood"},
        {"before": "yesterday"},
        {"before": "1-2-3"},
        {"limit": "501"},
        {"status": "9xx"},
        {"q": "x" * 201},
    ],
)
async def test_a_wrong_parameter_is_refused(api: httpx.AsyncClient, params: dict[str, str]) -> None:
    assert (await api.get("/api/logs", params=params)).status_code == 400


async def test_hostile_text_comes_back_as_json_and_nothing_else(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    hostile = '<img src=x onerror=alert(1)>\r\n\x1b[31m\u2028"'
    await LogStream(redis_client).append(
        LogEntry(at=1.0, kind=LogKind.REQUEST, event="exchange.settled", model=hostile)
    )
    answer = await api.get("/api/logs")

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["entries"][0]["entry"]["model"] == hostile
    assert "\r" not in answer.text
    assert "\x1b" not in answer.text
