import math
from typing import Any

import pytest

from codex_proapi.commons.balancing.candidates import Candidate, Window
from codex_proapi.commons.balancing.quota_pace import (
    Plenty,
    ends,
    fullest,
    hurry,
    known,
    middle,
    plenty,
    share,
    strained,
)

NOW = 1_790_000_000.0
HOUR = 3600.0
WEEK = 10_080


def candidate(*windows: Any, **fields: Any) -> Candidate:
    """Windows as (minutes, percent used, hours to the reset)."""
    made = tuple(
        Window(minutes=minutes, used=used, resets_at=NOW + hours * HOUR if hours else 0.0)
        for minutes, used, hours in windows
    )
    return Candidate(id="a", windows=made, **fields)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([], Plenty.AMPLE),
        ([(300, 40, 2), (WEEK, 80, 90)], Plenty.AMPLE),
        ([(300, 96, 5), (WEEK, 10, 90)], Plenty.RESERVE),
        ([(300, 10, 2), (WEEK, 96, 160)], Plenty.RESERVE),
        ([(300, 10, 2), (WEEK, 100, 160)], Plenty.SPENT),
        ([(300, 103, 2), (WEEK, 97, 160)], Plenty.SPENT),
        ([(300, 98, 0)], Plenty.RESERVE),
    ],
)
def test_the_tightest_window_says_how_much_is_left(windows: Any, expected: Any) -> None:
    assert plenty(candidate(*windows), now=NOW, reserve=5) is expected


def test_the_reserve_melts_as_the_reset_comes_nearer() -> None:
    found = [
        plenty(candidate((WEEK, 97, hours)), now=NOW, reserve=5) for hours in (168, 110, 90, 1)
    ]

    assert found == [Plenty.RESERVE, Plenty.RESERVE, Plenty.AMPLE, Plenty.AMPLE]


def test_a_window_that_has_begun_anew_since_it_was_seen_says_nothing() -> None:
    found = candidate((300, 100, -1))

    assert plenty(found, now=NOW, reserve=5) is Plenty.AMPLE
    assert (fullest(found, now=NOW), ends(found, now=NOW)) == (0, math.inf)
    assert (hurry(found, now=NOW), known(found, now=NOW)) == (None, False)


def test_where_bought_credits_go_on_nothing_is_spent_but_all_is_reserve() -> None:
    assert plenty(candidate((WEEK, 100, 90), credits=True), now=NOW, reserve=5) is Plenty.RESERVE


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([], None),
        ([(WEEK, 50, 0)], None),
        ([(WEEK, 50, 84)], 1),
        ([(WEEK, 45, 84)], 1),
        ([(WEEK, 50, 42)], 4),
        ([(WEEK, 99, 20)], 8),
        ([(WEEK, 20, 1)], 8),
        ([(WEEK, 75, 84)], 0.5),
        ([(WEEK, 99, 160)], 0.125),
        ([(300, 0, 0.1), (WEEK, 50, 84)], 1),
        ([(300, 75, 2.5), (WEEK, 50, 84)], 1),
    ],
)
def test_the_longest_window_says_how_fast_an_account_has_to_be_spent(
    windows: Any, expected: Any
) -> None:
    assert hurry(candidate(*windows), now=NOW) == expected


def test_in_the_middle_is_the_greater_of_two_and_an_even_pace_where_nobody_is() -> None:
    assert [middle(found) for found in ([], [0.5], [8, 1], [1, 8, 0.5])] == [1, 0.5, 8, 1]


def test_who_is_in_the_greatest_hurry_gets_the_turns_and_the_next_a_few() -> None:
    assert [share(found, 4) for found in (8, 4, 2, 1)] == [1, 1, 1 / 16, 0]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([], False),
        ([(300, 90, 5)], False),
        ([(300, 40, 4), (WEEK, 90, 160)], False),
        ([(300, 70, 4), (WEEK, 10, 160)], True),
    ],
)
def test_a_shorter_window_that_is_spent_twice_too_fast_is_strained(
    windows: Any, expected: Any
) -> None:
    assert strained(candidate(*windows), now=NOW) is expected


def test_what_is_left_is_lost_when_the_longest_window_ends() -> None:
    found = candidate((300, 60, 1), (WEEK, 20, 30))

    assert (fullest(found, now=NOW), ends(found, now=NOW)) == (60, NOW + 30 * HOUR)
