"""What runs, what there is to spend, and what was spent, for people and for programs."""

import json
import time

import pytest
from redis.asyncio import Redis
from support.console_scene import FERNET, Scene

from codex_proapi.commons.redis.clients import connect
from codex_proapi.console.cli.commands import run


@pytest.fixture
async def filled(redis_url: str, redis_client: Redis) -> dict[str, str]:
    """The environment of an installation with a day of traffic."""
    client = connect(redis_url)
    await Scene(client, now=time.time()).fill()
    await client.aclose()
    return {"REDIS_URL": redis_url, "ENCRYPTION_KEYS": FERNET}


def shown(environ: dict[str, str], capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(environ, list(arguments)) == 0
    return capsys.readouterr().out


def test_an_empty_installation_says_what_to_do(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = shown(environ, capsys, "status")

    assert "accounts: none yet" in told
    assert "nothing runs" in told
    assert shown(environ, capsys, "usage") == "nothing was used in 7 days (UTC)\n"


def test_states_are_counted_and_replicas_are_listed(
    filled: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = shown(filled, capsys, "status")
    found = json.loads(shown(filled, capsys, "status", "--json"))

    assert "accounts: 4 active, 1 paused, 1 revoked" in told
    assert "API keys: 2 active, 1 revoked" in told
    assert found["accounts"] == {"active": 4, "paused": 1, "revoked": 1}
    assert [each["host"] for each in found["replicas"]] == ["gw-0", "gw-1"]


@pytest.mark.parametrize("by", ["key", "account", "model"])
def test_usage_is_summed_over_days_or_told_by_day(
    filled: dict[str, str], capsys: pytest.CaptureFixture[str], by: str
) -> None:
    rows = json.loads(shown(filled, capsys, "usage", "--by", by, "--days", "30", "--json"))["rows"]
    lines = shown(filled, capsys, "usage", "--by", by, "--days", "30").splitlines()
    daily = shown(filled, capsys, "usage", "--by", by, "--days", "30", "--daily").splitlines()

    assert lines[0].split("\t")[0] == by.upper()
    requests = sum(int(line.split("\t")[1]) for line in lines[1:])
    assert requests == sum(row["requests"] for row in rows) > 0
    assert len(lines) - 1 == len({row["subject"] for row in rows})
    assert len(daily) - 1 == len(rows)
