"""Commands and stores of other installed members, found by their entry points.

`codex_proapi.commands`: the name of a command, and the `click.Command` itself.
`codex_proapi.stores`: `embedded`, a function from the environment to an async context manager,
inside which a local store runs; it yields the environment with its REDIS_URL and ENCRYPTION_KEYS.
`codex_proapi.settings`: a function from the environment to the faults of the settings of what the
member serves.
"""

import importlib.metadata
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias, cast

import rich_click as click

COMMANDS = "codex_proapi.commands"
STORES = "codex_proapi.stores"
SETTINGS = "codex_proapi.settings"
EMBEDDED = "embedded"

SettingCheck: TypeAlias = Callable[[Mapping[str, str]], list[str]]
Store: TypeAlias = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Mapping[str, str]]]


def command_names() -> list[str]:
    """Names of the commands that other members add."""
    return sorted({entry.name for entry in importlib.metadata.entry_points(group=COMMANDS)})


def find_command(name: str) -> click.Command | None:
    """A command that another member adds; None if none is installed that does."""
    return cast("click.Command | None", _load(COMMANDS, name))


def embedded_store() -> Store | None:
    """The store of one machine; None where the member that has it is not installed."""
    return cast("Store | None", _load(STORES, EMBEDDED))


def setting_checks() -> list[SettingCheck]:
    """What other members say is wrong with their settings."""
    found = importlib.metadata.entry_points(group=SETTINGS)
    return [cast("SettingCheck", entry.load()) for entry in found]


def _load(group: str, name: str) -> object:
    found = list(importlib.metadata.entry_points(group=group, name=name))
    return found[0].load() if found else None
