"""Routes of usage: by key, account, model and day, as JSON and CSV; the series of the charts."""

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from litestar import Response, get
from litestar.params import FromQuery, QueryParameter

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.usage.calendar import Calendar, calendar_of
from codex_proapi.commons.usage.counters import (
    KINDS,
    MOST_DAYS,
    Counters,
    UsageKind,
    UsageStore,
    day_of,
)
from codex_proapi.console.api.chart_points import DAY, Point, Span, begin_of, points_of
from codex_proapi.console.errors import BadRequest, Code
from codex_proapi.console.server.dependencies import Injected

Clock = Callable[[], float]
DAY_PATTERN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"
Day = Annotated[str, QueryParameter(pattern=DAY_PATTERN)]
"""A day of the team's time zone, `2026-11-24`."""
USUAL_DAYS = 7
One = Annotated[str, QueryParameter(max_length=128)]
"""An id or a model; empty is all."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage is asked for."""

    days: tuple[str, ...]
    """In their order, without a gap."""
    key: str = ""
    """Of this key only; empty is every key's, and so below."""
    account: str = ""
    model: str = ""


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one key, account or model used on one day."""

    day: str
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


class UsageBody(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of some days."""

    by: str
    time_zone: str
    """IANA name of the zone whose days these are."""
    since: str
    until: str
    rows: list[UsageRow]


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The points of the charts."""

    span: str
    step: int
    """Seconds of one point."""
    points: list[Point]


class Names:
    """What people call accounts and keys."""

    def __init__(self, accounts: AccountStore, keys: KeyStore) -> None:
        self._accounts = accounts
        self._keys = keys

    def __repr__(self) -> str:
        return "<Names>"

    async def of(self, by: UsageKind) -> Mapping[str, str]:
        """Names by id; models are their own names."""
        if by == "account":
            return {account.id: account.name for account in await self._accounts.list()}
        if by == "key":
            return {key.id: key.name for key in await self._keys.list()}
        return {}


@get("/api/usage", tags=["usage"])
async def show_usage(
    *,
    usage: Injected[UsageStore],
    names: Injected[Names],
    wanted_usage: Injected[Wanted],
    calendar: Injected[Calendar],
    by: FromQuery[Literal["key", "account", "model"]] = "key",
    form: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
) -> Response[UsageBody | str]:
    """Usage by key, account or model for some days; the last seven unless told.

    Days are those of the setting `time_zone`, which the answer names.

    With `key`, `account` or `model` only theirs: a model's rows by key tell who uses it.
    """
    days = wanted_usage.days
    rows = rows_of(await read_usage(usage, by, wanted_usage), await names.of(by))
    if form == "csv":
        disposition = f'attachment; filename="usage-{by}-{days[0]}-{days[-1]}.csv"'
        return Response(
            csv_of(rows, time_zone=calendar.zone),
            media_type="text/csv",
            headers={"content-disposition": disposition},
        )
    body = UsageBody(by=by, time_zone=calendar.zone, since=days[0], until=days[-1], rows=rows)
    return Response(body)


async def team_calendar(live_settings: Injected[LiveSettingsStore]) -> Calendar:
    """The days that usage is counted by."""
    return calendar_of((await live_settings.read()).time_zone)


def usage_wanted(
    *,
    clock: Injected[Clock],
    calendar: Injected[Calendar],
    since: Day = "",
    until: Day = "",
    key: One = "",
    account: One = "",
    model: One = "",
) -> Wanted:
    """Which usage is asked for."""
    days = tuple(days_of(since, until, today=calendar.day_of(clock())))
    return Wanted(days=days, key=key, account=account, model=model)


async def read_usage(
    usage: UsageStore, by: UsageKind, wanted: Wanted
) -> Mapping[str, Mapping[str, Counters]]:
    """Counters by day and subject, of the wanted key, account or model only.

    Keys and models are counted together; accounts are not counted by anything else.
    """
    one: str = getattr(wanted, by)
    others = {kind for kind in KINDS if kind != by and getattr(wanted, kind)}
    if not others:
        return await usage.read(by, wanted.days, subjects=[one] if one else None)
    if "account" in {by, *others}:
        raise BadRequest(Code.INVALID_VALUE, param="account")
    key_ids = [wanted.key] if wanted.key else await usage.key_ids(wanted.days)
    found = await usage.read_models(key_ids, wanted.days)
    return {
        day: {
            (key_id if by == "key" else model): counters
            for (key_id, model), counters in sums.items()
            if wanted.model in {"", model}
        }
        for day, sums in found.items()
    }


@get("/api/series", tags=["usage"])
async def show_series(
    usage: Injected[UsageStore],
    clock: Injected[Clock],
    span: FromQuery[Span] = Span.HOUR,
) -> Series:
    """Requests, tokens, errors and times of the pool, ready for a chart."""
    points = await read_points(usage, span, now=clock())
    return Series(span=span.value, step=span.step, points=points)


async def read_points(usage: UsageStore, span: Span, *, now: float) -> list[Point]:
    """A chart's points."""
    begin = begin_of(span, now=now)
    days = sorted({day_of(at) for at in (*range(begin, int(now), DAY), now)})
    return points_of(await usage.series(days), span, now=now)


def days_of(since: str, until: str, *, today: str) -> list[str]:
    """The days (`2026-11-24`) from one to another, both included."""
    last = _date(until, "until") if until else _date(today, "until")
    first = _date(since, "since") if since else last - dt.timedelta(days=USUAL_DAYS - 1)
    count = (last - first).days + 1
    if not 1 <= count <= MOST_DAYS:
        raise BadRequest(Code.INVALID_VALUE, param="since")
    return [(first + dt.timedelta(days=i)).isoformat() for i in range(count)]


def rows_of(
    found: Mapping[str, Mapping[str, Counters]], names: Mapping[str, str]
) -> list[UsageRow]:
    """Counters as rows, by day and then by use."""
    rows = [
        UsageRow(
            day=day,
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
        )
        for day, subjects in found.items()
        for subject, each in subjects.items()
    ]
    return sorted(rows, key=lambda row: (row.day, -row.total, row.subject))


def csv_of(rows: Iterable[UsageRow], *, time_zone: str) -> str:
    """Rows as CSV that a spreadsheet shows and never runs; the last column names the days' zone."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((*UsageRow.__struct_fields__, "time_zone"))
    for row in rows:
        values = (getattr(row, name) for name in row.__struct_fields__)
        writer.writerow((*map(_cell, values), time_zone))
    return out.getvalue()


def _cell(value: str | int | None) -> str | int:
    """A value for CSV; text that a spreadsheet would run as a formula gets a leading quote."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value


def _date(day: str, param: str) -> dt.date:
    try:
        return dt.date.fromisoformat(day)
    except ValueError:
        raise BadRequest(Code.INVALID_VALUE, param=param) from None
