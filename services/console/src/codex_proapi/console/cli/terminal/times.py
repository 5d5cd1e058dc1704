"""Times as commands show them: to the minute in a named zone, in JSON as ISO 8601 with the offset. Pure."""

import datetime as dt
import zoneinfo

from codex_proapi.commons.usage.calendar import Calendar


def moment(seconds: float, calendar: Calendar) -> str:
    """A time in a form that sorts, without its zone; empty for never (0)."""
    return f"{_local(seconds, calendar):%Y-%m-%d %H:%M}" if seconds else ""


def told(seconds: float, calendar: Calendar) -> str:
    """A time with its zone, `2026-12-01 00:00 Asia/Shanghai`; empty for never (0)."""
    return calendar.told(seconds) if seconds else ""


def second(seconds: float, calendar: Calendar) -> str:
    """A time to the second with its offset, `2026-12-01 00:00:00+08:00`."""
    return _local(seconds, calendar).isoformat(" ", "seconds")


def iso(seconds: float, calendar: Calendar) -> str | None:
    """A time in ISO 8601 with its offset; None for never (0). Fractions only where there are any."""
    if not seconds:
        return None
    precision = "seconds" if float(seconds).is_integer() else "milliseconds"
    return _local(seconds, calendar).isoformat("T", precision)


def heading(name: str, calendar: Calendar) -> str:
    """The head of a column of times, with their zone."""
    return f"{name} ({calendar.zone})"


def _local(seconds: float, calendar: Calendar) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, zoneinfo.ZoneInfo(calendar.zone))
