"""The usage page: sums over some days; each single day, or month, is in the CSV."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec.structs import replace

from codex_proapi.commons.prices.token_costs import Cost, rounded, total_cost
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.commons.usage.counters import MOST_DAYS, Counters, UsageKind
from codex_proapi.console.api.prices import PriceRow, price_rows
from codex_proapi.console.api.usage_rows import (
    LONGEST_DAYS,
    MOST_DAYS_OF,
    Wanted,
    days_of,
    total_usage,
)
from codex_proapi.console.costs.cost_reader import CostReader
from codex_proapi.console.errors import BadRequest
from codex_proapi.console.layout.layout import AnyRequest, page
from codex_proapi.console.pages.usage_over_time import (
    TrendBar,
    moments_of,
    names_of,
    trend_of,
)
from codex_proapi.console.texts.phrases import N_
from codex_proapi.console.views.account_list import AccountOverview, load_accounts
from codex_proapi.console.views.paging import ListPage, page_of
from codex_proapi.console.views.sources import Sources

BY: Mapping[UsageKind, str] = {"key": N_("Keys"), "account": N_("Accounts"), "model": N_("Models")}
"""What usage can be grouped by, with its heading."""
RANGES: Mapping[str, tuple[str, int]] = {
    "today": (N_("Today"), 1),
    "7d": (N_("7 days"), 7),
    "30d": (N_("30 days"), 30),
}
"""Spans up to today, and their days."""
USUAL = "7d"
OTHER: Mapping[UsageKind, UsageKind] = {"key": "model", "model": "key"}
"""What a row can be split by: a key's models, and a model's keys."""
VIEWS: Mapping[str, str] = {
    "": N_("Total"),
    "hour": N_("By hour"),
    "day": N_("By day"),
    "month": N_("By month"),
}
"""What a row is: a key, account or model, or a time."""
NOBODY = frozenset({"open", "none"})
"""Subjects that stand for no key, and for no account or model."""
LONGEST = 128


class UsageSum(msgspec.Struct, frozen=True, kw_only=True):
    """What one key, account or model used in all the days."""

    id: str
    name: str
    """Its name for people; empty if it has none."""
    counters: Counters
    cost: Cost = Cost()
    """What the tokens would cost at list prices."""

    @property
    def dollars(self) -> Decimal | None:
        """The cost in whole cents; None where no token has a price."""
        return None if self.cost.known is None else rounded(self.cost.known)

    @property
    def first_byte_ms(self) -> float | None:
        """Mean milliseconds to the commit point; None without an answer."""
        counters = self.counters
        return counters.first_byte_ms / counters.first_bytes if counters.first_bytes else None

    @property
    def cached_share(self) -> float:
        """Percent of the input that came from the prompt cache."""
        return 100 * self.counters.cached / self.counters.input if self.counters.input else 0.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The page's query."""

    by: UsageKind
    span: str
    """One of `RANGES`; empty where two days were given."""
    days: tuple[str, ...]
    filters: dict[str, str]
    """The one key, account or model that is shown."""
    impossible: bool
    """Whether the days that were given are no range, so that the usual one is shown."""
    view: Literal["", "hour", "day", "month"] = ""
    """One of `VIEWS`."""

    @property
    def only(self) -> str:
        """The one model (by key) or key (by model) that is split; empty is all."""
        other = OTHER.get(self.by)
        return self.filters.get(other, "") if other and not self.view else ""

    @property
    def one(self) -> tuple[str, str]:
        """Kind and id of what is shown over time; empty is everything."""
        found = [(kind, self.filters[kind]) for kind in BY if self.filters.get(kind)]
        return found[0] if self.view and found else ("", "")

    @property
    def wanted(self) -> Wanted:
        """The same as the API asks for it."""
        if self.view:
            return Wanted(days=self.days, step=self.view, **self.filters)
        key, model = (self.only if OTHER.get(self.by) == kind else "" for kind in ("key", "model"))
        return Wanted(days=self.days, key=key, model=model)

    def query(
        self,
        by: str = "",
        span: str = "",
        only: str = "",
        *,
        view: str | None = None,
        one: str | None = None,
    ) -> str:
        """This page's address with one thing changed; by another kind all of it is shown.

        Args:
            by: Another kind of rows.
            span: Another span of time.
            only: What is split by the other kind.
            view: Another kind of rows: times, or (empty) keys, accounts, models.
            one: What is shown over time, of the kind of the rows; empty is everything.
        """
        times = {"since": self.days[0], "until": self.days[-1]}
        if span or self.span:
            times = {"range": span or self.span}
        filters = {} if by or one is not None else dict(self.filters)
        if other := OTHER.get(by or self.by) if only else None:  # type: ignore[call-overload]
            filters = {other: only}
        asked_view = self.view if view is None else view
        asked = {"by": by or self.by, "view": asked_view, **times, **filters}
        if one:
            asked[self.by] = one
        return urlencode({name: value for name, value in asked.items() if value})

    @property
    def daily(self) -> bool:
        """Whether the CSV tells each day: so many days, or fewer, can be asked for."""
        return len(self.days) <= MOST_DAYS and self.view != "month"

    @property
    def csv(self) -> str:
        """What gives the same from the API as CSV."""
        days = {"since": self.days[0], "until": self.days[-1], "format": "csv"}
        step = self.view or ("day" if self.daily else "month")
        days |= {} if step == "day" else {"step": step}
        if self.view:
            kind, _ = self.one
            return urlencode({"by": kind or self.by} | self.filters | days)
        only = {OTHER[self.by]: self.only} if self.only else {}
        return urlencode({"by": self.by} | only | days)


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """All the page shows."""

    asked: Asked
    only_name: str
    """Name of the one that is split."""
    listed: ListPage[UsageSum]
    """A page of the rows: who used most first, or the latest time."""
    trend: Sequence[TrendBar] = ()
    """The chart above rows that are times."""
    total: UsageSum
    today: str
    time_zone: str
    """IANA name of the zone whose days these are."""
    prices: Sequence[PriceRow]
    by: Sequence[tuple[UsageKind, str]] = tuple(BY.items())
    ranges: Sequence[tuple[str, str]] = tuple((span, label) for span, (label, _) in RANGES.items())
    views: Sequence[tuple[str, str]] = tuple(VIEWS.items())
    most_days: int = LONGEST_DAYS


@get("/usage", opt={"page": True}, include_in_schema=False)
async def usage_page(request: AnyRequest, sources: NamedDependency[Sources]) -> Response[str]:
    """Usage by key, account or model."""
    overview = await load_accounts(sources)
    now = sources.clock()
    calendar = await sources.calendar()
    asked = asked_for(request.query_params, now=now, calendar=calendar)
    names = await _names(sources, overview)
    if asked.view:
        view = await _over_time(sources, asked, names, request.query_params)
        return await page(request, sources, overview, "usage.html", view=view)
    found = await total_usage(sources.usage, asked.by, asked.wanted)
    prices = await sources.prices.all()
    days, model = asked.wanted.days, asked.wanted.model
    reader = CostReader(sources.usage, prices, by=asked.by, days=days, model=model)
    rows = rows_of_sums(found, names)
    listed = page_of(rows, request.query_params, text=lambda row: f"{row.name} {row.id}")
    costs = await reader.of("", {row.id: row.counters for row in listed.rows})
    total = total_of(rows)
    view = UsageView(
        asked=asked,
        only_name=names.get(asked.only, asked.only),
        listed=replace(listed, rows=tuple(replace(row, cost=costs[row.id]) for row in listed.rows)),
        total=replace(total, cost=await reader.total(total.counters, found)),
        today=calendar.day_of(now),
        time_zone=calendar.zone,
        prices=await price_rows(sources.prices),
    )
    return await page(request, sources, overview, "usage.html", view=view)


async def _over_time(
    sources: Sources, asked: Asked, names: Mapping[str, str], query: Mapping[str, str]
) -> UsageView:
    """The page where a row is an hour, a day or a month."""
    calendar, now = await sources.calendar(), sources.clock()
    moments = await moments_of(sources.usage, asked.wanted, await sources.prices.all(), calendar)
    rows = [
        UsageSum(id=each.name, name=each.label, counters=each.counters, cost=each.cost)
        for each in moments
    ]
    total = total_of(rows)
    kind, one = asked.one
    return UsageView(
        asked=asked,
        only_name=names.get(one, one) if kind else "",
        listed=page_of(rows, query, text=lambda row: row.name),
        trend=trend_of(moments, names_of(asked.wanted, calendar, now=now)),
        total=replace(total, cost=total_cost(row.cost for row in rows)),
        today=calendar.day_of(now),
        time_zone=calendar.zone,
        prices=await price_rows(sources.prices),
        most_days=MOST_DAYS_OF["hour"] if asked.view == "hour" else LONGEST_DAYS,
    )


def asked_for(query: Mapping[str, str], *, now: float, calendar: Calendar) -> Asked:
    """Parse the query; missing or wrong values get their defaults."""
    by: UsageKind = next((kind for kind in BY if kind == query.get("by")), "key")
    span = query.get("range", USUAL)
    span = span if span in RANGES else USUAL
    asked_view = query.get("view", "")
    view: Any = asked_view if asked_view in VIEWS else ""
    filters: dict[str, str] = {kind: query[kind][:LONGEST] for kind in BY if query.get(kind)}
    if "account" in filters:  # nothing else is counted beside accounts
        filters = {"account": filters["account"]}
    since, until = query.get("since", ""), query.get("until", "")
    impossible = False
    if since or until:
        try:
            most = MOST_DAYS_OF["hour"] if view == "hour" else LONGEST_DAYS
            days = tuple(days_of(since, until, today=calendar.day_of(now), most=most))
            return Asked(by=by, span="", days=days, filters=filters, impossible=False, view=view)
        except BadRequest:
            impossible = True
    days = tuple(reversed(calendar.days_back(now, RANGES[span][1])))
    return Asked(by=by, span=span, days=days, filters=filters, impossible=impossible, view=view)


def rows_of_sums(sums: Mapping[str, Counters], names: Mapping[str, str]) -> list[UsageSum]:
    """Counters of all days by subject, who used most first; without costs."""
    rows = [
        UsageSum(
            id=subject,
            name=names.get(subject, "" if subject in NOBODY else subject),
            counters=counters,
        )
        for subject, counters in sums.items()
        if counters.requests
    ]
    return sorted(rows, key=lambda row: (-_tokens(row), -row.counters.requests, row.name))


def total_of(rows: list[UsageSum]) -> UsageSum:
    """All rows together."""
    total = Counters()
    for row in rows:
        total.add(row.counters)
    return UsageSum(id="", name="", counters=total)


def _tokens(row: UsageSum) -> int:
    return row.counters.input + row.counters.output


async def _names(sources: Sources, overview: AccountOverview) -> dict[str, str]:
    accounts = {row.id: row.name for row in overview.rows}
    return accounts | await sources.keys.names()
