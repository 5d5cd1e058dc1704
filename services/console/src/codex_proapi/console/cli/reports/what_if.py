"""`codex-proapi what-if`: the last weeks replayed with other accounts, people or another strategy."""

import time
from collections.abc import Mapping

import rich_click as click

from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.tables import plain, show_table
from codex_proapi.console.errors import WhatIfUnavailable
from codex_proapi.console.views.what_if_figures import NOTES, SURENESS, rows_of
from codex_proapi.console.what_if.recorded import RecordReader
from codex_proapi.console.what_if.replay.question import MOST_CHANGE, Answer, Change, Span
from codex_proapi.console.what_if.what_if import WhatIf

MORE = click.IntRange(-MOST_CHANGE, MOST_CHANGE)
DIGITS = {"number": "{:,.0f}", "hours": "{:.1f} h", "minutes": "{:.0f} min"}


@click.command("what-if")
@click.option("--accounts", type=MORE, default=0, help="Accounts more; negative is fewer.")
@click.option("--people", type=MORE, default=0, help="People more; negative is fewer.")
@click.option("--routing", type=click.Choice([*Routing]), help="Another strategy.")
@json_option
@click.pass_obj
def what_if_command(
    environ: Mapping[str, str],
    *,
    accounts: int,
    people: int,
    routing: str | None,
    as_json: bool,
) -> None:
    """Replay the last weeks with other accounts, people or another strategy.

    From their own hourly figures, as they were and as asked, side by side: refusals, waiting, lost
    quota. It takes some seconds.
    """
    strategy = Routing(routing) if routing else None
    change = Change(accounts=accounts, people=people, routing=strategy)
    if change == Change():
        raise click.UsageError("say what is changed: --accounts, --people or --routing")
    found, calendar = with_store(environ, lambda store: _asked(store, change))
    if as_json:
        return print_json(found, calendar)
    rows = [
        (row.label, _told(row.today, row.unit), _told(row.then, row.unit), row.direction)
        for row in rows_of(found)
    ]
    if rows:
        show_table(("A WEEK", "AS IT IS", "THEN", "DIFFERENCE"), rows)
    print(plain(SURENESS[found.sureness][2]))
    for note in found.notes:
        values = {name: f"{value:g}" for name, value in note.values.items()}
        print(plain(f"- {NOTES[note.code] % values}"))
    return None


async def _asked(store: OpenedStore, change: Change) -> Answer:
    records = RecordReader(
        accounts=store.accounts,
        quotas=QuotaStore(store.redis),
        usage=UsageStore(store.redis),
        live_settings=LiveSettingsStore(store.redis),
    )
    try:
        return await WhatIf(records, clock=time.time).answer(change)
    except WhatIfUnavailable as error:
        raise click.ClickException(error.message) from None


def _told(span: Span, unit: str) -> str:
    """A figure with its range."""
    value, low, high = (
        DIGITS.get(unit, "{:.1f} %").format(each) for each in (span.value, span.low, span.high)
    )
    return value if low == high else f"{value} ({low} to {high})"
