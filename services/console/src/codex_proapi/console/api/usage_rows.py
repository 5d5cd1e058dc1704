"""Usage as rows: which is asked for, read period by period, written as JSON or CSV in parts."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.token_costs import Cost, cost_of, price_of
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.commons.usage.counters import (
    KINDS,
    MODELS_OF_KEYS,
    MOST_DAYS,
    CountedKind,
    UsageKind,
    UsageStore,
    key_and_model,
)
from codex_proapi.commons.usage.hours import HourStore
from codex_proapi.commons.usage.packing import DETAIL_DAYS
from codex_proapi.commons.usage.sums import Sums, merge
from codex_proapi.console.errors import BadRequest, Code
from codex_proapi.console.server.csv_text import csv_line, csv_lines

Step: TypeAlias = Literal["hour", "day", "month"]
"""What one row adds up."""
USUAL_DAYS = 7
LONGEST_DAYS = 3660
"""Days that can be asked for where a row is a month, or all of them."""
MOST_DAYS_OF: Mapping[Step, int] = {
    "hour": DETAIL_DAYS,
    "day": MOST_DAYS,
    "month": LONGEST_DAYS,
}
"""Days that can be asked for at once."""

Period: TypeAlias = tuple[str, Sums]
"""A day (`2026-11-24`), month (`2026-11`) or hour (`2026-11-24T07:00+08:00`), and its counters by subject."""
CostsOf: TypeAlias = Callable[[str, Sums], Awaitable[Mapping[str, Cost]]]
"""Reads the costs of a period's subjects."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage is asked for."""

    days: tuple[str, ...]
    """In their order, without a gap."""
    step: Step = "day"
    """What a row adds up."""
    key: str = ""
    """Of this key only; empty is every key's, and so below."""
    account: str = ""
    model: str = ""


ROWS_AT_ONCE = 250
"""Rows that are made and written at once: some three milliseconds of the loop."""


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one key, account or model used on one day, in one hour or in one month."""

    day: str
    """`2026-11-24`; a month is `2026-11`, an hour its begin in the team's zone, `2026-11-24T07:00+08:00`."""
    subject: str
    """Its id; `open` without a key, `none` without an account or model."""
    name: str
    """What people call it."""
    requests: int
    errors: int
    input: int
    cached: int
    cache_write: int
    output: int
    reasoning: int
    total: int
    """Input and output together."""
    estimated: int
    """Tokens beside these, of answers that ended before upstream told their usage."""
    first_byte_ms: int | None
    """Mean time to the first word."""
    cost_usd: Decimal | None = None
    """What it would cost at list prices; null where no token has a price. Exact, not rounded."""
    unpriced_tokens: int = 0
    """Tokens of `total` without a price: they are not in `cost_usd`."""


class UsageBody(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of some days."""

    by: str
    time_zone: str
    """IANA name of the zone whose days these are."""
    since: str
    until: str
    rows: list[UsageRow]


async def each_period(usage: UsageStore, by: UsageKind, wanted: Wanted) -> AsyncIterator[Period]:
    """Counters by day or month and subject, of the wanted key, account or model only."""
    kind, subjects, sums_by = _counted(by, wanted)
    if wanted.step == "day":
        async for day, sums in usage.each_day(kind, wanted.days, subjects=subjects):
            yield day, sums_by(sums)
        return
    months: dict[str, list[str]] = {}
    for day in wanted.days:
        months.setdefault(day[:7], []).append(day)
    for month, days in months.items():
        yield month, sums_by(await usage.total(kind, days, subjects=subjects))


async def total_usage(usage: UsageStore, by: UsageKind, wanted: Wanted) -> Sums:
    """The same of all the days together."""
    kind, subjects, sums_by = _counted(by, wanted)
    return sums_by(await usage.total(kind, wanted.days, subjects=subjects))


class Hours:
    """Usage by the hour with its costs, which come from the same reading.

    Args:
        hours: Has them.
        prices: By model.
        by: What the rows tell apart.
        wanted: Which usage.
        calendar: Names the hours.
    """

    def __init__(
        self,
        hours: HourStore,
        prices: Mapping[str, Price],
        *,
        by: UsageKind,
        wanted: Wanted,
        calendar: Calendar,
    ) -> None:
        _counted(by, wanted)  # what is refused for days is refused here, too
        self._hours, self._prices = hours, prices
        self._by, self._wanted, self._calendar = by, wanted, calendar
        self._costs: dict[str, dict[str, Cost]] = {}

    def __repr__(self) -> str:
        return f"<Hours by {self._by}>"

    async def each_period(self) -> AsyncIterator[Period]:
        """Hours in which something was used, by subject."""
        wanted, by = self._wanted, self._by
        kind: UsageKind = "key" if by == "model" and wanted.key else by
        one: str = getattr(wanted, kind)
        read = self._hours.each_hour(kind, wanted.days, subjects=[one] if one else None)
        async for begin, found in read:
            sums: Sums = {}
            costs: dict[str, Cost] = {}
            for name, counters in found.items():
                owner, model = ("", name) if kind == "model" else key_and_model(name)
                if wanted.model in {"", model}:
                    subject = model if by == "model" else owner
                    cost = cost_of(counters, price_of(model, self._prices))
                    costs[subject] = costs.get(subject, Cost()) + cost
                    merge(sums, {subject: counters})
            if sums:
                name = self._calendar.told_hour(begin)
                self._costs[name] = costs
                yield name, sums

    async def costs(self, period: str, _: Sums) -> Mapping[str, Cost]:
        """What the subjects of an hour that was just read would cost."""
        return self._costs.pop(period)


def _counted(
    by: UsageKind, wanted: Wanted
) -> tuple[CountedKind, Sequence[str] | None, Callable[[Sums], Sums]]:
    """What to read for this, of which subjects, and how its sums are made.

    Keys and models are counted together; accounts are not counted by anything else.
    """
    one: str = getattr(wanted, by)
    others = {kind for kind in KINDS if kind != by and getattr(wanted, kind)}
    if not others:
        return by, [one] if one else None, lambda sums: sums
    if "account" in {by, *others}:
        raise BadRequest(Code.INVALID_VALUE, param="account")

    def sums_by(sums: Sums) -> Sums:
        found: Sums = {}
        for subject, counters in sums.items():
            key_id, model = key_and_model(subject)
            if wanted.model in {"", model}:
                merge(found, {key_id if by == "key" else model: counters})
        return found

    return MODELS_OF_KEYS, [wanted.key] if wanted.key else None, sums_by


def days_of(since: str, until: str, *, today: str, most: int = MOST_DAYS) -> list[str]:
    """The days (`2026-11-24`) from one to another, both included; BadRequest for more than `most`."""
    last = _date(until, "until") if until else _date(today, "until")
    first = _date(since, "since") if since else last - dt.timedelta(days=USUAL_DAYS - 1)
    count = (last - first).days + 1
    if not 1 <= count <= most:
        raise BadRequest(Code.INVALID_VALUE, param="since")
    return [(first + dt.timedelta(days=i)).isoformat() for i in range(count)]


def rows_of(
    period: str, sums: Sums, names: Mapping[str, str], costs: Mapping[str, Cost]
) -> list[UsageRow]:
    """The counters of a day or month as rows, by use."""
    rows = [
        UsageRow(
            day=period,
            subject=subject,
            name=names.get(subject, subject),
            requests=each.requests,
            errors=each.errors,
            input=each.input,
            cached=each.cached,
            cache_write=each.cache_write,
            output=each.output,
            reasoning=each.reasoning,
            total=each.input + each.output,
            estimated=each.estimated,
            first_byte_ms=round(each.first_byte_ms / each.first_bytes)
            if each.first_bytes
            else None,
            cost_usd=costs[subject].known,
            unpriced_tokens=costs[subject].unpriced,
        )
        for subject, each in sums.items()
    ]
    return sorted(rows, key=lambda row: (row.day, -row.total, row.subject))


async def _row_parts(
    period: str, sums: Sums, names: Mapping[str, str], costs: Mapping[str, Cost]
) -> AsyncIterator[list[UsageRow]]:
    """The same rows in the same order, ROWS_AT_ONCE at once; others are served in between."""
    ordered = sorted(sums, key=lambda each: (-(sums[each].input + sums[each].output), each))
    for begin in range(0, len(ordered), ROWS_AT_ONCE):
        part = ordered[begin : begin + ROWS_AT_ONCE]
        yield rows_of(period, {subject: sums[subject] for subject in part}, names, costs)
        await asyncio.sleep(0)


async def json_parts(
    body: UsageBody,
    periods: AsyncIterator[Period],
    names: Mapping[str, str],
    costs: CostsOf,
) -> AsyncIterator[bytes]:
    """The answer in parts, one for each period: `body` with the rows of all of them."""
    written = msgspec.json.encode(body).removesuffix(b"]}")
    between = b""
    async for period, sums in periods:
        if sums:
            async for rows in _row_parts(period, sums, names, await costs(period, sums)):
                written += between + msgspec.json.encode(rows)[1:-1]
                between = b","
                yield written
                written = b""
    yield written + b"]}"


async def csv_parts(
    periods: AsyncIterator[Period], names: Mapping[str, str], costs: CostsOf, *, time_zone: str
) -> AsyncIterator[str]:
    """Rows as CSV in parts, one for each period; the last column names the zone of the days."""
    yield csv_line((*UsageRow.__struct_fields__, "time_zone"))
    async for period, sums in periods:
        if sums:
            async for rows in _row_parts(period, sums, names, await costs(period, sums)):
                yield csv_lines(
                    (*map(_cell, msgspec.structs.astuple(row)), time_zone) for row in rows
                )


def _cell(value: Any) -> Any:
    """Money is written out: no exponent."""
    return f"{value:f}" if isinstance(value, Decimal) else value


def _date(day: str, param: str) -> dt.date:
    try:
        return dt.date.fromisoformat(day)
    except ValueError:
        raise BadRequest(Code.INVALID_VALUE, param=param) from None
