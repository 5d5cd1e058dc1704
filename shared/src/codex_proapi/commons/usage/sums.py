"""Counters of usage: their packed form, their sums, and months of days. Pure."""

import calendar
import contextlib
import operator
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Literal, TypeAlias

import msgspec

UsageKind: TypeAlias = Literal["key", "account", "model"]
"""By what usage is counted."""
MISTYPED = "!"
"""What the scripts give for a hash that is none."""
SUBJECTS_AT_ONCE = 500
"""Packed counters taken in at once: a millisecond of the loop."""

_decode_counts = msgspec.json.Decoder(list[list[int]]).decode


class Counters(msgspec.Struct, kw_only=True):
    """Sums over exchanges. New ones come last: packed counters are told apart by their order."""

    requests: int = 0
    """Exchanges settled."""
    errors: int = 0
    """Of these, refused or broken."""
    input: int = 0
    """Prompt tokens, cached ones included."""
    cached: int = 0
    """Prompt tokens read from the prompt cache."""
    cache_write: int = 0
    """Prompt tokens written to the prompt cache."""
    output: int = 0
    """Completion tokens, reasoning included."""
    reasoning: int = 0
    """Completion tokens spent on reasoning."""
    estimated: int = 0
    """Tokens of answers that ended before upstream reported their usage; in none of those above."""
    first_bytes: int = 0
    """Exchanges that reached their first word."""
    first_byte_ms: int = 0
    """Milliseconds to the first word, summed over `first_bytes`."""
    total_ms: int = 0
    """Milliseconds to the end, summed over `requests`."""

    def add(self, other: "Counters") -> None:
        """Add the sums of another."""
        # Written out: thousands are added for a page, and this takes a third of the time of a loop.
        self.requests += other.requests
        self.errors += other.errors
        self.input += other.input
        self.cached += other.cached
        self.cache_write += other.cache_write
        self.output += other.output
        self.reasoning += other.reasoning
        self.estimated += other.estimated
        self.first_bytes += other.first_bytes
        self.first_byte_ms += other.first_byte_ms
        self.total_ms += other.total_ms


Sums: TypeAlias = dict[str, Counters]
"""Counters by subject."""


class Totals:
    """Sums of packed counters by subject, cheap where ten thousand of them are added."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}

    def __repr__(self) -> str:
        return f"<Totals of {len(self._counts)}>"

    def add(self, packed: Mapping[str, str]) -> None:
        """Add packed counters by subject; an empty text adds nothing."""
        held = self._counts
        for subject, counts in zip(packed, counts_of([*packed.values()]), strict=True):
            if not counts:
                continue
            before = held.get(subject)
            if before is None:
                held[subject] = counts
            elif len(before) == len(counts):
                held[subject] = list(map(operator.add, before, counts))
            else:  # packed by another version, which counts more or less
                held[subject] = [sum(pair) for pair in zip_longest(before, counts, fillvalue=0)]

    def sums(self) -> Sums:
        """The sums so far."""
        return {subject: _counters(counts) for subject, counts in self._counts.items()}


def counts_of(values: Sequence[str]) -> list[list[int]]:
    """The counts of packed counters, each `1 0 100 …` in the order of their names.

    A text of an older version may be shorter, one of a newer version longer.
    """
    with contextlib.suppress(msgspec.MsgspecError):  # one that is written otherwise
        found = _decode_counts(f"[[{'],['.join(values).replace(' ', ',')}]]")
        if len(found) == len(values):
            return found
    return [list(map(number_of, value.split())) for value in values]


def unpack(value: str) -> Counters:
    """Counters from their packed form."""
    return _counters(counts_of([value])[0])


def unpack_all(packed: Mapping[str, str]) -> Sums:
    """Counters by subject from their packed forms; those of an empty text are left out."""
    counts = counts_of([*packed.values()])
    return {name: _counters(each) for name, each in zip(packed, counts, strict=True) if each}


def add_packed(sums: Sums, subject: str, value: str) -> None:
    """Add packed counters to those of a subject; an empty text adds nothing."""
    if value:
        found = unpack(value)
        if subject in sums:
            sums[subject].add(found)
        else:
            sums[subject] = found


def some_of(packed: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Packed counters, SUBJECTS_AT_ONCE at a time: others are to be served in between."""
    each = iter(packed.items())
    while some := dict(islice(each, SUBJECTS_AT_ONCE)):
        yield some


def merge(sums: Sums, others: Sums) -> None:
    """Add the counters of others; `sums` may then hold some of their objects."""
    for subject, counters in others.items():
        if subject in sums:
            sums[subject].add(counters)
        else:
            sums[subject] = counters


def whole_months(days: Sequence[str]) -> tuple[list[str], list[str]]:
    """The months (`2026-11`) of which all days are asked for, and the days of no such month."""
    asked: dict[str, set[str]] = {}
    for day in days:
        asked.setdefault(day[:7], set()).add(day)
    whole = [month for month, found in asked.items() if len(found) == len(days_of_month(month))]
    return whole, [day for day in days if day[:7] not in whole]


def days_of_month(month: str) -> list[str]:
    """All days of a month, `2026-11-01` and so on of `2026-11`."""
    year, number = map(int, month.split("-"))
    return [f"{month}-{day:02}" for day in range(1, calendar.monthrange(year, number)[1] + 1)]


def _counters(counts: Sequence[int]) -> Counters:
    return Counters(**dict(zip(Counters.__struct_fields__, counts)))  # noqa: B905


def number_of(value: object) -> int:
    """A count as it is kept; 0 for none, or for what is no number."""
    try:
        return int(str(value or 0))
    except ValueError:
        return 0
