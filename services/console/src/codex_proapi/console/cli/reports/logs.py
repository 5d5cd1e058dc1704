"""`codex-proapi logs`: the log that the console shows, on a terminal."""

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec
import rich_click as click

from codex_proapi.commons.usage.log_stream import LogEntry, LogStream, StoredEntry
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.console.cli.tables import plain
from codex_proapi.console.live.log_filter import LogFilter, words
from codex_proapi.console.live.logs import read_page

USUAL, MOST = 50, 10_000
BLOCK_SECONDS = 0.5
"""How long one read waits for what comes; shorter than the client's own time limit."""


@click.command("logs")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0, MOST), default=USUAL, show_default=True)
@click.option("--level", default="", help="`info`, `warning`, `error`; several with commas.")
@click.option("--key", default="", help="Of this API key (id or name).")
@click.option("--account", default="", help="Of this account (id).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
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
    wanted = LogFilter(levels=words(level), key=key, account=account)
    asyncio.run(_show(environ, wanted, lines=lines, follow=follow, as_json=as_json))


async def _show(
    environ: Mapping[str, str], wanted: LogFilter, *, lines: int, follow: bool, as_json: bool
) -> None:
    async with opened(environ) as store:
        logs = LogStream(store.redis)
        page = await read_page(logs, wanted, limit=max(1, lines))
        _print([*reversed(page.entries[:lines])], as_json=as_json)
        after = page.latest
        while follow:
            found = await logs.follow(after, block=BLOCK_SECONDS)
            after = found[-1].id if found else after
            _print([each for each in found if wanted.lets(each.entry)], as_json=as_json)


def _print(entries: Sequence[StoredEntry], *, as_json: bool) -> None:
    for each in entries:
        line = msgspec.json.encode(each.entry).decode() if as_json else plain(line_of(each.entry))
        print(line, flush=True)


def line_of(entry: LogEntry) -> str:
    """One entry as a line: time (UTC), level, event, and what is known of it."""
    at = dt.datetime.fromtimestamp(entry.at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
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
