"""A report for others has no secret, no name, no id of an account or key."""

import pathlib
import time

import msgspec
import pytest
from redis.asyncio import Redis
from support.console_scene import FERNET, Scene

from codex_proapi.commons.redis.clients import connect
from codex_proapi.console.cli.commands import run
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.console.cli.reports.bundle import bundle_of


def test_a_setting_that_could_tell_a_secret_or_a_place_is_only_set() -> None:
    told = bundle_of(
        {
            "REDIS_URL": "redis://:canary@h",
            "LOG_LEVEL": "info",
            "PUBLIC_URL": "https://x.y",
            "A": "b",
        }
    )

    assert told.settings == {"LOG_LEVEL": "info", "PUBLIC_URL": "(set)", "REDIS_URL": "(set)"}


async def test_a_bundle_has_the_shapes_of_failures_and_nothing_more(
    redis_url: str, redis_client: Redis, tmp_path: pathlib.Path
) -> None:
    client = connect(redis_url)
    scene = await Scene(client, now=time.time()).fill()
    await client.aclose()
    told = bundle_of({})
    async with opened({"REDIS_URL": redis_url, "ENCRYPTION_KEYS": FERNET}) as store:
        await told.read(store)
    body = msgspec.json.encode(told).decode()

    assert len(told.failed) > 5
    assert all(each["code"] == "server_is_overloaded" for each in told.failed)
    for hidden in (*scene.ids, *scene.key_names, *scene.key_names.values(), "example.com", "req_"):
        assert hidden not in body


def test_a_bundle_is_written_beside_the_report(
    environ: dict[str, str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.json"
    away = {"CODEX_BASE_URL": "http://127.0.0.1:1/x", "CODEX_AUTH_URL": "http://127.0.0.1:1"}

    assert run({**environ, **away}, ["doctor", "--bundle", str(file)]) == 1

    body = msgspec.json.decode(file.read_bytes())
    assert {each["check"] for each in body["findings"]} >= {"redis", "backend"}
    assert environ["ENCRYPTION_KEYS"] not in file.read_text()

    assert run({**environ, **away}, ["doctor", "--bundle", str(tmp_path / "no" / "way")]) == 1
    assert "No such file" in capsys.readouterr().err
