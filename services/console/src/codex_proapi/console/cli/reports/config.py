"""`codex-proapi config show`: the settings as this process reads them, without secrets."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec
import rich_click as click

from codex_proapi.commons.runtime.settings import from_environ, hints_of, is_secret
from codex_proapi.console.cli.store_address import FROM_FILE
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.tables import show_table
from codex_proapi.console.settings import ConsoleSettings

HIDDEN = "(set, not shown)"


class SettingValue(msgspec.Struct, frozen=True, kw_only=True):
    """One setting."""

    name: str
    value: str
    """As text; a secret's is never shown."""
    source: str
    """`environment`, `config` (the file of settings), `file` (a secret's) or `default`."""


@click.group("config")
def config() -> None:
    """The settings as this process reads them."""


@config.command("show")
@json_option
@click.pass_context
def show(context: click.Context, *, as_json: bool) -> None:
    """Every setting of the console, its value, and where it comes from.

    Fails with one sentence for each that is wrong. docs/settings.md has those of the gateway.
    """
    found = settings_of(context.obj, from_file=context.meta.get(FROM_FILE, frozenset()))
    if as_json:
        return print_json(found)
    return show_table(
        ("SETTING", "VALUE", "FROM"), [(each.name, each.value, each.source) for each in found]
    )


def settings_of(
    environ: Mapping[str, str], *, from_file: AbstractSet[str] = frozenset()
) -> list[SettingValue]:
    """The settings of an environment; raises SettingsError where one is wrong.

    Args:
        environ: The environment, completed.
        from_file: Names in it that come from a file of settings.
    """
    # Keys are generated where the embedded store begins: that there are none is no fault here.
    wanting = {} if _source("ENCRYPTION_KEYS", environ) else {"ENCRYPTION_KEYS": "A" * 43 + "="}
    read = from_environ(ConsoleSettings, {**environ, **wanting})
    secret = {name for name, hint in hints_of(ConsoleSettings).items() if is_secret(hint)}
    found = []
    for field in msgspec.structs.fields(ConsoleSettings):
        source = _source(field.name.upper(), environ)
        value = _text(getattr(read, field.name))
        if field.name in secret:
            value = HIDDEN if source else ""
        if {field.name.upper(), f"{field.name.upper()}_FILE"} & from_file:
            source = "config"
        found.append(SettingValue(name=field.name.upper(), value=value, source=source or "default"))
    return found


def _source(name: str, environ: Mapping[str, str]) -> str:
    """Where a setting comes from; empty if it is not set."""
    if environ.get(name):
        return "environment"
    return "file" if environ.get(f"{name}_FILE") else ""


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
