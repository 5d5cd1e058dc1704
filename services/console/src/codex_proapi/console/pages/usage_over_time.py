"""Usage over time: a row for each hour, day or month, of everything or of one key, account or model."""

from collections.abc import Mapping, Sequence

import msgspec

from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.token_costs import Cost, total_cost
from codex_proapi.commons.usage.calendar import HOUR, Calendar
from codex_proapi.commons.usage.counters import UsageKind, UsageStore
from codex_proapi.commons.usage.sums import Counters, Sums
from codex_proapi.console.api.usage_rows import CostsOf, Hours, Wanted, each_period
from codex_proapi.console.costs.cost_reader import CostReader


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What was used in one hour, on one day or in one month."""

    name: str
    """`2026-11-24`, `2026-11` or `2026-11-24T07:00+08:00`."""
    counters: Counters
    cost: Cost

    @property
    def label(self) -> str:
        """The same for people, in the team's zone."""
        return label_of(self.name)


class TrendBar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar of the chart, in percent of the highest."""

    name: str
    offset: int
    """Where it begins; ten are the next bar's."""
    tokens: int
    height: float
    cached: float
    """The part of it that came from the prompt cache."""

    @property
    def label(self) -> str:
        """Its name for people."""
        return label_of(self.name)


def label_of(name: str) -> str:
    """The name of a time for people: `2026-11-24 07:00`."""
    return name[:16].replace("T", " ")


def kind_of(wanted: Wanted) -> UsageKind:
    """By what usage is read: as little as tells its sums and what they cost."""
    return "account" if wanted.account else "model"


async def moments_of(
    usage: UsageStore, wanted: Wanted, prices: Mapping[str, Price], calendar: Calendar
) -> list[Moment]:
    """The hours, days or months in which something was used, the latest first."""
    by, costs_of = kind_of(wanted), None
    if wanted.step == "hour":
        hours = Hours(usage.hours, prices, by=by, wanted=wanted, calendar=calendar)
        periods, costs_of = hours.each_period(), hours.costs
    else:
        periods = each_period(usage, by, wanted)
    reader: CostsOf = costs_of or CostReader(usage, prices, by=by, days=wanted.days).of
    found = []
    async for name, sums in periods:
        if counters := _all_of(sums):
            cost = total_cost((await reader(name, sums)).values())
            found.append(Moment(name=name, counters=counters, cost=cost))
    return found[::-1]


def trend_of(moments: Sequence[Moment], names: Sequence[str]) -> list[TrendBar]:
    """The bars of these periods, also of those in which nothing was used."""
    used = {moment.name: moment.counters for moment in moments}
    most = max((each.input + each.output for each in used.values()), default=0) or 1
    return [
        TrendBar(
            name=name,
            offset=10 * number + 1,
            tokens=counters.input + counters.output,
            height=100 * (counters.input + counters.output) / most,
            cached=100 * counters.cached / most,
        )
        for number, name in enumerate(names)
        for counters in [used.get(name, Counters())]
    ]


def names_of(wanted: Wanted, calendar: Calendar, *, now: float) -> list[str]:
    """Every hour, day or month of what is wanted, up to now."""
    if wanted.step == "month":
        return list(dict.fromkeys(day[:7] for day in wanted.days))
    if wanted.step == "day":
        return list(wanted.days)
    begins = [calendar.begin_of(wanted.days[0])]
    end = min(now, calendar.midnight_after(calendar.begin_of(wanted.days[-1]), 1))
    while begins[-1] + HOUR < end:
        begins.append(calendar.begin_of_hour(begins[-1] + HOUR))
    return [calendar.told_hour(begin) for begin in begins]


def _all_of(sums: Sums) -> Counters | None:
    total = Counters()
    for counters in sums.values():
        total.add(counters)
    return total if total.requests else None
