"""`codex-proapi status` and `usage`: what runs, what there is to spend, what was spent."""

import time
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import rich_click as click

from codex_proapi.commons.accounts.model import AccountState
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.cluster.replicas import Replica
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.prices.token_costs import Cost, rounded
from codex_proapi.commons.usage.calendar import calendar_of
from codex_proapi.commons.usage.counters import MOST_DAYS, Counters, UsageKind, UsageStore
from codex_proapi.console.api.usage import Names
from codex_proapi.console.api.usage_rows import UsageRow, rows_of
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.tables import plain, show_table
from codex_proapi.console.cli.terminal.times import heading, moment
from codex_proapi.console.costs.cost_reader import CostReader

USUAL_DAYS = 7


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation has and what of it runs."""

    accounts: dict[str, int]
    """How many are `active`, `paused`, `revoked`, …."""
    keys: dict[str, int]
    """How many are `active`, `expired`, `revoked`."""
    replicas: list[Replica]
    """The gateways and consoles that live."""


@click.command("status")
@json_option
@click.pass_obj
def status_command(environ: Mapping[str, str], *, as_json: bool) -> None:
    """What runs and what there is to spend.

    The gateways and consoles that live, and how many accounts and API keys are in which state.
    `doctor` says what is wrong.
    """
    found, calendar = with_store(environ, _status)
    if as_json:
        return print_json(found, calendar)
    for what, counts in (("accounts", found.accounts), ("API keys", found.keys)):
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        print(f"{what}: {told or 'none yet'}")
    if not found.replicas:
        return print("nothing runs: `codex-proapi serve`, or your deployment, starts it")
    rows = [
        (
            each.service,
            each.host,
            each.version,
            moment(each.started_at, calendar),
            str(sum(each.in_flight.values())),
            "draining" if each.draining else "serving",
        )
        for each in found.replicas
    ]
    since = heading("SINCE", calendar)
    return show_table(("SERVICE", "HOST", "VERSION", since, "UNDER WAY", "STATE"), rows)


@click.command("usage")
@click.option(
    "--by",
    type=click.Choice(["key", "account", "model"]),
    default="key",
    show_default=True,
    help="Whose sums.",
)
@click.option(
    "--days",
    type=click.IntRange(1, MOST_DAYS),
    default=USUAL_DAYS,
    show_default=True,
    help="How many, today the last.",
)
@click.option("--daily", is_flag=True, help="A line for each day, not for all of them together.")
@json_option
@click.pass_obj
def usage_command(
    environ: Mapping[str, str], *, by: UsageKind, days: int, daily: bool, as_json: bool
) -> None:
    """Requests and tokens of the last days.

    Days are those of the team's time zone (a setting of the console), as the console counts them.
    """
    (zone, rows), calendar = with_store(environ, lambda store: _usage(store, by, days))
    if as_json:
        return print_json({"by": by, "time_zone": zone, "rows": rows}, calendar)
    if not rows:
        return print(plain(f"nothing was used in {days} days ({zone})"))
    columns = ("REQUESTS", "ERRORS", "INPUT", "CACHED", "OUTPUT", "TOTAL", "LIST PRICE USD")
    if daily:
        told = [(row.day, row.name, *_figures(row)) for row in rows]
        return show_table((f"DAY ({zone})", by.upper(), *columns), told)
    summed = [(row.name, *_figures(row)) for row in _summed(rows)]
    return show_table((by.upper(), *columns), summed)


async def _status(store: OpenedStore) -> Status:
    accounts, keys = await store.accounts.list(), await store.keys.list()
    now = time.time()
    return Status(
        accounts=dict(
            Counter(
                "paused" if a.paused and a.state is AccountState.ACTIVE else a.state.value
                for a in accounts
            )
        ),
        keys=dict(
            Counter(
                "revoked" if k.revoked else "expired" if k.expired(now) else "active" for k in keys
            )
        ),
        replicas=sorted(
            await store.replicas.all(), key=lambda each: (each.service, each.host, each.id)
        ),
    )


async def _usage(store: OpenedStore, by: UsageKind, days: int) -> tuple[str, list[UsageRow]]:
    """The zone of the days, and their rows."""
    now = await store.replicas.now()
    calendar = calendar_of((await LiveSettingsStore(store.redis).read()).time_zone)
    wanted = [*reversed(calendar.days_back(now, days))]
    usage = UsageStore(store.redis)
    prices = await PriceStore(store.redis).all()
    reader = CostReader(usage, prices, by=by, days=wanted)
    names = await Names(store.accounts, store.keys).of(by)
    rows: list[UsageRow] = []
    for day, sums in (await usage.read(by, wanted)).items():
        rows += rows_of(day, sums, names, await reader.of(day, sums))
    return calendar.zone, rows


def _summed(rows: list[UsageRow]) -> list[UsageRow]:
    """The rows of each subject together, the greatest first."""
    names = {row.subject: row.name for row in rows}
    sums: dict[str, Counters] = {}
    costs: dict[str, Cost] = {}
    for row in rows:
        costs[row.subject] = costs.get(row.subject, Cost()) + Cost(
            amount=row.cost_usd or Decimal(0),
            unpriced=row.unpriced_tokens,
            priced=row.total - row.unpriced_tokens,
        )
        sums.setdefault(row.subject, Counters()).add(
            Counters(
                requests=row.requests,
                errors=row.errors,
                input=row.input,
                cached=row.cached,
                output=row.output,
            )
        )
    return rows_of("", sums, names, costs)


def _figures(row: UsageRow) -> tuple[str, ...]:
    values = (row.requests, row.errors, row.input, row.cached, row.output, row.total)
    return (*map(str, values), _cost(row))


def _cost(row: UsageRow) -> str:
    """Dollars at list prices; `+` where some tokens have no price, `-` where none has."""
    if row.cost_usd is None:
        return "-"
    return f"{rounded(row.cost_usd)}{'+' if row.unpriced_tokens else ''}"
