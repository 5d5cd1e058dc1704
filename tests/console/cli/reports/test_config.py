"""Settings are shown with where they come from; a secret never."""

import json

import pytest

from codex_proapi.console.cli.commands import run

SECRET = "redis://:canary-word@cache:6379/0"


def settings(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> dict[str, tuple[str, str]]:
    assert run(environ, ["config", "show", "--json"]) == 0
    out = capsys.readouterr().out
    assert "canary" not in out
    return {each["name"]: (each["value"], each["source"]) for each in json.loads(out)}


def test_values_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    found = settings({"CODEX_PROAPI_PORT": "7000", "REDIS_URL": SECRET}, capsys)

    assert found["PORT"] == ("7000", "environment")
    assert found["REDIS_URL"] == ("(set, not shown)", "environment")
    assert found["HOST"] == ("127.0.0.1", "default")
    assert found["ENCRYPTION_KEYS"] == ("", "default")


def test_a_table_for_people_has_no_secret_either(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"REDIS_URL": SECRET}, ["config", "show"]) == 0

    out = capsys.readouterr().out
    assert "LOG_LEVEL\tinfo\tdefault" in out
    assert "canary" not in out


def test_what_is_wrong_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"PORT": "loud", "CODEX_PROAPI_NONSENSE": "1"}, ["config", "show"]) == 2

    told = capsys.readouterr().err
    assert "PORT: " in told
    assert "CODEX_PROAPI_NONSENSE is not a setting of ours." in told
    assert "Traceback" not in told


def test_a_name_of_somebody_elses_is_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"HOST": "x86_64-conda-linux-gnu"}, ["config", "show"]) == 0

    shown = capsys.readouterr()
    assert "HOST is passed over" in shown.err
    assert "HOST\t127.0.0.1\tdefault" in shown.out
