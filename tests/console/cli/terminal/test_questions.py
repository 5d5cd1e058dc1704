"""Questions at a terminal: answers, and Ctrl-C at whatever moment."""

import contextlib
import os
import pty
import sys

import pytest
import rich_click as click
from click.testing import CliRunner

from codex_proapi.console.cli.terminal.questions import ask_secret, confirm

TIMES = 30
ASKED = """
import rich_click as click
from codex_proapi.console.cli.terminal.questions import ask_secret, confirm
for number in range({times}):
    try:
        {question}
    except click.Abort:
        print(f"ended {{number}};", flush=True)
"""
QUESTIONS = {
    "yes or no": ("confirm('Sure?', option='--yes')", b"[y/N]: "),
    "a secret": ("ask_secret('Token', option='--stdin')", b"Token: "),
}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_ctrl_c_at_the_moment_of_a_question_ends_it(kind: str) -> None:
    """A read that began just after the signal waited for a line: three of five times."""
    question, prompt = QUESTIONS[kind]
    code = ASKED.format(times=TIMES, question=question)
    child, terminal = pty.fork()
    if not child:
        os.execv(sys.executable, [sys.executable, "-c", code])  # noqa: S606
    try:
        for number in range(TIMES):
            _read_until(terminal, prompt)
            os.write(terminal, b"\x03")
            _read_until(terminal, f"ended {number};".encode())
        _, status = os.waitpid(child, 0)
    finally:
        os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 0


def _read_until(terminal: int, wanted: bytes) -> None:
    """Read no byte more: the next prompt may be there already."""
    told = b""
    with contextlib.suppress(OSError):  # the child has ended
        while not told.endswith(wanted):
            told += os.read(terminal, 1)
    assert told.endswith(wanted)


@click.command()
@click.option("--optional", is_flag=True)
@click.option("--repeated", is_flag=True)
def secret(*, optional: bool, repeated: bool) -> None:
    told = ask_secret("Secret", option="--stdin", optional=optional, repeated=repeated)
    click.echo(f"<{told}>")


@click.command()
def sure() -> None:
    confirm("Sure?", option="--yes")
    click.echo("done")


@pytest.mark.parametrize(
    ("arguments", "typed", "shown"),
    [
        ([], "one\n", "<one>"),
        ([], "\n\none\n", "<one>"),
        ([], " spaces stay \n", "< spaces stay >"),
        (["--optional"], "\n", "<>"),
        (["--repeated"], "one\ntwo\nthree\nthree\n", "<three>"),
        ([], "without an end", "<without an end>"),
    ],
)
def test_secrets(arguments: list[str], typed: str, shown: str) -> None:
    result = CliRunner().invoke(secret, arguments, input=typed)

    assert (result.exit_code, result.stdout) == (0, f"{shown}\n")


@pytest.mark.parametrize(
    ("typed", "code", "shown"),
    [
        ("y\n", 0, "done\n"),
        ("YES\n", 0, "done\n"),
        ("\n", 1, ""),
        ("n\n", 1, ""),
        ("perhaps\ny\n", 0, "done\n"),
        ("perhaps\n", 2, ""),
        ("", 2, ""),
    ],
)
def test_yes_and_no(typed: str, code: int, shown: str) -> None:
    result = CliRunner().invoke(sure, input=typed)

    assert (result.exit_code, result.stdout) == (code, shown)


def test_nobody_who_answers_is_told_the_option() -> None:
    assert "say --stdin" in CliRunner().invoke(secret, input="").stderr
