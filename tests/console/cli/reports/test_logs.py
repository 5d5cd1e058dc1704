"""The log on a terminal: oldest first, filtered, as lines or as JSON."""

import json

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel, LogStream
from codex_proapi.console.cli.commands import run
from codex_proapi.console.cli.reports.logs import line_of


def an_entry(number: int, level: LogLevel = LogLevel.INFO) -> LogEntry:
    return LogEntry(
        at=1_790_000_000.0 + number,
        level=level,
        kind=LogKind.SYSTEM,
        event="account.added",
        account=f"acc_{number}",
        detail={"name": "Ada\x1b[31m"},
    )


@pytest.fixture
async def filled(redis_url: str, redis_client: Redis, environ: dict[str, str]) -> dict[str, str]:
    client = connect(redis_url)
    for number in range(5):
        level = LogLevel.ERROR if number == 2 else LogLevel.INFO
        await LogStream(client).append(an_entry(number, level))
    await client.aclose()
    return environ


def test_the_newest_come_last(filled: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(filled, ["logs", "-n", "3", "--json"]) == 0

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["account"] for each in found] == ["acc_2", "acc_3", "acc_4"]
    assert found[0]["at"] == "2026-09-21T14:13:22+00:00"


def test_filters_hold(filled: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(filled, ["logs", "--level", "error"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "acc_2" in line
    assert "\x1b" not in line

    assert run(filled, ["logs", "--account", "acc_4"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1

    assert run(filled, ["logs", "-n", "0"]) == 0
    assert capsys.readouterr().out == ""


def test_a_line_has_time_level_event_and_facts() -> None:
    told = line_of(an_entry(1, LogLevel.WARNING), Calendar("Asia/Shanghai"))

    assert told.startswith("2026-09-21 22:13:21+08:00 ")
    assert " warning account.added account=acc_1 name=Ada" in told
