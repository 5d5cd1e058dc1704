"""Whether quota lasts: paces and forecasts, of one account and of the pool."""

import random

import pytest

from codex_proapi.commons.accounts.quota_store import Sample, SeenWindow
from codex_proapi.commons.usage.forecast import (
    Forecast,
    PoolForecast,
    Share,
    forecast,
    pool_forecast,
    share_of,
)

NOW, HOUR, DAY = 1_000_000.0, 3600.0, 86_400.0


def five_hours(used: float, *samples: tuple[float, float], hours: float = 2.0) -> SeenWindow:
    """A five-hour window that begins anew in some hours; samples are hours ago and percent."""
    return SeenWindow(
        minutes=300,
        used_percent=used,
        resets_at=round(NOW + hours * HOUR),
        trail=tuple(Sample(NOW - ago * HOUR, was) for ago, was in samples),
    )


def of(window: SeenWindow, *, now: float = NOW) -> Forecast:
    return forecast(window, seen_at=NOW, now=now)


@pytest.mark.parametrize(
    ("window", "pace"),
    [
        (five_hours(40, (1, 30), (0.5, 38)), 10.0),
        (five_hours(40, (0.25, 39)), 4.0),
        (five_hours(30, (0.2, 29)), 10.0),
        (five_hours(30), 10.0),
        (five_hours(30, (2.5, 5)), 10.0),
        (five_hours(30, (1, 31)), 0.0),
        (five_hours(30, (1, 30)), 0.0),
        (five_hours(0), 0.0),
        (five_hours(0, hours=5), 0.0),
        (five_hours(2, hours=4.9), None),
        (five_hours(2, hours=5.5), None),
        (SeenWindow(minutes=300, used_percent=7), None),
        (SeenWindow(minutes=0, used_percent=7, resets_at=round(NOW + HOUR)), None),
    ],
)
def test_a_pace_is_the_recent_one_else_the_mean_else_unknown(
    window: SeenWindow, pace: float | None
) -> None:
    assert of(window).pace == (None if pace is None else pytest.approx(pace))


def test_a_window_may_be_spent_before_it_begins_anew() -> None:
    outlook = of(five_hours(80, (1, 60)))

    assert outlook == Forecast(pace=20.0, spent_at=NOW + HOUR, resets_at=NOW + 2 * HOUR, wasted=0.0)
    assert outlook.lasts is False


def test_what_is_left_at_its_reset_is_wasted() -> None:
    outlook = of(five_hours(50, (1, 40)))

    assert (outlook.wasted, outlook.lasts) == (30.0, True)
    assert outlook.spent_at == NOW + 5 * HOUR


def test_a_window_nobody_uses_is_never_spent() -> None:
    outlook = of(five_hours(50, (1, 50)))

    assert (outlook.spent_at, outlook.wasted, outlook.lasts) == (None, 50.0, True)


def test_a_spent_window_is_spent_whatever_its_pace() -> None:
    outlook = of(five_hours(100, (1, 100)))

    assert (outlook.spent_at, outlook.wasted, outlook.lasts) == (NOW, 0.0, False)


def test_without_a_reset_nothing_is_said_of_what_is_wasted() -> None:
    window = SeenWindow(minutes=300, used_percent=50, trail=(Sample(NOW - HOUR, 40),))

    assert of(window) == Forecast(pace=10.0, spent_at=NOW + 5 * HOUR)
    assert of(window).lasts is None


def test_what_is_unknown_stays_so() -> None:
    assert of(SeenWindow(minutes=300, used_percent=7)) == Forecast()
    assert of(five_hours(80, (1, 60)), now=NOW + 3 * HOUR) == Forecast()


def test_a_week_is_measured_by_its_last_day() -> None:
    week = SeenWindow(
        minutes=10_080,
        used_percent=50,
        resets_at=round(NOW + 3 * DAY),
        trail=(Sample(NOW - DAY, 26), Sample(NOW - HOUR, 50)),
    )

    assert of(week).pace == 1.0
    assert of(week).spent_at == NOW + 50 * HOUR


def share(left: float, pace: float | None, hours: float | None = None) -> Share:
    resets_at = 0.0 if hours is None else NOW + hours * HOUR
    return Share(minutes=300, left=left, pace=pace, resets_at=resets_at)


def pool(*shares: Share) -> PoolForecast:
    return pool_forecast(shares, now=NOW)


def test_a_pool_is_counted_in_whole_accounts() -> None:
    found = pool(share(50, 10, 4), share(100, None, 4), share(75, 30, 4))

    assert (found.accounts, found.left) == (3, 2.25)
    assert found.pace == pytest.approx(0.4)
    assert found.wasted == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("shares", "hours"),
    [
        ([share(50, 20), share(50, 20)], 2.5),
        ([share(50, 20, 4), share(50, 20, 4)], 2.5),
        ([share(0, 0, 9), share(100, 50, 9)], 2.0),
        ([share(50, 25, 1), share(50, 25, 9)], 3.5),
        ([share(50, 10, 1), share(50, 10, 2)], None),
        ([share(50, 0, 1)], None),
        ([share(50, None, 1)], None),
        ([share(0, 0, 1), share(0, None)], 0.0),
        ([], None),
    ],
)
def test_a_pool_is_spent_when_all_are_and_a_reset_on_the_way_helps(
    shares: list[Share], hours: float | None
) -> None:
    expected = None if hours is None else pytest.approx(NOW + hours * HOUR)

    assert pool(*shares).spent_at == expected


def test_a_pool_whose_accounts_paces_are_unknown_has_none() -> None:
    assert pool(share(40, None)) == PoolForecast(accounts=1, left=0.4, pace=None)


def test_a_share_is_what_is_left_until_the_reset_passes_unseen() -> None:
    window = five_hours(120, (1, 100))

    assert share_of(window, seen_at=NOW, now=NOW) == Share(
        minutes=300, left=0.0, pace=20.0, resets_at=NOW + 2 * HOUR
    )
    assert share_of(window, seen_at=NOW, now=NOW + 3 * HOUR) is None


def _spent_step_by_step(shares: list[Share]) -> float | None:
    """When a pool is empty, with what is left of each account written out after each reset."""
    left = [share.left / 100 for share in shares]
    pace, at = sum(share.pace or 0.0 for share in shares) / 100, NOW
    for resets_at, index in sorted((share.resets_at, n) for n, share in enumerate(shares)):
        total, drawn = sum(left), pace * (resets_at - at) / HOUR
        if drawn >= total:
            return at + total / pace * HOUR
        left = [each * (1 - drawn / total) for each in left]
        left[index], at = 1.0, resets_at
    return None


@pytest.mark.parametrize("seed", range(20))
def test_a_large_pool_is_forecast_like_a_small_one(seed: int) -> None:
    dice = random.Random(seed)
    shares = [
        Share(
            minutes=300,
            left=dice.uniform(0, 100),
            pace=dice.uniform(0, 60),
            resets_at=NOW + dice.uniform(0, 5) * HOUR,
        )
        for _ in range(100)
    ]

    assert pool_forecast(shares, now=NOW).spent_at == pytest.approx(_spent_step_by_step(shares))


def test_a_pool_drawn_nearly_empty_goes_on_with_what_resets() -> None:
    shares = [
        Share(minutes=300, left=100.0, pace=100.0 - 1e-13, resets_at=NOW + HOUR * (n + 1))
        for n in range(2)
    ]

    assert pool_forecast(shares, now=NOW).spent_at == pytest.approx(_spent_step_by_step(shares))
