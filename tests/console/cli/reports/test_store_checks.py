"""What `doctor` finds in Redis is shown in test_doctor; here what only a strange Redis says."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from redis import Redis
from support.redis_server import RedisServer

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


@pytest.mark.parametrize(
    ("info", "check", "verdict", "told"),
    [
        ({"aof_enabled": 1}, "persistence", Verdict.OK, "appended"),
        ({"aof_enabled": 0}, "persistence", Verdict.WARN, "off"),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "persistence", Verdict.FAIL, "failed"),
        ({"maxmemory_policy": "allkeys-lru"}, "memory", Verdict.FAIL, "allkeys-lru"),
        ({"maxmemory": 100 << 20, "used_memory": 90 << 20}, "memory", Verdict.WARN, "90 %"),
        ({"maxmemory": 100 << 20, "used_memory": 101 << 20}, "memory", Verdict.FAIL, "101 %"),
        ({"maxmemory": 100 << 20, "used_memory": 5 << 20}, "memory", Verdict.OK, "5 MiB of 100"),
        ({"used_memory": 5 << 20}, "memory", Verdict.OK, "without a limit"),
    ],
)
async def test_persistence_and_memory_are_told_either_way(
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    info: dict[str, Any],
    check: str,
    verdict: Verdict,
    told: str,
) -> None:
    keys = (Fernet.generate_key().decode(),)

    async def answer(*_: Any) -> dict[str, Any]:
        return info

    async with OpenedStore(ConsoleSettings(redis_url=redis_url, encryption_keys=keys)) as store:
        monkeypatch.setattr(store.redis, "info", answer)
        (found,) = [each for each in await store_findings(store) if each.check == check]

    assert (found.verdict, bool(found.cure)) == (verdict, verdict is not Verdict.OK)
    assert told in found.found


def test_a_user_that_may_not_ask_for_figures_is_examined_all_the_same(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    away = {"CODEX_BASE_URL": "http://127.0.0.1:1/x", "CODEX_AUTH_URL": "http://127.0.0.1:1"}
    with RedisServer() as server:
        with Redis.from_url(server.url) as redis:
            redis.execute_command(
                *("ACL", "SETUSER", "app", "on", ">invented", "~{codex-proapi}:*", "&*"),
                *("+@all", "-@dangerous", "-@admin"),
            )
        url = server.url.replace("unix://", "unix://app:invented@")

        run({**environ, **away, "REDIS_URL": url}, ["doctor"])

    out = capsys.readouterr().out
    assert "warn  persistence: its user may not ask" in out
    assert "ok    encryption keys" in out
    assert "warn  gateways" in out


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
