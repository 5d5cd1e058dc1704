"""Token budgets of API keys: per day and calendar month, and per rolling seven days.

Usage is counted by day of the team's time zone, so a budget regains tokens at its midnight. The
snapshot's script enforces budgets; this module computes their state from its figures, or from the
usage counters.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.usage.calendar import UTC, Calendar

WEEK_DAYS = 7
DAY_MINUTES = 1440
MONTH_DAYS = 30
"""Nominal length of a month: clients identify quota windows by their length."""


PERIODS: Final = {
    DAY_MINUTES: "day",
    WEEK_DAYS * DAY_MINUTES: "week",
    MONTH_DAYS * DAY_MINUTES: "month",
}
"""Names of the lengths of budgets."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens used of each budget; 0 for a budget that the key does not have."""

    day: int = 0
    week: int = 0
    month: int = 0
    week_midnights: int = WEEK_DAYS
    """Midnights until all tokens of the week are regained; for a spent week, until the first are."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One budget and its state."""

    minutes: int
    """Length in minutes; nominal for a month."""
    tokens: int
    """Size in tokens."""
    spent: int
    """Tokens used; may exceed `tokens`."""
    resets_at: int
    """Seconds since the epoch.

    When a day or month begins anew. A rolling week does not begin anew: it is when all tokens used
    so far have left it or, if it is spent, when the first of them leave it.
    """

    @property
    def used_percent(self) -> int:
        """Percent used, 0 to 100, rounded down: 100 only if nothing is left."""
        return min(100, self.spent * 100 // self.tokens)


def budgets_of(
    limits: Limits, spent: Spent, now: float, calendar: Calendar = UTC
) -> tuple[Budget, ...]:
    """The budgets of a key at `now` (seconds since the epoch), from the shortest to the longest."""
    kinds = (
        (1, limits.tokens_day, spent.day, calendar.midnight_after(now, 1)),
        (
            WEEK_DAYS,
            limits.tokens_week,
            spent.week,
            calendar.midnight_after(now, spent.week_midnights),
        ),
        (MONTH_DAYS, limits.tokens_month, spent.month, calendar.next_month(now)),
    )
    return tuple(
        Budget(minutes=days * DAY_MINUTES, tokens=tokens, spent=used, resets_at=resets_at)
        for days, tokens, used, resets_at in kinds
        if tokens
    )


def days_counted(limits: Limits, now: float, calendar: Calendar = UTC) -> Sequence[str]:
    """The days (YYYY-MM-DD) that count for a key's budgets, from today back; empty without any."""
    count = max(
        1 if limits.tokens_day else 0,
        WEEK_DAYS if limits.tokens_week else 0,
        calendar.day_of_month(now) if limits.tokens_month else 0,
    )
    return calendar.days_back(now, count)


def spent_in(tokens: Sequence[int], limits: Limits, now: float, calendar: Calendar = UTC) -> Spent:
    """Tokens used of each budget; `tokens` holds one count for each of `days_counted`."""
    week = tokens[:WEEK_DAYS] if limits.tokens_week else ()
    return Spent(
        day=sum(tokens[:1]) if limits.tokens_day else 0,
        week=sum(week),
        month=sum(tokens[: calendar.day_of_month(now)]) if limits.tokens_month else 0,
        week_midnights=_week_midnights(week, limits.tokens_week),
    )


def _week_midnights(week: Sequence[int], limit: int) -> int:
    left = sum(week)
    if left >= limit:
        for midnights, oldest in enumerate(reversed(week), start=1):
            left -= oldest
            if left < limit:
                return midnights
    return WEEK_DAYS - next((back for back, tokens in enumerate(week) if tokens), 0)
