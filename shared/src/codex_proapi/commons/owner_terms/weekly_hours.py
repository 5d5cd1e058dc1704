"""Hours of a week by the clock of a time zone: whether they are open, and when that changes.

A moment is within the hours if the clock on the wall there says so. Where the clock is put forward,
times that are skipped never come; where it is put back, an hour that comes twice is open, or closed,
twice.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Sequence
from typing import Final

from codex_proapi.commons.owner_terms.terms import DAYS, HoursSpan

_DAY: Final = 86_400
_MINUTES: Final = 1440
_STEP: Final = 6 * 3600
"""Seconds between two looks at a zone's offset: no zone changes it twice within them."""
_AHEAD: Final = (8, 16)
"""Days looked ahead: a week, and two where a clock change skips a week's only span."""


class WeeklyHours:
    """The hours of some spans in a time zone. Raises ValueError for a zone that is not known here."""

    def __init__(self, zone: str, spans: Sequence[HoursSpan]) -> None:
        try:
            self._zone = zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, OSError, UnicodeError) as error:
            raise ValueError(f"{zone!r} is no time zone") from error
        self._open: list[list[tuple[int, int]]] = [[] for _ in DAYS]
        """For each day of the week the minutes that are open, as begins and ends."""
        for span in spans:
            begin, end = _minutes(span.begin), _minutes(span.end)
            for day in map(DAYS.index, span.days):
                if begin < end:
                    self._open[day].append((begin, end))
                else:
                    self._open[day].append((begin, _MINUTES))
                    self._open[(day + 1) % 7].append((0, end))
        self._edges = sorted({edge for day in self._open for span in day for edge in span})

    def __repr__(self) -> str:
        return f"<WeeklyHours in {self._zone.key}>"

    def is_open(self, at: float) -> bool:
        """Whether a moment, seconds since the epoch, is within the hours."""
        local = dt.datetime.fromtimestamp(at, self._zone)
        minute = local.hour * 60 + local.minute
        return any(begin <= minute < end for begin, end in self._open[local.weekday()])

    def next_change(self, at: float) -> float:
        """When they next open or close after a moment, seconds since the epoch; inf is never."""
        now = self.is_open(at)
        for days in _AHEAD:
            for moment in sorted(self._moments(at, days)):
                if self.is_open(moment) != now:
                    return moment
        return float("inf")

    def _moments(self, at: float, days: int) -> Iterator[float]:
        """All moments after this one at which they might open or close."""
        today = dt.datetime.fromtimestamp(at, self._zone).date()
        for ahead in range(-1, days + 1):
            date = today + dt.timedelta(days=ahead)
            for edge in self._edges:
                on, minute = (date, edge) if edge < _MINUTES else (date + dt.timedelta(days=1), 0)
                clock = dt.time(minute // 60, minute % 60)
                for fold in (0, 1):
                    local = dt.datetime.combine(on, clock.replace(fold=fold), self._zone)
                    if (moment := local.timestamp()) > at:
                        yield moment
        begin = int(at)
        for step in range(begin, begin + days * _DAY, _STEP):
            if self._offset(step) != self._offset(step + _STEP):
                yield float(self._clock_change(step, step + _STEP))

    def _offset(self, at: float) -> dt.timedelta | None:
        return dt.datetime.fromtimestamp(at, self._zone).utcoffset()

    def _clock_change(self, before: int, after: int) -> int:
        """The second at which the zone's offset changes between two moments."""
        first = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == first:
                before = middle
            else:
                after = middle
        return after


def _minutes(clock: str) -> int:
    """The minutes of a day until a time of day, `HH:MM`."""
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
