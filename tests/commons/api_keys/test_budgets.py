"""How budgets stand, by calendar and by sliding week, in UTC and in other zones."""

import datetime as dt

import pytest

from codex_proapi.commons.api_keys.budgets import (
    Budget,
    Spent,
    budgets_of,
    days_counted,
    spent_in,
)
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.usage.calendar import Calendar

NOW = 1_795_000_000.0
"""2026-11-18, 11:06:40 UTC, a Wednesday."""
EVERY = Limits(tokens_day=100, tokens_week=500, tokens_month=2000)
WIDE = Limits(tokens_day=10**9, tokens_week=10**9, tokens_month=10**20)


def when(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M")


def test_a_key_without_budgets_has_none_to_tell_of() -> None:
    assert budgets_of(Limits(rpm=5, concurrent=2), Spent(), NOW) == ()
    assert days_counted(Limits(tpm=5), NOW) == []


def test_budgets_are_told_from_the_shortest_to_the_longest_with_their_ends() -> None:
    found = budgets_of(EVERY, Spent(day=25, week=260, month=1999), NOW)

    assert [(b.minutes, b.used_percent, when(b.resets_at)) for b in found] == [
        (1440, 25, "2026-11-19 00:00"),
        (10_080, 52, "2026-11-25 00:00"),
        (43_200, 99, "2026-12-01 00:00"),
    ]


@pytest.mark.parametrize(("spent", "percent"), [(0, 0), (1, 0), (299, 99), (300, 100), (900, 100)])
def test_a_hundred_percent_is_where_nothing_is_left(spent: int, percent: int) -> None:
    budget = Budget(minutes=1440, limit=300, spent=spent, resets_at=0)

    assert budget.used_percent == percent


@pytest.mark.parametrize(
    ("limits", "days"),
    [
        (Limits(tokens_day=1), ["2026-11-18"]),
        (Limits(tokens_week=1), [f"2026-11-{day}" for day in range(18, 11, -1)]),
        (Limits(tokens_month=1), [f"2026-11-{day:02}" for day in range(18, 0, -1)]),
    ],
)
def test_the_days_that_count_reach_back_as_far_as_the_longest_budget(
    limits: Limits, days: list[str]
) -> None:
    assert days_counted(limits, NOW) == days


def test_each_budget_counts_its_own_days() -> None:
    tokens = [10**permit_id for permit_id in range(18)]

    assert spent_in(tokens, WIDE, NOW) == Spent(day=1, week=1_111_111, month=int("1" * 18))
    assert spent_in(tokens[:1], Limits(tokens_day=9), NOW) == Spent(day=1)


def test_a_week_at_the_begin_of_a_month_reaches_into_the_one_before() -> None:
    second = NOW - 16 * 86_400
    limits = Limits(tokens_week=1000, tokens_month=1000)

    assert spent_in([1, 2, 4, 8, 16, 32, 64], limits, second) == Spent(week=127, month=3)


@pytest.mark.parametrize(
    ("week", "midnights"),
    [
        ([0, 0, 0, 0, 0, 0, 0], 7),
        ([5, 0, 0, 0, 0, 0, 50], 7),
        ([0, 0, 5, 0, 0, 0, 50], 5),
        ([0, 0, 0, 0, 0, 0, 99], 1),
    ],
)
def test_a_week_is_given_back_when_its_last_day_of_use_has_left_it(
    week: list[int], midnights: int
) -> None:
    assert spent_in(week, Limits(tokens_week=100), NOW).week_midnights == midnights


@pytest.mark.parametrize(
    ("week", "midnights"),
    [
        ([100, 0, 0, 0, 0, 0, 1], 7),
        ([0, 60, 0, 0, 0, 40, 0], 2),
        ([10, 20, 30, 40, 50, 60, 70], 4),
    ],
)
def test_a_spent_week_is_told_by_when_something_is_left_of_it(
    week: list[int], midnights: int
) -> None:
    assert spent_in(week, Limits(tokens_week=100), NOW).week_midnights == midnights


@pytest.mark.parametrize(
    ("zone", "ends"),
    [
        ("UTC", ["2026-11-19 00:00", "2026-11-25 00:00", "2026-12-01 00:00"]),
        ("Asia/Shanghai", ["2026-11-18 16:00", "2026-11-24 16:00", "2026-11-30 16:00"]),
        ("America/New_York", ["2026-11-19 05:00", "2026-11-25 05:00", "2026-12-01 05:00"]),
    ],
)
def test_budgets_begin_anew_at_the_midnights_of_the_teams_zone(zone: str, ends: list[str]) -> None:
    found = budgets_of(EVERY, Spent(), NOW, Calendar(zone))

    assert [when(budget.resets_at) for budget in found] == ends


def test_the_days_that_count_are_those_of_the_teams_zone() -> None:
    limits, east = Limits(tokens_day=9, tokens_month=99), Calendar("Asia/Tokyo")
    december = NOW + 12 * 86_400 + 5 * 3600  # there it is 1 December, 01:06

    assert days_counted(limits, NOW, east)[0] == "2026-11-18"
    assert days_counted(limits, december, east) == ["2026-12-01"]
    assert days_counted(limits, december)[0] == "2026-11-30"
    assert spent_in([5, 7], limits, december, east) == Spent(day=5, month=5)
    assert spent_in([5, 7], limits, december) == Spent(day=5, month=12)
