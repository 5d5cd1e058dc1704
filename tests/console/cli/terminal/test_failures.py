"""Errors and exit codes, as a program sees them: one line on standard error, and the documented code."""

import json
import pathlib
import re
import socket
import subprocess
import sys
from collections.abc import Sequence

import pytest
from support.forked_commands import can_be_forked, run_forked
from support.tree import ROOT

from codex_proapi.console.cli.terminal.failures import ExitCode

AWAY = {"REDIS_URL": "redis://:secret@127.0.0.1:1/0", "ENCRYPTION_KEYS": "A" * 43 + "="}


def outcome(
    arguments: Sequence[str], environ: dict[str, str], provided: str = ""
) -> tuple[int, str]:
    """The exit code and standard error of a process of its own, whose streams are no terminal."""
    if can_be_forked(environ):
        code, told = run_forked(arguments, environ, provided)
        assert "Traceback" not in told
        return code, told
    done = subprocess.run(
        [sys.executable, "-m", "codex_proapi.console.cli", *arguments],
        env=environ,
        input=provided,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "No such command 'nonsense'. `codex-proapi --help` tells more."),
        ("keys create", "Missing argument 'NAME'. `codex-proapi keys create --help` tells more."),
        (
            "keys create x --weight 101",
            "Invalid value for '--weight': 101.0 is not in the range 0.1<=x<=100.0. `codex-proapi",
        ),
        (
            "accounts import nowhere.json",
            "Invalid value for 'FILE': 'nowhere.json': No such file or directory. `codex-proapi",
        ),
        ("admin password", "nobody is there to answer: say --stdin"),
        ("accounts remove ada", "nobody is there to answer: say --yes"),
    ],
)
def test_a_wrong_command_is_one_line_where_no_terminal_is(line: str, said: str) -> None:
    code, told = outcome(line.split(), AWAY)

    assert code == ExitCode.REFUSED
    assert (
        told.splitlines()[-1]
        .removeprefix("Forget ada and its tokens? [y/N]: ")
        .startswith(f"codex-proapi: {said}")
    )
    assert "GetPassWarning" not in told
    assert not set(told) & set("╭│╰─")


@pytest.mark.parametrize(
    ("line", "environ", "code"),
    [
        ("version", {}, ExitCode.DONE),
        ("--help", {}, ExitCode.DONE),
        ("keys list", AWAY, ExitCode.FAILED),
        ("keys list", {"REDIS_URL": AWAY["REDIS_URL"]}, ExitCode.REFUSED),
        ("keys list", AWAY | {"ENCRYPTION_KEYS": "short"}, ExitCode.REFUSED),
        ("keys list", AWAY | {"REDIS_URL": "http://[::1"}, ExitCode.REFUSED),
        ("config show", {"PORT": "none"}, ExitCode.REFUSED),
        ("doctor", AWAY, ExitCode.FAILED),
        ("backup /nowhere/file", AWAY, ExitCode.FAILED),
        ("migrate --to-url redis://x", AWAY, ExitCode.REFUSED),
        (f"migrate --to-url redis://x --to-keys {sys.executable}", AWAY, ExitCode.REFUSED),
        ("logs --level nonsense", AWAY, ExitCode.REFUSED),
        ("keys create \udcff\udcfe", AWAY, ExitCode.REFUSED),
        ("prices set gpt-9 --in -1 --out 2", AWAY, ExitCode.REFUSED),
        ("prices set gpt/9 --in 1 --out 2", AWAY, ExitCode.REFUSED),
        ("accounts list", {"DATA_DIR": "~nobody-of-this-name/data"}, ExitCode.REFUSED),
        ("doctor", {"DATA_DIR": "~nobody-of-this-name/data", "NO_PROXY": "*"}, ExitCode.FAILED),
        ("accounts import /proc/self/mem", AWAY, ExitCode.FAILED),
        ("replay /proc/self/mem", {}, ExitCode.FAILED),
        ("keys create x --owner \u00e9", AWAY | {"PYTHONIOENCODING": "ascii"}, ExitCode.FAILED),
        ("--help", {"PYTHONIOENCODING": "ascii"}, ExitCode.DONE),
    ],
)
def test_an_end_has_the_code_of_the_table(
    line: str, environ: dict[str, str], code: ExitCode
) -> None:
    ended, told = outcome(line.split(), environ)

    assert ended == code, told
    assert "secret" not in told
    assert "not foreseen" not in told
    assert "standard output" not in told or "PYTHONIOENCODING" in environ


@pytest.mark.parametrize(
    ("line", "environ", "message"),
    [
        ("keys show nope --json", AWAY, "Redis: "),
        ("keys create --json", AWAY, "Missing argument 'NAME'"),
        ("config show --json", {"PORT": "none", "LOG_LEVEL": "x"}, "the settings are wrong"),
        ("keys list --json", {"REDIS_URL": AWAY["REDIS_URL"]}, "the settings are wrong"),
        ("accounts remove ada --json", AWAY, "nobody is there to answer"),
        ("--config nowhere.env keys list --json", {}, "the settings are wrong"),
    ],
)
def test_with_json_an_error_is_json_too(line: str, environ: dict[str, str], message: str) -> None:
    ended, told = outcome(line.split(), environ)
    error = json.loads("{" + told.splitlines()[-1].partition("{")[2])["error"]

    assert error["message"].startswith(message)
    assert error["exit_code"] == ended
    faults = error.get("faults", [])
    assert bool(faults) == (message == "the settings are wrong")
    assert "secret" not in told


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_names_are_utf_8_in_a_locale_without_letters(locale: str) -> None:
    _, told = outcome(["accounts", "import", "没有.json"], AWAY | {"LC_ALL": locale})

    assert "'没有.json': No such file" in told


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:secret@127.0.0.1:1/0", "ConnectionError: Connection refused (127.0.0.1:1)."),
        ("unix:///nowhere", "ConnectionError: No such file or directory (/nowhere)."),
        ("redis://nowhere.invalid:1/0", "(nowhere.invalid:1)."),
    ],
)
def test_a_redis_that_is_not_there_is_told_with_address_and_reason(url: str, told: str) -> None:
    _, said = outcome(["keys", "list"], AWAY | {"REDIS_URL": url})

    assert said.startswith("codex-proapi: Redis: ")
    assert told in said
    assert "secret" not in said


def test_a_shell_that_completes_a_word_hears_no_warning() -> None:
    foreign = {"HOST": "x86_64-conda-linux-gnu"}
    words = {"COMP_WORDS": "codex-proapi key", "COMP_CWORD": "1"}
    completing = {"_CODEX_PROAPI_COMPLETE": "bash_complete", **words}

    assert "HOST is passed over" in outcome(["version"], foreign)[1]
    assert outcome([], foreign | completing) == (0, "")


def test_a_file_of_settings_is_read_by_commands_and_services(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('log_level = "loud"\n')
    for environ, arguments in (
        ({"CODEX_PROAPI_CONFIG": str(file)}, ["config", "show"]),
        ({}, ["--config", str(file), "config", "show"]),
    ):
        ended, told = outcome(arguments, environ)
        assert ended == ExitCode.REFUSED
        assert "LOG_LEVEL" in told
    done = subprocess.run(
        [sys.executable, "-m", "codex_proapi.gateway"],
        env={"CODEX_PROAPI_CONFIG": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.REFUSED
    assert "LOG_LEVEL" in done.stderr


@pytest.mark.parametrize("service", ["gateway", "console"])
def test_a_service_that_cannot_listen_says_so_and_fails(service: str, redis_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for address in (
            {"PORT": str(taken.getsockname()[1])},
            {"HOST": "nowhere.invalid"},
        ):
            done = subprocess.run(
                [sys.executable, "-m", f"codex_proapi.{service}"],
                env=AWAY | {"REDIS_URL": redis_url} | address,
                capture_output=True,
                text=True,
                check=False,
            )

            assert done.returncode == ExitCode.FAILED
            assert f"The {service} cannot start:\ncannot listen on " in done.stderr
            assert "Traceback" not in done.stderr


def test_the_table_of_exit_codes_has_them_all() -> None:
    rows = re.findall(r"^\| ([0-9]+) \|", (ROOT / "docs/running.md").read_text(), re.MULTILINE)

    assert [int(row) for row in rows] == sorted(ExitCode)
