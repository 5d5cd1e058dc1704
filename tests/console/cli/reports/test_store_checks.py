"""What `doctor` finds in Redis is shown in test_doctor; here what only a strange Redis says."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.cli.commands import run
from codex_proapi.console.cli.opened_store import OpenedStore
from codex_proapi.console.cli.reports.findings import Verdict
from codex_proapi.console.cli.reports.store_checks import store_findings
from codex_proapi.console.settings import ConsoleSettings


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ({"redis_version": "6.2.1"}, Verdict.FAIL),
        ({"redis_version": "7.2.4"}, Verdict.OK),
        ({"valkey_version": "9.1.0"}, Verdict.OK),
        ({"redis_version": "unstable"}, Verdict.OK),
        ({}, Verdict.OK),
    ],
)
async def test_versions_of_every_spelling(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, info: dict[str, str], verdict: Verdict
) -> None:
    keys = (Fernet.generate_key().decode(),)
    store = OpenedStore(ConsoleSettings(redis_url=redis_url, encryption_keys=keys))

    async def told(*_: Any) -> dict[str, str]:
        return info

    async with store:
        monkeypatch.setattr(store.redis, "info", told)
        found = await store_findings(store)

    assert found[0].check == "redis"
    assert found[0].verdict is verdict


def test_data_of_a_newer_version_is_a_finding(
    redis_url: str, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.hset(keyspace.schema(), mapping={"version": 9, "least": 9})
    away = {"CODEX_BASE_URL": "http://127.0.0.1:1/x", "CODEX_AUTH_URL": "http://127.0.0.1:1"}

    assert run({**environ, **away}, ["doctor"]) == 1

    out = capsys.readouterr().out
    assert "fail  stored data: This version knows" in out
    assert "backend" in out
