"""Usage by key, account, model and day, as JSON and CSV; the series behind the charts."""

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from litestar import Response, get
from litestar.params import FromQuery, QueryParameter

from commons.accounts.store import AccountStore
from commons.keys import KeyStore
from commons.usage import Counters, UsageKind, UsageStore, day_of
from console.errors import BadRequest, Code
from console.web.given import Given
from console.web.points import DAY, Point, Span, begin_of, points_of

Clock = Callable[[], float]
DAY_PATTERN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"
Day = Annotated[str, QueryParameter(pattern=DAY_PATTERN)]
"""A day (UTC), `2026-11-24`."""
MOST_DAYS = 400
"""How long counters are kept."""
USUAL_DAYS = 7


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
    first_byte_ms: int | None
    """Mean time to the first word."""


class UsageBody(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of some days."""

    by: str
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
    usage: Given[UsageStore],
    names: Given[Names],
    clock: Given[Clock],
    by: FromQuery[Literal["key", "account", "model"]] = "key",
    since: Day = "",
    until: Day = "",
    form: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
) -> Response[UsageBody | str]:
    """Usage by key, account or model for some days (UTC); the last seven unless told."""
    days = days_of(since, until, now=clock())
    rows = rows_of(await usage.read(by, days), await names.of(by))
    if form == "csv":
        disposition = f'attachment; filename="usage-{by}-{days[0]}-{days[-1]}.csv"'
        return Response(
            csv_of(rows),
            media_type="text/csv",
            headers={"content-disposition": disposition},
        )
    return Response(UsageBody(by=by, since=days[0], until=days[-1], rows=rows))


@get("/api/series", tags=["usage"])
async def show_series(
    usage: Given[UsageStore],
    clock: Given[Clock],
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


def days_of(since: str, until: str, *, now: float) -> list[str]:
    """The days from one to another, both included."""
    last = _date(until, "until") if until else _date(day_of(now), "until")
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
            first_byte_ms=round(each.first_byte_ms / each.first_bytes)
            if each.first_bytes
            else None,
        )
        for day, subjects in found.items()
        for subject, each in subjects.items()
    ]
    return sorted(rows, key=lambda row: (row.day, -row.total, row.subject))


def csv_of(rows: Iterable[UsageRow]) -> str:
    """Rows as CSV that a spreadsheet shows and never runs."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(UsageRow.__struct_fields__)
    for row in rows:
        values = (getattr(row, name) for name in row.__struct_fields__)
        writer.writerow(_cell(value) for value in values)
    return out.getvalue()


def _cell(value: str | int | None) -> str | int:
    """A text that begins like a formula would be run by spreadsheets; a quote stops that."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value


def _date(day: str, param: str) -> dt.date:
    try:
        return dt.date.fromisoformat(day)
    except ValueError:
        raise BadRequest(Code.INVALID_VALUE, param=param) from None
