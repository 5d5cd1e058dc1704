"""The hours of an owner's terms, for people: days that follow each other as one span. Pure."""

import msgspec

from codex_proapi.commons.owner_terms.terms import DAYS, OwnerTerms
from codex_proapi.console.texts.phrases import N_

DAY_NAMES = dict(
    zip(
        DAYS,
        (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun")),
        strict=True,
    )
)
"""The days of the week, short, untranslated."""
_RUN = 3
"""Days in a row from which they are written as a span."""


class HoursLine(msgspec.Struct, frozen=True, kw_only=True):
    """One span of hours."""

    days: tuple[tuple[str, ...], ...]
    """Days, untranslated: of one, or the first and the last of several that follow each other."""
    begin: str
    end: str
    """`HH:MM`; 24:00 is the end of the day."""
    next_day: bool
    """Whether it ends on the next day."""


def hours_lines(terms: OwnerTerms) -> tuple[HoursLine, ...]:
    """The spans of the terms, as they were set; none is always."""
    return tuple(
        HoursLine(
            days=runs_of(span.days), begin=span.begin, end=span.end, next_day=span.end < span.begin
        )
        for span in terms.hours
    )


def runs_of(days: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Days as names; three or more in a row as the first and the last."""
    indexes = sorted({DAYS.index(day) for day in days if day in DAYS})
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    found: list[tuple[str, ...]] = []
    for run in runs:
        names = [DAY_NAMES[DAYS[index]] for index in run]
        if len(run) >= _RUN:
            found.append((names[0], names[-1]))
        else:
            found += [(name,) for name in names]
    return tuple(found)
