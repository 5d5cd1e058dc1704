"""Days and months of a time zone: where they begin, also where the clocks change."""

import datetime as dt
import pathlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_proapi.commons.usage.calendar import (
    UTC,
    Calendar,
    calendar_of,
    machine_zone,
    time_zones,
)

HOUR = 3600


def at(text: str) -> float:
    return dt.datetime.fromisoformat(f"{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", "2026-11-24T16:30", "2026-11-24"),
        ("Asia/Shanghai", "2026-11-24T15:59:59", "2026-11-24"),
        ("Asia/Shanghai", "2026-11-24T16:00", "2026-11-25"),
        ("America/Los_Angeles", "2026-11-25T07:59", "2026-11-24"),
        ("Asia/Kathmandu", "2026-11-24T18:15", "2026-11-25"),
        ("Pacific/Kiritimati", "2026-12-31T10:00", "2027-01-01"),
    ],
)
def test_a_moment_belongs_to_the_day_of_its_zone(zone: str, moment: str, day: str) -> None:
    calendar = Calendar(zone)

    assert calendar.day_of(at(moment)) == day
    assert calendar.begin_of(day) <= at(moment) < calendar.midnight_after(at(moment), 1)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2026-10-26", 24),
        ("America/New_York", "2026-03-08", 23),
        ("Africa/Cairo", "2026-04-24", 23),  # midnight itself is skipped
        ("Africa/Cairo", "2026-10-29", 25),  # from midnight back to 23:00
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Shanghai", "2026-03-29", 24),
    ],
)
def test_a_day_of_a_clock_change_is_shorter_or_longer(zone: str, day: str, hours: float) -> None:
    calendar = Calendar(zone)
    begin = calendar.begin_of(day)
    end = calendar.midnight_after(begin, 1)

    assert (end - begin) / HOUR == hours
    assert [calendar.day_of(moment) for moment in (begin, end - 1)] == [day, day]
    assert calendar.day_of(begin - 1) < day < calendar.day_of(end)


def test_no_moment_of_a_year_is_in_two_days_or_in_none() -> None:
    calendar = Calendar("Europe/Berlin")
    moment = at("2026-01-01T00:00")
    while moment < at("2027-01-01T00:00"):
        end = calendar.midnight_after(moment, 1)
        assert calendar.begin_of(calendar.day_of(moment)) <= moment < end
        assert calendar.begin_of(calendar.day_of(end)) == end
        moment += 7 * HOUR + 11


@pytest.mark.parametrize(
    ("zone", "moment", "begin"),
    [
        ("UTC", "2026-12-31T23:59", "2027-01-01T00:00"),
        ("Asia/Shanghai", "2026-12-31T15:59", "2026-12-31T16:00"),
        ("Asia/Shanghai", "2026-12-31T16:00", "2027-01-31T16:00"),
        ("Europe/Berlin", "2026-03-15T12:00", "2026-03-31T22:00"),
    ],
)
def test_a_month_begins_at_midnight_of_the_zone(zone: str, moment: str, begin: str) -> None:
    assert Calendar(zone).next_month(at(moment)) == at(begin)


def test_days_are_counted_back_over_a_clock_change_and_a_month() -> None:
    calendar, moment = Calendar("Europe/Berlin"), at("2026-03-30T22:30")

    assert calendar.days_back(moment, 3) == ["2026-03-31", "2026-03-30", "2026-03-29"]
    assert (calendar.day_of_month(moment), UTC.day_of_month(moment)) == (31, 30)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe"])
def test_a_day_spans_from_its_midnight_to_the_next_one(zone: str) -> None:
    calendar = Calendar(zone)
    for at in range(1_790_000_000, 1_790_000_000 + 400 * 86_400, 40_000):
        midnights = calendar.midnight_after(at, 0), calendar.midnight_after(at, 1)
        assert calendar.span_of_day(at) == (*midnights, calendar.day_of_month(at))


def test_weeks_begin_on_monday() -> None:
    calendar = Calendar("Asia/Shanghai")

    assert calendar.monday_of(at("2026-11-29T15:59")) == "2026-11-23"  # Sunday, 23:59
    assert calendar.monday_of(at("2026-11-29T16:00")) == "2026-11-30"


def test_a_moment_is_told_with_its_zone() -> None:
    assert Calendar("Asia/Shanghai").told(at("2026-11-30T16:00")) == (
        "2026-12-01 00:00 Asia/Shanghai"
    )


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Asia", "", "a\0b"])
def test_what_is_no_zone_is_refused_and_read_as_utc(zone: str) -> None:
    with pytest.raises(ValueError, match=r"zone|null|keys"):
        Calendar(zone)
    assert calendar_of(zone) == UTC


def test_the_zones_to_choose_from_are_places() -> None:
    zones = time_zones()

    assert {"UTC", "Asia/Shanghai", "Europe/Berlin"} <= set(zones)
    assert not {"localtime", "Factory"} & set(zones)


@pytest.mark.parametrize(
    ("environ", "target", "zone"),
    [
        ({"TZ": "Asia/Tokyo"}, "Europe/Berlin", "Asia/Tokyo"),
        ({"TZ": ":Asia/Tokyo"}, "Europe/Berlin", "Asia/Tokyo"),
        ({"TZ": "CET-1CEST"}, "Europe/Berlin", "Europe/Berlin"),
        ({}, "Europe/Berlin", "Europe/Berlin"),
        ({}, "Etc/UTC", "UTC"),
        ({"TZ": "Etc/UTC"}, "Europe/Berlin", "UTC"),
        ({}, "nowhere", "UTC"),
    ],
)
def test_the_zone_of_the_machine_is_known(
    tmp_path: pathlib.Path, environ: dict[str, str], target: str, zone: str
) -> None:
    link = tmp_path / "localtime"
    link.symlink_to(tmp_path / "zoneinfo" / target)

    assert machine_zone(environ, link) == zone


def test_without_a_link_the_machine_has_utc(tmp_path: pathlib.Path) -> None:
    assert machine_zone({}, tmp_path / "none") == "UTC"


@given(
    zone=st.sampled_from(["UTC", "America/Havana", "Europe/Berlin", "Asia/Tehran", "Africa/Cairo"]),
    moments=st.lists(st.integers(1_700_000_000, 1_800_000_000), max_size=20),
)
@example(zone="America/Havana", moments=[1_783_000_000 + 1800 * step for step in range(0, 9999, 7)])
def test_what_a_calendar_was_asked_before_changes_nothing(zone: str, moments: list[int]) -> None:
    calendar = Calendar(zone)

    for at in moments:
        fresh = [Calendar(zone) for _ in range(3)]
        assert calendar.day_of(at) == fresh[0].day_of(at)
        assert calendar.midnight_after(at, 1) == fresh[1].midnight_after(at, 1)
        assert calendar.begin_of(calendar.day_of(at)) == fresh[2].begin_of(calendar.day_of(at))
