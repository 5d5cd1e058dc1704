"""Routes of usage: by key, account, model and day, as JSON and CSV; the series of the charts."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.usage.calendar import Calendar, calendar_of
from codex_proapi.commons.usage.counters import UsageKind, UsageStore, day_of
from codex_proapi.console.api.chart_points import DAY, Point, Span, begin_of, points_of
from codex_proapi.console.api.usage_rows import (
    MOST_DAYS_OF,
    CostsOf,
    Hours,
    Period,
    Step,
    UsageBody,
    Wanted,
    csv_parts,
    days_of,
    each_period,
    json_parts,
)
from codex_proapi.console.costs.cost_reader import CostReader
from codex_proapi.console.server.dependencies import Injected

Clock = Callable[[], float]
DAY_PATTERN = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"
Day = Annotated[str, QueryParameter(pattern=DAY_PATTERN)]
"""A day of the team's time zone, `2026-11-24`."""
One = Annotated[str, QueryParameter(max_length=128)]
"""An id or a model; empty is all."""


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
            return await self._keys.names()
        return {}


@dataclass
class UsageOperation(Operation):
    """The operation in the OpenAPI document, with the answer's second form."""

    def __post_init__(self) -> None:
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            answer.content["text/csv"] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


@get(
    "/api/usage",
    tags=["usage"],
    operation_class=UsageOperation,
    responses={
        200: ResponseSpec(
            data_container=UsageBody, description="Usage by day, hour or month, and subject"
        )
    },
)
async def show_usage(
    *,
    usage: Injected[UsageStore],
    names: Injected[Names],
    wanted_usage: Injected[Wanted],
    calendar: Injected[Calendar],
    prices: Injected[PriceStore],
    by: FromQuery[Literal["key", "account", "model"]] = "key",
    form: Annotated[Literal["json", "csv"], QueryParameter(name="format")] = "json",
) -> Stream:
    """Usage by key, account or model for some days; the last seven unless told.

    Days are those of the setting `time_zone`, which the answer names. With `step=month` a row adds
    up a month, or what of it is asked for, and more than 400 days can be asked for. With `step=hour` a
    row is an hour; hours are kept for 40 days, and so many days can be asked for.

    With `key`, `account` or `model` only theirs: a model's rows by key tell who uses it.
    """
    days, known = wanted_usage.days, await prices.all()
    costs: CostsOf
    if wanted_usage.step == "hour":
        hours = Hours(usage.hours, known, by=by, wanted=wanted_usage, calendar=calendar)
        periods, costs = await _begun(hours.each_period()), hours.costs
    else:
        periods = await _begun(each_period(usage, by, wanted_usage))
        costs = CostReader(usage, known, by=by, days=days, model=wanted_usage.model).of
    called = await names.of(by)
    if form == "csv":
        disposition = f'attachment; filename="usage-{by}-{days[0]}-{days[-1]}.csv"'
        return Stream(
            csv_parts(periods, called, costs, time_zone=calendar.zone),
            media_type="text/csv",
            headers={"content-disposition": disposition},
        )
    body = UsageBody(by=by, time_zone=calendar.zone, since=days[0], until=days[-1], rows=[])
    return Stream(json_parts(body, periods, called, costs), media_type="application/json")


async def _begun(periods: AsyncIterator[Period]) -> AsyncIterator[Period]:
    """The same periods, the first one read already: what fails then is an answer of its own."""
    first = await anext(periods, None)

    async def all_of_them() -> AsyncIterator[Period]:
        if first is not None:
            yield first
        async for period in periods:
            yield period

    return all_of_them()


async def team_calendar(live_settings: Injected[LiveSettingsStore]) -> Calendar:
    """The days that usage is counted by."""
    return calendar_of((await live_settings.read()).time_zone)


def team_today(calendar: Injected[Calendar], clock: Injected[Clock]) -> str:
    """The team's day."""
    return calendar.day_of(clock())


def usage_wanted(
    *,
    team_today: Injected[str],
    since: Day = "",
    until: Day = "",
    step: FromQuery[Step] = "day",
    key: One = "",
    account: One = "",
    model: One = "",
) -> Wanted:
    """Which usage is asked for."""
    days = tuple(days_of(since, until, today=team_today, most=MOST_DAYS_OF[step]))
    return Wanted(days=days, step=step, key=key, account=account, model=model)


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
