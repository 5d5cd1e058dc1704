"""The command line as a whole; serving itself is shown in journeys/test_one_command.py."""

import pathlib
import socket

import pytest

from codex_proapi.local import commands
from codex_proapi.local.commands import run


def test_the_version_is_that_of_the_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({}, ["version"]) == 0
    assert capsys.readouterr().out.count(".") == 2


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({}, ["--help"]) == 0

    told = capsys.readouterr().out
    for command in ("serve", "demo", "accounts", "keys", "admin", "version"):
        assert command in told


def test_wrong_settings_are_told_together(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({**environ, "PORT": "x", "CODEX_FOO": "1"}, []) == 1

    told = capsys.readouterr().err
    assert "PORT" in told
    assert "CODEX_FOO is not a setting of ours." in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_taken_port_is_told(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert run(environ, [command, "--host", "127.0.0.1", "--port", str(port)]) == 1

    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({}, ["nonsense"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_an_unusable_folder_is_told(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("")

    assert run({"DATA_DIR": str(tmp_path / "data")}, ["accounts", "list"]) == 1
    assert "cannot use" in capsys.readouterr().err


def test_a_redis_that_is_away_is_told(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({**environ, "REDIS_URL": "redis://127.0.0.1:1/0"}, ["accounts", "list"]) == 1
    assert "Redis" in capsys.readouterr().err


def test_an_interrupted_command_says_so(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "serve", interrupted)

    assert run(environ, []) == 130
