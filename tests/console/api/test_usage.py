"""Usage as JSON and CSV, and the series behind the charts."""

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import console_settings, running, script

from codex_proapi.commons.usage.calendar import calendar_of
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.console.api.usage_rows import days_of
from codex_proapi.console.app import Console
from codex_proapi.console.errors import BadRequest
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

NOW = 1_795_000_123
DAY = 86_400
TODAY, TOMORROW = "2026-11-18", "2026-11-19"


def a_record(number: int, *, at: float = NOW, key: str = "", **provided: Any) -> ExchangeRecord:
    fields = {
        "request_id": f"req_{number}",
        "at": at,
        "endpoint": "chat",
        "ending": Ending.WHOLE,
        "key_id": key,
        "account": "acc_1",
        "sent_model": "gpt-6-sol",
        "tokens": Tokens(input=100, cached=60, output=10, reasoning=4),
        "first_byte_ms": 200,
        "total_ms": 900,
        **provided,
    }
    return ExchangeRecord(**fields)


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(console_settings(redis_url), clock=Clock(NOW)) as console:
        yield console


@pytest.fixture
async def api(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    async with script(console) as api:
        yield api


async def test_usage_adds_up_by_day_and_key(api: httpx.AsyncClient, redis_client: Redis) -> None:
    key = (await api.post("/api/keys", json={"name": "laptop"})).json()["key"]["id"]
    await SettlementWriter(redis_client).add(
        [
            a_record(1, key=key),
            a_record(2, key=key, ending=Ending.BROKEN),
            a_record(3),
            a_record(4, key=key, at=NOW - 3 * DAY),
            a_record(5, key=key, at=NOW - 9 * DAY),
        ]
    )
    body = (await api.get("/api/usage")).json()

    assert (body["by"], body["since"], body["until"]) == ("key", "2026-11-12", TODAY)
    assert [(row["day"], row["name"], row["requests"], row["total"]) for row in body["rows"]] == [
        ("2026-11-15", "laptop", 1, 110),
        (TODAY, "laptop", 2, 220),
        (TODAY, "open", 1, 110),
    ]
    row = body["rows"][1]
    assert (row["errors"], row["cached"], row["reasoning"], row["first_byte_ms"]) == (
        1,
        120,
        8,
        200,
    )


@pytest.mark.parametrize(("by", "subject"), [("account", "acc_1"), ("model", "gpt-6-sol")])
async def test_usage_is_told_by_account_and_model_too(
    api: httpx.AsyncClient, redis_client: Redis, by: str, subject: str
) -> None:
    await SettlementWriter(redis_client).add([a_record(1)])
    body = (await api.get("/api/usage", params={"by": by, "since": TODAY})).json()

    assert [(row["subject"], row["requests"]) for row in body["rows"]] == [(subject, 1)]


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({"by": "key", "model": "gpt-6-sol"}, [("key_a", 2), ("key_b", 1)]),
        ({"by": "model", "key": "key_a"}, [("gpt-5.5", 1), ("gpt-6-sol", 2)]),
        ({"by": "model", "key": "key_a", "model": "gpt-5.5"}, [("gpt-5.5", 1)]),
        ({"by": "key", "key": "key_b"}, [("key_b", 1)]),
        ({"by": "key", "model": "gpt-4"}, []),
    ],
)
async def test_who_uses_which_model_is_told(
    api: httpx.AsyncClient, redis_client: Redis, asked: Any, rows: Any
) -> None:
    await SettlementWriter(redis_client).add(
        [
            a_record(1, key="key_a"),
            a_record(2, key="key_a", at=NOW - 1),
            a_record(3, key="key_b"),
            a_record(4, key="key_a", sent_model="gpt-5.5", estimated=9),
        ]
    )

    body = (await api.get("/api/usage", params={**asked, "since": TODAY})).json()

    assert sorted((row["subject"], row["requests"]) for row in body["rows"]) == rows
    assert sum(row["estimated"] for row in body["rows"]) == (9 if "gpt-5.5" in dict(rows) else 0)


async def test_hours_are_told_with_their_costs_by_key_account_and_model(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    key = (await api.post("/api/keys", json={"name": "laptop"})).json()["key"]["id"]
    hour = NOW - NOW % 3600
    await SettlementWriter(redis_client).add(
        [
            a_record(1, at=hour + 10, key=key),
            a_record(2, at=hour + 20, key=key, sent_model="gpt-5.5"),
            a_record(3, at=hour + 30, key="key_2", sent_model="gpt-5.5"),
            a_record(4, at=hour - 10, key=key),
        ]
    )

    async def rows(**query: str) -> list[tuple[str, str, int, bool]]:
        answer = await api.get("/api/usage", params={"step": "hour", **query})
        return [
            (row["day"], row["name"], row["requests"], row["cost_usd"] is not None)
            for row in answer.json()["rows"]
        ]

    before, now = "2026-11-18T10:00+00:00", "2026-11-18T11:00+00:00"
    assert await rows() == [
        (before, "laptop", 1, True),
        (now, "laptop", 2, True),
        (now, "key_2", 1, True),
    ]
    assert await rows(by="account") == [(before, "acc_1", 1, True), (now, "acc_1", 3, True)]
    assert await rows(by="model", model="gpt-5.5") == [(now, "gpt-5.5", 2, True)]
    assert await rows(by="model", key="key_2") == [(now, "gpt-5.5", 1, True)]
    assert await rows(key=key, model="gpt-5.5") == [(now, "laptop", 1, True)]
    assert await rows(by="account", account="acc_2") == []


async def test_hours_cost_what_their_day_costs(api: httpx.AsyncClient, redis_client: Redis) -> None:
    await SettlementWriter(redis_client).add(
        [a_record(n, at=NOW - 1800 * n, key="key_1") for n in range(8)]
    )

    async def dollars(step: str) -> Decimal:
        answer = await api.get("/api/usage", params={"step": step})
        return sum((Decimal(row["cost_usd"]) for row in answer.json()["rows"]), Decimal())

    assert await dollars("hour") == await dollars("day") > 0


async def test_hours_of_more_days_than_they_are_kept_are_refused(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/usage", params={"step": "hour", "since": "2026-09-01"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "since")


async def test_a_day_is_one_of_the_teams_zone_and_another_zone_moves_nothing(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    """In Shanghai a day does not begin at eight in the morning; nothing is lost or counted twice."""
    writer = SettlementWriter(redis_client)
    evening = float(NOW - NOW % DAY + 17 * 3600)  # the next day in Shanghai, 01:00
    await writer.add([a_record(1, at=evening)])

    changed = await api.patch("/api/settings", json={"time_zone": "Asia/Shanghai"})
    writer.calendar = calendar_of(changed.json()["live"]["time_zone"])
    await writer.add([a_record(1, at=evening), a_record(2, at=evening), a_record(3)])
    asked = {"since": TODAY, "until": TOMORROW}
    body = (await api.get("/api/usage", params=asked)).json()

    assert body["time_zone"] == "Asia/Shanghai"
    assert [(row["day"], row["requests"]) for row in body["rows"]] == [(TODAY, 2), (TOMORROW, 1)]


async def test_today_is_that_of_the_teams_zone(redis_url: str) -> None:
    clock = Clock(NOW - NOW % DAY + 17 * 3600)
    async with running(console_settings(redis_url), clock=clock) as console, script(console) as api:
        assert (await api.get("/api/usage")).json()["until"] == TODAY
        await api.patch("/api/settings", json={"time_zone": "Asia/Shanghai"})
        assert (await api.get("/api/usage")).json()["until"] == TOMORROW
        answer = await api.get("/usage", params={"range": "today"})

    assert f'name="until" value="{TOMORROW}" max="{TOMORROW}"' in answer.text


async def test_csv_is_a_file_that_no_spreadsheet_runs(
    api: httpx.AsyncClient, redis_client: Redis
) -> None:
    hostile = '=HYPERLINK("https://evil.example","x")'
    key = (await api.post("/api/keys", json={"name": hostile})).json()["key"]["id"]
    await SettlementWriter(redis_client).add([a_record(1, key=key)])
    answer = await api.get("/api/usage", params={"format": "csv"})

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="usage-key-2026-11-12-{TODAY}.csv"'
    )
    header, row = csv.reader(io.StringIO(answer.text))
    assert (header[-1], row[-1]) == ("time_zone", "UTC")
    assert dict(zip(header, row, strict=True))["name"] == f"'{hostile}"
    assert dict(zip(header, row, strict=True))["total"] == "110"


@pytest.mark.parametrize(
    "params",
    [
        {"since": "2026-13-01"},
        {"since": "yesterday"},
        {"since": "2026-11-19"},
        {"since": "2025-01-01"},
        {"since": "2026-11-18", "until": "2026-11-17"},
        {"by": "mood"},
        {"by": "account", "model": "gpt-6-sol"},
        {"by": "model", "account": "acc_1"},
        {"format": "xml"},
    ],
)
async def test_a_range_that_makes_no_sense_is_refused(
    api: httpx.AsyncClient, params: dict[str, str]
) -> None:
    answer = await api.get("/api/usage", params=params)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value")


async def test_the_series_is_ready_for_a_chart(api: httpx.AsyncClient, redis_client: Redis) -> None:
    await SettlementWriter(redis_client).add([a_record(1), a_record(2, at=NOW - 40 * 60)])
    for span, count in (("1h", 12), ("24h", 48), ("7d", 56)):
        body = (await api.get("/api/series", params={"span": span})).json()
        assert (body["span"], len(body["points"])) == (span, count)
        assert sum(point["requests"] for point in body["points"]) == 2
        assert body["points"][-1]["cached"] >= 60


def test_days_are_counted_with_both_ends() -> None:
    assert days_of("", "", today=TODAY)[0] == "2026-11-12"
    assert days_of(TODAY, "", today=TODAY) == [TODAY]
    assert days_of("2026-02-27", "2026-03-01", today=TODAY) == [
        "2026-02-27",
        "2026-02-28",
        "2026-03-01",
    ]
    with pytest.raises(BadRequest):
        days_of("2025-01-01", "", today=TODAY)
