"""`codex-proapi logs`: the log that the console shows, on a terminal."""

import asyncio
from collections.abc import Mapping, Sequence

import rich_click as click

from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.commons.usage.log_stream import (
    MOST_LENGTH,
    LogEntry,
    LogLevel,
    LogStream,
    StoredEntry,
)
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.console.cli.terminal.json_output import json_line
from codex_proapi.console.cli.terminal.tables import plain
from codex_proapi.console.cli.terminal.times import second
from codex_proapi.console.live.log_filter import LogFilter, words
from codex_proapi.console.live.logs import read_page

USUAL, MOST = 50, MOST_LENGTH
BLOCK_SECONDS = 0.5
"""How long one read waits for what comes; shorter than the client's own time limit."""


@click.command("logs")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    *("-n", "--lines"),
    type=click.IntRange(0, MOST),
    default=USUAL,
    show_default=True,
    help="How many of those that are there.",
)
@click.option("--level", default="", help="`info`, `warning`, `error`; several with commas.")
@click.option("--key", default="", help="Of this API key (id or name).")
@click.option("--account", default="", help="Of this account (id).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, times in ISO 8601.")
@click.pass_obj
def logs_command(
    environ: Mapping[str, str],
    *,
    follow: bool,
    lines: int,
    level: str,
    key: str,
    account: str,
    as_json: bool,
) -> None:
    """The log, the newest entries last.

    What the console shows: settled requests, accounts, and what administrators did.
    """
    unknown = words(level) - {each.value for each in LogLevel}
    if unknown:
        known = ", ".join(each.value for each in LogLevel)
        raise click.BadParameter(plain(f"{min(unknown)} is none of {known}"), param_hint="--level")
    wanted = LogFilter(levels=words(level), key=key, account=account)
    asyncio.run(_show(environ, wanted, lines=lines, follow=follow, as_json=as_json))


async def _show(
    environ: Mapping[str, str], wanted: LogFilter, *, lines: int, follow: bool, as_json: bool
) -> None:
    async with opened(environ) as store:
        logs = LogStream(store.redis)
        page = await read_page(logs, wanted, limit=max(1, lines))
        _print([*reversed(page.entries[:lines])], store.calendar, as_json=as_json)
        after = page.latest
        while follow:
            found = await logs.follow(after, block=BLOCK_SECONDS)
            after = found[-1].id if found else after
            wanted_ones = [each for each in found if wanted.lets(each.entry)]
            _print(wanted_ones, store.calendar, as_json=as_json)


def _print(entries: Sequence[StoredEntry], calendar: Calendar, *, as_json: bool) -> None:
    for each in entries:
        entry = each.entry
        line = json_line(entry, calendar) if as_json else plain(line_of(entry, calendar))
        print(line, flush=True)


def line_of(entry: LogEntry, calendar: Calendar) -> str:
    """One entry as a line: time with its offset, level, event, and what is known of it."""
    at = second(entry.at, calendar)
    facts: dict[str, object] = {
        "status": entry.status,
        "code": entry.code,
        "model": entry.model,
        "key": (entry.exchange.key_name if entry.exchange else "") or entry.key_id,
        "account": entry.account,
        "ms": entry.exchange.total_ms if entry.exchange else 0,
        "request_id": entry.request_id,
        **entry.detail,
    }
    told = " ".join(f"{name}={value}" for name, value in facts.items() if value not in {"", 0})
    return f"{at} {entry.level.value:<7} {entry.event} {told}".rstrip()
