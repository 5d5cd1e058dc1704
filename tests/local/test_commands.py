"""The command line with what this member adds; serving is in journeys/test_one_command.py."""

import pathlib
import socket
import subprocess
import sys

import pytest

from codex_proapi.console.cli.commands import run
from codex_proapi.local import serving


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({}, ["--help"]) == 0

    told = capsys.readouterr().out
    for command in ("serve", "demo", "accounts", "keys", "admin", "version"):
        assert command in told


def test_help_imports_neither_the_gateway_nor_the_simulator() -> None:
    program = (
        "import sys\n"
        "from codex_proapi.console.cli.commands import run\n"
        "assert run({}, ['--help']) == 0\n"
        "names = ('codex_proapi.gateway', 'codex_proapi.simulator')\n"
        "print([each for each in sys.modules if each.startswith(names)])\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert told.stdout.splitlines()[-1] == "[]", told.stderr


def test_wrong_settings_are_told_together(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({**environ, "PORT": "x", "CODEX_FOO": "1"}, []) == 2

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


def test_an_unusable_folder_is_told(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").write_text("")

    assert run({"DATA_DIR": str(tmp_path / "data")}, ["accounts", "list"]) == 1
    assert "cannot use" in capsys.readouterr().err


def test_an_address_that_is_none_is_said(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(environ, ["serve", "--host", "x86_64-conda-linux-gnu"]) == 1
    assert run({**environ, "CODEX_PROAPI_HOST": "x86_64-conda-linux-gnu"}, ["serve"]) == 1

    told = capsys.readouterr().err
    assert told.count("cannot listen on HOST=x86_64-conda-linux-gnu") == 2
    assert "Traceback" not in told


def test_a_port_that_is_none_is_said_by_the_demo_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({"PORT": "abc"}, ["demo"]) == 2
    assert "PORT: 'abc' is no port number." in capsys.readouterr().err


def test_no_key_is_made_up_for_a_redis_of_ones_own(
    environ: dict[str, str], redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["serve"], ["keys", "list"]):
        assert run({**environ, "REDIS_URL": redis_url}, command) == 2
        assert "is required with REDIS_URL" in capsys.readouterr().err
    assert not pathlib.Path(environ["DATA_DIR"]).exists()


def test_foreign_settings_stop_no_command_on_the_store(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = {"ADMIN_EMAIL": "a@example.com", "PORT": "many", "HOST": "nowhere"}

    assert run({**environ, **foreign}, ["keys", "create", "laptop"]) == 0
    assert run({**environ, **foreign}, ["keys", "list"]) == 0
    assert "laptop" in capsys.readouterr().out


def test_an_interrupted_command_says_so(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(serving, "serve", interrupted)

    assert run(environ, []) == 130
