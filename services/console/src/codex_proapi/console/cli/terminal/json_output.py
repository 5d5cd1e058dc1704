"""The option `--json` that commands have, and what it prints.

On standard output there is one JSON value and nothing else; `logs` prints one a line. Its names are
those of the console's API. Times, which the API has in seconds, are ISO 8601 with their offset, and
null where there is none.
"""

import re
from typing import Any, Final

import msgspec
import rich_click as click

from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.console.cli.terminal.times import iso

json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, times in ISO 8601.")

TIME: Final = re.compile(r"(?:.*_)?(?:at|until)")
"""The names of fields that are times in seconds since the epoch."""


def print_json(value: Any, calendar: Calendar = UTC) -> None:
    """Print a value; `calendar` has the zone of its times."""
    print(msgspec.json.format(msgspec.json.encode(readable(value, calendar))).decode())


def json_line(value: Any, calendar: Calendar) -> str:
    """A value on one line."""
    return msgspec.json.encode(readable(value, calendar)).decode()


def readable(value: Any, calendar: Calendar) -> Any:
    """A value as JSON has it, its times as text."""
    return _timed(msgspec.to_builtins(value), calendar)


def _timed(value: Any, calendar: Calendar) -> Any:
    match value:
        case dict():
            return {name: _field(str(name), each, calendar) for name, each in value.items()}
        case list() | tuple():
            return [_timed(each, calendar) for each in value]
        case _:
            return value


def _field(name: str, value: Any, calendar: Calendar) -> Any:
    if type(value) in (int, float) and TIME.fullmatch(name):
        return iso(value, calendar)
    return _timed(value, calendar)
