"""What holds for every command: JSON where a program asks for it, and help that says so."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import click
import pytest
from support.every_command import every_command

from codex_proapi.console.cli.commands import run
from codex_proapi.simulator import Simulator

WITHOUT_JSON = {
    "serve": "it runs until it is stopped; its log lines are JSON already",
    "demo": "as serve",
}
"""The commands that print nothing a program would read, each with the reason."""

COMMANDS = dict(every_command())
SCENE = """
version --json
accounts import AUTH --json
accounts list --json
accounts pause ada@example.com --json
accounts resume ada@example.com --json
accounts terms set ada@example.com --paused --json
accounts terms show ada@example.com --json
accounts reseal --json
keys create laptop --expires 30d --json
keys list --json
keys show laptop --json
keys change laptop --owner ada --json
keys rotate laptop --overlap 1h --json
keys revoke laptop --json
keys remove laptop --json
admin token create deploy --expires 7d --json
admin token list --json
admin token revoke TOKEN --json
admin link --json
admin password --stdin --json
alerts add hook --shape json --json
alerts list --json
alerts remove hook --json
owners add Ada --json
owners invite Ada --json
owners sign-out Ada --json
owners list --json
owners remove Ada --yes --json
prices list --json
prices set gpt-9 --in 1 --out 2 --json
prices remove gpt-9 --json
prices reset gpt-9 --json
status --json
usage --json
what-if --people 2 --json
config show --json
backup FILE --json
restore FILE --force --json
accounts remove ada@example.com --yes --json
replay LOG --json
"""
ELSEWHERE = {
    "accounts login": "test_account_login",
    "doctor": "tests/console/cli/reports",
    "logs": "tests/console/cli/reports; one object a line",
    "migrate": "test_migrate",
    "alerts test": "tests/console/alerts",
    "accounts resets": "test_resets, which has a server to ask",
    "accounts redeem-reset": "test_resets",
    "accounts add-token": "test_add_token, which has a server to ask",
}
"""Commands whose JSON is shown by another test."""


def test_every_command_has_json_or_a_reason_not_to() -> None:
    lacking = {
        name
        for name, command in COMMANDS.items()
        if not any("--json" in option.opts for option in command.params)
    }

    assert lacking == set(WITHOUT_JSON)


def test_every_command_is_in_the_scene() -> None:
    shown = {name for name in COMMANDS if any(line.startswith(f"{name} ") for line in lines())}

    assert shown | set(ELSEWHERE) | set(WITHOUT_JSON) == set(COMMANDS)


def test_json_is_all_there_is_on_standard_output(
    environ: dict[str, str],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {"AUTH": tmp_path / "auth.json", "FILE": tmp_path / "backup", "LOG": tmp_path / "log"}
    files["AUTH"].write_text(json.dumps(Simulator().auth_json("ada")))
    files["LOG"].touch()
    given = tmp_path / "stdin"
    said: dict[str, Any] = {}
    for line in lines():
        words = [str(files.get(word, said.get(word, word))) for word in line.split()]
        given.write_text(
            "https://example.com/hook\n\n" if "alerts" in words else "correct horse 7\n"
        )
        with given.open() as provided:
            monkeypatch.setattr("sys.stdin", provided)
            code = run(environ, words)
        out = capsys.readouterr().out
        assert code == 0, line
        value = json.loads(out)
        assert not [*raw_times(value)], line
        if line.startswith("admin token create"):
            said["TOKEN"] = value["token"]["id"]


def test_what_a_terminal_shows_is_not_mixed_with_json(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(environ, ["backup", "-", "--json"]) == 2
    assert "standard output is the backup" in capsys.readouterr().err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_a_sentence_for_each_option(name: str) -> None:
    command = COMMANDS[name]

    assert command.help
    silent = [
        option.name
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


def lines() -> list[str]:
    return SCENE.split("\n")[1:-1]


def raw_times(value: Any, name: str = "") -> Iterator[str]:
    """Names of numbers that are seconds since the epoch."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from raw_times(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from raw_times(each, name)
    elif isinstance(value, int | float) and 1_600_000_000 < value < 5_000_000_000:
        yield name
