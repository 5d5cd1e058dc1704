"""The dates that `make test-dates` pretends are what is said of them."""

import calendar
import datetime as dt

from dates.__main__ import DATES, REAL_TIME, TESTS, offset, pretended
from support.tree import ROOT

DAY = 86_400


def test_a_process_is_told_how_many_seconds_its_time_is_off() -> None:
    now = dt.datetime(2028, 3, 1, tzinfo=dt.UTC).timestamp()

    assert offset("2028-02-29T12:00:00", now=now) == -DAY // 2
    assert (pretended(DAY)["FAKETIME"], pretended(-DAY)["FAKETIME"]) == ("+86400s", "-86400s")


def test_the_folders_it_runs_are_there() -> None:
    assert [name for name in (*TESTS, REAL_TIME) if not (ROOT / name).is_dir()] == []


def test_each_date_is_what_is_said_of_it() -> None:
    said = {DATES[date]: dt.datetime.fromisoformat(date) for date in DATES}

    def is_so(words: str, at: dt.datetime) -> bool:
        after = at + dt.timedelta(minutes=1)
        since_epoch = after.replace(tzinfo=dt.UTC).timestamp()
        facts = {
            **{day: at.strftime("%A") == day for day in calendar.day_name},
            "last minute": after.date() > at.date(),
            "a month": (at + dt.timedelta(days=1)).day == 1,
            "from the epoch": since_epoch % (7 * DAY) == 0,
            "a year": after.year > at.year,
            "leap day": (at.month, at.day) == (2, 29),
        }
        return all(fact for word, fact in facts.items() if word in words)

    assert all(is_so(words, at) for words, at in said.items())
