"""Errors and exit codes, as a program sees them: one line on standard error, and the documented code."""

import re
import subprocess
import sys
from collections.abc import Sequence

import pytest
from support.tree import ROOT

from codex_proapi.console.cli.terminal.failures import ExitCode

AWAY = {"REDIS_URL": "redis://:secret@127.0.0.1:1/0", "ENCRYPTION_KEYS": "A" * 43 + "="}


def outcome(
    arguments: Sequence[str], environ: dict[str, str], provided: str = ""
) -> tuple[int, str]:
    """The exit code and standard error of a process of its own, whose streams are no terminal."""
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


def test_the_table_of_exit_codes_has_them_all() -> None:
    rows = re.findall(r"^\| ([0-9]+) \|", (ROOT / "docs/running.md").read_text(), re.MULTILINE)

    assert [int(row) for row in rows] == sorted(ExitCode)
