"""How a key's token budgets stand: a day and a calendar month (UTC), and any seven days in a row.

Usage is kept by day, so every budget changes for the better at midnight (UTC). Who may still spend
is decided with the pool's snapshot; here its figures, or those of the counters, become words for clients.
"""

import datetime as dt
from collections.abc import Sequence

import msgspec

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.redis import keyspace

WEEK_DAYS = 7
DAY_MINUTES = 1440
MONTH_DAYS = 30
"""What a month is told as: clients know windows by their length, and months have several."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens used of each budget; 0 of one that the key does not have."""

    day: int = 0
    week: int = 0
    month: int = 0
    week_midnights: int = WEEK_DAYS
    """Midnights until the week's are given back: all of them, or of a spent one the first."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One budget and how it stands."""

    minutes: int
    """Its length; a month's is nominal."""
    tokens: int
    """All there is of it."""
    spent: int
    """What is used of it, sometimes beyond all there is."""
    resets_at: int
    """Seconds since the epoch.

    A day and a month begin anew then. A week never does: it is when all that is used by now has
    left it; of a spent week, when something is left of it again.
    """

    @property
    def used_percent(self) -> int:
        """0 to 100; 100 only where nothing is left."""
        return min(100, self.spent * 100 // self.tokens)


def budgets_of(limits: Limits, spent: Spent, now: float) -> tuple[Budget, ...]:
    """The budgets a key has, from the shortest to the longest."""
    kinds = (
        (1, limits.tokens_day, spent.day, midnight_after(now, 1)),
        (WEEK_DAYS, limits.tokens_week, spent.week, midnight_after(now, spent.week_midnights)),
        (MONTH_DAYS, limits.tokens_month, spent.month, next_month(now)),
    )
    return tuple(
        Budget(minutes=days * DAY_MINUTES, tokens=tokens, spent=used, resets_at=resets_at)
        for days, tokens, used, resets_at in kinds
        if tokens
    )


def days_counted(limits: Limits, now: float) -> Sequence[str]:
    """The days (UTC) whose usage counts for a key's budgets, from today back; none without one."""
    today = dt.datetime.fromtimestamp(now, dt.UTC)
    count = max(
        1 if limits.tokens_day else 0,
        WEEK_DAYS if limits.tokens_week else 0,
        today.day if limits.tokens_month else 0,
    )
    return [(today - dt.timedelta(days=back)).strftime("%Y-%m-%d") for back in range(count)]


def spent_in(tokens: Sequence[int], limits: Limits, now: float) -> Spent:
    """What is used of each budget, by the tokens of `days_counted`."""
    week = tokens[:WEEK_DAYS] if limits.tokens_week else ()
    return Spent(
        day=sum(tokens[:1]) if limits.tokens_day else 0,
        week=sum(week),
        month=sum(tokens[: day_of_month(now)]) if limits.tokens_month else 0,
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


def day_of_month(now: float) -> int:
    """The day of the month (UTC), from 1."""
    return dt.datetime.fromtimestamp(now, dt.UTC).day


def midnight_after(now: float, days: int) -> int:
    """The midnight (UTC) so many days on, seconds since the epoch."""
    today = int(now) // keyspace.DAY * keyspace.DAY
    return today + days * keyspace.DAY


def next_month(now: float) -> int:
    """The begin (UTC) of the month after this one, seconds since the epoch."""
    today = dt.datetime.fromtimestamp(now, dt.UTC)
    after = (today.replace(day=1) + dt.timedelta(days=31)).replace(day=1)
    return int(after.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
