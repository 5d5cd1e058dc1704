"""Hours of a week: by the clock on the wall, in any zone, in weeks with clock changes."""

import datetime as dt
import zoneinfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codex_proapi.commons.owner_terms.terms import DAYS, HoursSpan
from codex_proapi.commons.owner_terms.weekly_hours import WeeklyHours

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"),
    *("America/Havana", "Africa/Casablanca", "Asia/Beirut", "Pacific/Apia", "America/St_Johns"),
    *("Asia/Shanghai", "Pacific/Chatham", "Africa/Cairo", "America/Santiago", "Asia/Kathmandu"),
)
"""Among them changes at midnight, by half an hour, and offsets of odd minutes."""
WEEK = 7 * 86_400
CLOCKS = st.integers(0, 1439).map(lambda m: f"{m // 60:02}:{m % 60:02}")
SPANS = st.builds(
    HoursSpan,
    days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True).map(tuple),
    begin=CLOCKS,
    end=CLOCKS | st.just("24:00"),
).filter(lambda span: span.begin != span.end)


def is_within(span: HoursSpan, local: dt.datetime) -> bool:
    """What a person with a clock and a calendar would say."""
    clock = f"{local:%H:%M}"
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    if span.begin < span.end:
        return today in span.days and span.begin <= clock < span.end
    return (today in span.days and clock >= span.begin) or (
        yesterday in span.days and clock < span.end
    )


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    spans=st.lists(SPANS, min_size=1, max_size=4),
    at=st.floats(1_767_225_600, 1_893_456_000),
)
@example(
    zone="Europe/Berlin",
    spans=[HoursSpan(days=("sun",), begin="02:10", end="02:50")],
    at=1_774_742_400.0,  # the only span of this week is skipped
)
@example(
    zone="America/Havana",
    spans=[HoursSpan(days=("sat",), begin="23:30", end="00:30")],
    at=1_793_500_000.0,
)
def test_any_moment_is_judged_by_the_clock_on_the_wall(
    zone: str, spans: list[HoursSpan], at: float
) -> None:
    hours = WeeklyHours(zone, spans)
    there = zoneinfo.ZoneInfo(zone)

    def expected(moment: float) -> bool:
        return any(is_within(s, dt.datetime.fromtimestamp(moment, there)) for s in spans)

    now, change = hours.is_open(at), hours.next_change(at)
    assert now == expected(at)
    assert change > at
    until = min(change, at + WEEK)
    moments = [at + (until - at) * part / 97 for part in range(97)]
    assert {expected(moment) for moment in moments} == {now}
    if change < float("inf"):
        assert expected(change) is not now
        assert expected(max(change - 1, at)) is now


@pytest.mark.parametrize(
    ("spans", "at", "change"),
    [
        # 25 October 2026: 03:00 becomes 02:00, and the hour from 02:00 comes twice.
        ([HoursSpan(begin="01:00", end="02:30")], "2026-10-25T01:30+02:00", "02:30+02:00"),
        ([HoursSpan(begin="01:00", end="02:30")], "2026-10-25T02:59+02:00", "02:00+01:00"),
        ([HoursSpan(begin="01:00", end="02:30")], "2026-10-25T02:10+01:00", "02:30+01:00"),
        # 29 March 2026: 02:00 becomes 03:00.
        ([HoursSpan(begin="02:30", end="05:00")], "2026-03-29T01:00+01:00", "03:00+02:00"),
        ([HoursSpan(begin="01:00", end="02:30")], "2026-03-29T01:00+01:00", "03:00+02:00"),
    ],
)
def test_a_change_of_the_clock_moves_what_it_moves(
    spans: list[HoursSpan], at: str, change: str
) -> None:
    hours = WeeklyHours("Europe/Berlin", spans)

    found = hours.next_change(dt.datetime.fromisoformat(at).timestamp())

    assert found == dt.datetime.fromisoformat(f"{at[:10]}T{change}").timestamp()


@pytest.mark.parametrize("at", [1_795_000_000.5, 1_774_742_400.0])
def test_hours_that_are_all_hours_never_close(at: float) -> None:
    hours = WeeklyHours("Europe/Berlin", [HoursSpan(begin="22:00", end="12:00"), HoursSpan()])

    assert hours.is_open(at)
    assert hours.next_change(at) == float("inf")


def test_without_spans_nothing_is_open() -> None:
    hours = WeeklyHours("UTC", [])

    assert not hours.is_open(0.0)
    assert hours.next_change(0.0) == float("inf")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../UTC", "/etc/localtime", "Europe", "\0"])
def test_an_unknown_zone_is_a_value_error(zone: str) -> None:
    with pytest.raises(ValueError):
        WeeklyHours(zone, [HoursSpan()])
