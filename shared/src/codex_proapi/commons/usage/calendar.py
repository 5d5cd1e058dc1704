"""Days and months of the team's time zone: by them usage is counted and budgets begin anew. Pure.

The zone is one live setting for every replica (`commons.cluster.live_settings`), so that all count
an exchange in the same day. A day of a clock change has 23 or 25 hours.
"""

import datetime as dt
import functools
import pathlib
import zoneinfo
from collections.abc import Mapping, Sequence

from codex_proapi.commons.runtime.stored_records import UNREADABLE

UTC_NAME = "UTC"
HOUR = 3600
_NO_ZONES = frozenset({"localtime", "Factory", "posixrules"})
"""Files of a time zone database that name no zone."""
_OTHER_NAMES_OF_UTC = frozenset({"Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Universal", "Etc/Zulu"})
_ONE_DAY = dt.timedelta(days=1)


class Calendar:
    """The days of one time zone (IANA name, `Asia/Shanghai`). Raises ValueError for an unknown one."""

    def __init__(self, zone: str = UTC_NAME) -> None:
        try:
            self._zone = zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(f"{zone!r} is no time zone") from error
        self.zone = zone
        """Its IANA name."""
        self._latest = (0, 0, dt.date.min)
        """The day that was looked up last: its first second, that of the next one, its date."""

    def __repr__(self) -> str:
        return f"<Calendar of {self.zone}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calendar) and other.zone == self.zone

    def __hash__(self) -> int:
        return hash(self.zone)

    def day_of(self, at: float) -> str:
        """The day a moment (seconds since the epoch) belongs to, `2026-11-24`."""
        return self._date(at).isoformat()

    def day_of_month(self, at: float) -> int:
        """The day of the month, from 1."""
        return self._date(at).day

    def begin_of(self, day: str) -> int:
        """The first second of a day, since the epoch."""
        return self._begin(dt.date.fromisoformat(day))

    def begin_of_hour(self, at: float) -> int:
        """The begin of the hour a moment belongs to; hours are counted from the begin of its day.

        So they fit in days also where the zone is half an hour off UTC.
        """
        day = self._begin(self._date(at))
        return day + (int(at) - day) // HOUR * HOUR

    def told_hour(self, at: float) -> str:
        """A moment as the name of an hour: `2026-11-24T07:00+08:00`."""
        return dt.datetime.fromtimestamp(at, self._zone).isoformat(timespec="minutes")

    def midnight_after(self, at: float, days: int) -> int:
        """The begin of the day so many days after a moment's, seconds since the epoch."""
        return self._begin(self._date(at) + dt.timedelta(days=days))

    def span_of_day(self, at: float) -> tuple[int, int, int]:
        """The day a moment belongs to: its begin, that of the next one, and its number in the month."""
        today = self._date(at)
        return self._begin(today), self._begin(today + _ONE_DAY), today.day

    def next_month(self, at: float) -> int:
        """The begin of the month after a moment's, seconds since the epoch."""
        after = (self._date(at).replace(day=1) + dt.timedelta(days=31)).replace(day=1)
        return self._begin(after)

    def days_back(self, at: float, count: int) -> Sequence[str]:
        """A moment's day and those before it, `count` in all, the latest first."""
        today = self._date(at)
        return [(today - dt.timedelta(days=back)).isoformat() for back in range(count)]

    def monday_of(self, at: float) -> str:
        """The first day of a moment's week; weeks begin on Monday."""
        today = self._date(at)
        return (today - dt.timedelta(days=today.weekday())).isoformat()

    def told(self, at: float) -> str:
        """A moment to the minute, with the zone: `2026-12-01 00:00 Asia/Shanghai`."""
        local = dt.datetime.fromtimestamp(at, self._zone)
        return f"{local:%Y-%m-%d %H:%M} {self.zone}"

    def _date(self, at: float) -> dt.date:
        begin, end, date = self._latest
        if not begin <= at < end:
            date = dt.datetime.fromtimestamp(at, self._zone).date()
            if date < dt.date.max - _ONE_DAY:
                self._latest = self._begin(date), self._begin(date + _ONE_DAY), date
        return date

    def _begin(self, date: dt.date) -> int:
        begin, end, latest = self._latest
        if end and latest <= date <= latest + _ONE_DAY:
            return begin if date == latest else end
        # Where a clock change skips midnight, this is the moment of the change.
        return int(dt.datetime.combine(date, dt.time(), self._zone).timestamp())


UTC = Calendar()
"""The days of UTC: those in force until the team says otherwise."""


@functools.lru_cache(maxsize=64)
def calendar_of(zone: str | None) -> Calendar:
    """The calendar of a stored zone; UTC for None, and for one that this machine does not know."""
    try:
        return Calendar(zone) if zone else UTC
    except ValueError:
        UNREADABLE.note("setting", "time_zone", "a zone this machine's database does not have")
        return UTC


@functools.cache
def time_zones() -> Sequence[str]:
    """The names a team may choose from, in order."""
    return sorted(zoneinfo.available_timezones() - _NO_ZONES)


def machine_zone(
    environ: Mapping[str, str], localtime: pathlib.Path = pathlib.Path("/etc/localtime")
) -> str:
    """The zone of this machine, by TZ or by the link `/etc/localtime`; UTC if neither names one."""
    linked = str(localtime.resolve()).partition("/zoneinfo/")[2]
    for name in (environ.get("TZ", "").removeprefix(":"), linked):
        if name in time_zones():
            return UTC_NAME if name in _OTHER_NAMES_OF_UTC else name
    return UTC_NAME
