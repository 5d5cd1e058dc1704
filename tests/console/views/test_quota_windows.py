from typing import Any

import pytest

from codex_proapi.commons.accounts.quota_store import Sample
from codex_proapi.console.views.quota_windows import (
    Bar,
    Reading,
    Tone,
    WindowKind,
    bar_of,
    bars_of,
    kind_of,
    pool_bars,
    tone_of,
)

NOW = 1_000_000.0
HOUR, DAY = 3600, 86_400


def _bar(left: float | None, *, minutes: int = 300, **fields: Any) -> Bar:
    facts: dict[str, Any] = {
        "kind": kind_of(minutes),
        "minutes": minutes,
        "left": left,
        "tone": tone_of(left),
    }
    return Bar(**(facts | fields))


@pytest.mark.parametrize(
    ("minutes", "kind"),
    [
        (300, WindowKind.FIVE_HOURS),
        (299, WindowKind.FIVE_HOURS),
        (1440, WindowKind.DAILY),
        (10_080, WindowKind.WEEKLY),
        (43_200, WindowKind.MONTHLY),
        (44_640, WindowKind.MONTHLY),
        (60, WindowKind.OTHER),
        (20_160, WindowKind.OTHER),
    ],
)
def test_a_window_is_told_by_its_length(minutes: Any, kind: Any) -> None:
    assert kind_of(minutes) is kind


@pytest.mark.parametrize(
    ("left", "tone"),
    [
        (100.0, Tone.OK),
        (25.1, Tone.OK),
        (25.0, Tone.WARN),
        (0.6, Tone.WARN),
        (0.5, Tone.BAD),
        (0.0, Tone.BAD),
        (None, Tone.UNKNOWN),
    ],
)
def test_what_is_left_has_a_tone(left: Any, tone: Any) -> None:
    assert tone_of(left) is tone


def test_a_window_with_half_its_time_gone() -> None:
    reading = Reading(minutes=300, used=40, resets_at=int(NOW + 2.5 * HOUR), seen_at=int(NOW))

    assert bar_of(reading, now=NOW) == _bar(
        60, resets_at=int(NOW + 2.5 * HOUR), elapsed=50.0, pace=16.0, wasted=20.0
    )
    assert bar_of(reading, now=NOW).lasts


def test_unknown_is_never_full() -> None:
    bar = bar_of(Reading(minutes=300, used=None), now=NOW)

    assert bar.left is None
    assert bar.tone is Tone.UNKNOWN


def test_a_window_whose_reset_has_passed_is_unknown_until_it_is_seen_again() -> None:
    bar = bar_of(Reading(minutes=300, used=100, resets_at=int(NOW) - 1), now=NOW)

    assert (bar.left, bar.resets_at, bar.elapsed) == (None, 0, None)


@pytest.mark.parametrize(("used", "left"), [(-5, 100), (130, 0)])
def test_figures_beyond_their_range_are_kept_in_it(used: Any, left: Any) -> None:
    assert bar_of(Reading(minutes=300, used=used), now=NOW).left == left


def test_a_pace_beyond_the_window_says_when_it_is_spent() -> None:
    reading = Reading(minutes=300, used=75, resets_at=int(NOW + 2.5 * HOUR))

    assert bar_of(reading, now=NOW).spent_at == int(NOW + 2.5 * HOUR * 25 / 75)
    assert not bar_of(reading, now=NOW).lasts


def test_a_trail_tells_the_pace_of_the_last_hour() -> None:
    trail = (Sample(NOW - HOUR, 55.0),)
    reading = Reading(
        minutes=300, used=75, resets_at=int(NOW + 2.5 * HOUR), seen_at=int(NOW), trail=trail
    )

    bar = bar_of(reading, now=NOW)

    assert (bar.pace, bar.spent_at, bar.wasted) == (20.0, int(NOW + 1.25 * HOUR), 0.0)


@pytest.mark.parametrize(
    ("used", "rest"),
    [(40, 2.5), (90, 4.9), (0, 2.5)],
    ids=["lasts until the reset", "too early to tell", "nothing used"],
)
def test_a_pace_says_nothing_where(used: Any, rest: Any) -> None:
    reading = Reading(minutes=300, used=used, resets_at=int(NOW + rest * HOUR))

    assert bar_of(reading, now=NOW).spent_at == 0


def test_a_reset_further_away_than_the_window_is_long_has_no_pace() -> None:
    assert bar_of(Reading(minutes=300, used=5, resets_at=int(NOW + DAY)), now=NOW).elapsed is None


def test_an_old_figure_says_so() -> None:
    assert bar_of(Reading(minutes=300, used=5, seen_at=int(NOW) - HOUR), now=NOW).stale
    assert not bar_of(Reading(minutes=300, used=5, seen_at=0), now=NOW).stale


def test_the_shortest_window_comes_first_and_empty_slots_do_not_exist() -> None:
    readings = [Reading(minutes=m, used=1.0) for m in (10_080, 0, 300)]

    assert [bar.minutes for bar in bars_of(readings, now=NOW)] == [300, 10_080]


def test_the_pool_is_the_mean_of_what_is_known() -> None:
    accounts = [
        [_bar(0.0, resets_at=50), _bar(80.0, minutes=10_080)],
        [_bar(100.0, resets_at=20)],
        [_bar(None)],
    ]

    five, week = pool_bars(accounts, now=NOW)

    assert (five.left, five.known, five.unknown) == (50.0, 2, 1)
    assert five.resets_at == 50, "a full window has nothing to recover"
    assert (week.kind, week.left, week.known) == (WindowKind.WEEKLY, 80.0, 1)


def test_a_pool_of_unknown_windows_is_unknown() -> None:
    (bar,) = pool_bars([[_bar(None)]], now=NOW)

    assert (bar.left, bar.tone, bar.known) == (None, Tone.UNKNOWN, 0)


def test_a_pool_is_spent_when_all_of_it_is() -> None:
    (both,) = pool_bars([[_bar(10.0, pace=10.0)], [_bar(30.0, pace=10.0)]], now=NOW)
    (helped,) = pool_bars(
        [
            [_bar(10.0, pace=10.0, resets_at=int(NOW + HOUR))],
            [_bar(90.0, resets_at=int(NOW + DAY))],
        ],
        now=NOW,
    )
    (quiet,) = pool_bars([[_bar(10.0, pace=0.0)], [_bar(None, pace=5.0)]], now=NOW)

    assert (both.spent_at, both.pace) == (int(NOW + 2 * HOUR), 10.0)
    assert (helped.spent_at, helped.pace, helped.wasted) == (int(NOW + 19.1 * HOUR), 5.0, 0.0)
    assert (quiet.spent_at, quiet.pace, quiet.lasts) == (0, 0.0, False)


def test_no_account_has_no_pool() -> None:
    assert pool_bars([], now=NOW) == ()


def test_windows_of_one_kind_are_one_bar_though_their_lengths_differ() -> None:
    assert len(pool_bars([[_bar(10.0, minutes=299)], [_bar(20.0, minutes=300)]], now=NOW)) == 1
