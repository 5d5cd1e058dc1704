"""Hours as they are typed and printed: `mon-fri 09:00-18:00`. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from codex_proapi.commons.owner_terms.terms import DAYS, HoursSpan

EXAMPLE: Final = "mon-fri 09:00-18:00"
_SPAN: Final = re.compile(r"(?:([a-z,-]+) +)?([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})")


def span_of(text: str) -> HoursSpan:
    """A typed span; days are `mon`, `mon,wed`, `mon-fri` or left out for all. Raises ValueError."""
    found = _SPAN.fullmatch(text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is no span such as {EXAMPLE!r}")
    days = _days(found[1]) if found[1] else DAYS
    return HoursSpan(days=days, begin=found[2], end=found[3])


def typed(span: HoursSpan) -> str:
    """A span as it is typed."""
    days = "" if set(span.days) == set(DAYS) else f"{_ranges(span.days)} "
    return f"{days}{span.begin}-{span.end}"


def _days(text: str) -> tuple[str, ...]:
    """Days in the order of the week."""
    found: set[str] = set()
    for part in text.split(","):
        first, hyphen, last = part.partition("-")
        last = last if hyphen else first
        if first not in DAYS or last not in DAYS:
            raise ValueError(
                f"{part!r} is none of {', '.join(DAYS)}, nor two of them with a hyphen"
            )
        begin, end = DAYS.index(first), DAYS.index(last)
        found.update(DAYS[n % 7] for n in range(begin, (end if end >= begin else end + 7) + 1))
    return tuple(day for day in DAYS if day in found)


def _ranges(days: Sequence[str]) -> str:
    """Days in words, neighbours with a hyphen."""
    positions = sorted(DAYS.index(day) for day in set(days))
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][-1] + 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return ",".join(
        DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs
    )
