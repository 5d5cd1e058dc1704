"""The root command; what other members add to it is shown in tests/local."""

import pytest
from cryptography.fernet import Fernet
from redis import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.cli import extensions
from codex_proapi.console.cli.commands import run


def test_the_version_is_that_of_the_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({}, ["version"]) == 0
    assert run({}, ["--version"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.count(".") == 2


def test_alone_it_has_its_own_commands_and_shows_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions, "COMMANDS", "codex_proapi.nobody")

    assert run({}, []) == 0

    shown = capsys.readouterr().out
    assert all(command in shown for command in ("accounts", "keys", "admin", "version"))
    assert "demo" not in shown


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({}, ["nonsense"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_a_redis_without_its_keys_is_one_sentence(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({"REDIS_URL": redis_url}, ["accounts", "list"]) == 2

    told = capsys.readouterr().err
    assert "ENCRYPTION_KEYS (or ENCRYPTION_KEYS_FILE) is required with REDIS_URL" in told
    assert "Traceback" not in told


def test_a_redis_that_is_away_is_named_without_its_password(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    away = {**environ, "REDIS_URL": "redis://:secret@127.0.0.1:1/0"}

    assert run(away, ["accounts", "list"]) == 1

    told = capsys.readouterr().err
    assert "127.0.0.1:1" in told
    assert "REDIS_URL" in told
    assert "secret" not in told


def test_a_redis_that_needs_a_newer_version_is_one_sentence_and_no_wrong_setting(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.hset(keyspace.schema(), mapping={"version": 9, "least": 9})
    environ = {"REDIS_URL": redis_url, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}

    assert run(environ, ["keys", "list"]) == 2

    told = capsys.readouterr().err
    assert told.startswith("codex-proapi: This version knows")
    assert told.endswith("needs version 9 or newer: upgrade this process.\n")
