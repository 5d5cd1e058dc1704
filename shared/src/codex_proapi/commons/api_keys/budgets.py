"""Budgets of API keys, in tokens and in money: per day and calendar month, and per rolling seven days.

Usage is counted by day of the team's time zone, so a budget regains something at its midnight. Money
is what the tokens cost at list prices: a model without a price takes none of it. The snapshot's script
enforces budgets; this module computes their state from its figures, or from the usage counters.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.api_keys.limits import Limits, Unit
from codex_proapi.commons.usage.calendar import UTC, Calendar

WEEK_DAYS = 7
DAY_MINUTES = 1440
MONTH_DAYS = 30
"""Nominal length of a month: clients identify quota windows by their length."""


PARTS: Final[Mapping[Unit, int]] = {Unit.TOKENS: 1, Unit.MICRO_USD: 10**6}
"""In how many parts a unit is counted: cost is exact in millionths of a millionth of a dollar."""
PERIODS: Final = {
    DAY_MINUTES: "day",
    WEEK_DAYS * DAY_MINUTES: "week",
    MONTH_DAYS * DAY_MINUTES: "month",
}
"""Names of the lengths of budgets."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of each budget of one unit; 0 for a budget that the key does not have."""

    day: int = 0
    week: int = 0
    month: int = 0
    week_midnights: int = WEEK_DAYS
    """Midnights until all of the week is regained; for a spent week, until the first is."""


NOTHING: Final = Spent()


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One budget and its state."""

    minutes: int
    """Length in minutes; nominal for a month."""
    unit: Unit = Unit.TOKENS
    limit: int
    """Size."""
    spent: int
    """What is used; may exceed `limit`."""
    resets_at: int
    """Seconds since the epoch.

    When a day or month begins anew. A rolling week does not begin anew: it is when all used so far has
    left it or, if it is spent, when the first of it does.
    """

    @property
    def used_percent(self) -> int:
        """Percent used, 0 to 100, rounded down: 100 only if nothing is left."""
        return min(100, self.spent * 100 // self.limit)


def budgets_of(
    limits: Limits, spent: Spent, now: float, calendar: Calendar = UTC, *, cost: Spent = NOTHING
) -> tuple[Budget, ...]:
    """The budgets of a key at `now` (seconds since the epoch): of tokens, then of money.

    Each from the shortest to the longest.
    """
    return (
        *_budgets(limits, Unit.TOKENS, spent, now, calendar),
        *_budgets(limits, Unit.MICRO_USD, cost, now, calendar),
    )


def _budgets(
    limits: Limits, unit: Unit, spent: Spent, now: float, calendar: Calendar
) -> Iterator[Budget]:
    day, week, month = limits.sizes(unit)
    kinds = (
        (1, day, spent.day, calendar.midnight_after(now, 1)),
        (WEEK_DAYS, week, spent.week, calendar.midnight_after(now, spent.week_midnights)),
        (MONTH_DAYS, month, spent.month, calendar.next_month(now)),
    )
    for days, limit, used, resets_at in kinds:
        if limit:
            yield Budget(
                minutes=days * DAY_MINUTES, unit=unit, limit=limit, spent=used, resets_at=resets_at
            )


def days_counted(limits: Limits, now: float, calendar: Calendar = UTC) -> Sequence[str]:
    """The days (YYYY-MM-DD) that count for a key's budgets, from today back; empty without any."""
    if not limits.budgeted:
        return []
    sizes = zip(limits.sizes(Unit.TOKENS), limits.sizes(Unit.MICRO_USD), strict=True)
    day, week, month = (any(each) for each in sizes)
    count = max(
        1 if day else 0, WEEK_DAYS if week else 0, calendar.day_of_month(now) if month else 0
    )
    return calendar.days_back(now, count)


def spent_in(
    counts: Sequence[int],
    limits: Limits,
    now: float,
    calendar: Calendar = UTC,
    *,
    unit: Unit = Unit.TOKENS,
) -> Spent:
    """What is used of each budget of one unit.

    Args:
        counts: One for each of `days_counted`, in `PARTS` of the unit.
        limits: The key's.
        now: Seconds since the epoch.
        calendar: Whose days they are.
        unit: Which budgets.
    """
    parts = PARTS[unit]
    day_limit, week_limit, month_limit = limits.sizes(unit)
    week = counts[:WEEK_DAYS] if week_limit else ()
    month = counts[: calendar.day_of_month(now)] if month_limit else ()
    return Spent(
        day=sum(counts[:1]) // parts if day_limit else 0,
        week=sum(week) // parts,
        month=sum(month) // parts,
        week_midnights=_week_midnights(week, week_limit * parts),
    )


def _week_midnights(week: Sequence[int], limit: int) -> int:
    left = sum(week)
    if left >= limit:
        for midnights, oldest in enumerate(reversed(week), start=1):
            left -= oldest
            if left < limit:
                return midnights
    return WEEK_DAYS - next((back for back, used in enumerate(week) if used), 0)
