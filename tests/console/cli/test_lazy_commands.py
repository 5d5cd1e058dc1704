"""The help imports no command, and says what each would say itself."""

import json
import subprocess
import sys

import click
import pytest

from codex_proapi.console.cli.commands import OWN, root
from codex_proapi.console.cli.lazy_commands import LazyCommand

HEAVY = {"httpx", "litestar", "redis", "cryptography", "jinja2", "authlib", "uvicorn", "msgspec"}
SCRIPT = """
import json, sys
from codex_proapi.console.cli.commands import run
code = run({}, sys.argv[1:])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.mark.parametrize("name", [name for name, *_ in OWN])
def test_the_summary_is_the_commands_own(name: str) -> None:
    lazy = root.commands[name]
    assert isinstance(lazy, LazyCommand)

    loaded = lazy.load()

    assert loaded.name == name
    assert lazy.get_short_help_str(500) == loaded.get_short_help_str(500)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_what_tells_only_of_itself_imports_no_heavy_module(option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, option], capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])

    assert code == 0
    assert not HEAVY & set(modules)


def test_what_runs_is_the_command_itself() -> None:
    with click.Context(root) as parent:
        context = root.commands["keys"].make_context("keys", ["list"], parent=parent)

    assert isinstance(context.command, click.Group)
    assert "rotate" in context.command.commands
