"""Points of the charts, from counters by five-minute slot. Pure."""

import enum
from collections.abc import Mapping

import msgspec

from codex_proapi.commons.usage.counters import SLOT_SECONDS, Counters

HOUR, DAY = 3600, 86_400


class Span(enum.StrEnum):
    """The time span of a chart."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"

    @property
    def seconds(self) -> int:
        """Its length."""
        return {Span.HOUR: HOUR, Span.DAY: DAY, Span.WEEK: 7 * DAY}[self]

    @property
    def step(self) -> int:
        """The length of one point: whole slots, so that no slot is split."""
        return {
            Span.HOUR: SLOT_SECONDS,
            Span.DAY: 6 * SLOT_SECONDS,
            Span.WEEK: 36 * SLOT_SECONDS,
        }[self]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a chart."""

    at: int
    """Begin, seconds since the epoch."""
    requests: int
    errors: int
    input: int
    """Prompt tokens, cached ones included."""
    cached: int
    output: int
    """Completion tokens, reasoning included."""
    reasoning: int
    first_byte_ms: int | None
    """Mean milliseconds to the commit point; None without an answer."""
    total_ms: int | None
    """Mean time to the end; None without a request."""


def begin_of(span: Span, *, now: float) -> int:
    """Begin of the first point, seconds since the epoch; the last point contains `now`."""
    last = int(now) - int(now) % span.step
    return last - span.seconds + span.step


def points_of(slots: Mapping[int, Counters], span: Span, *, now: float) -> list[Point]:
    """A chart's points, also where nothing happened."""
    begin, step = begin_of(span, now=now), span.step
    sums = {begin + i * step: Counters() for i in range(span.seconds // step)}
    for at, counters in slots.items():
        if (point := at - (at - begin) % step) in sums:
            sums[point].add(counters)
    return [_point(at, counters) for at, counters in sums.items()]


def _point(at: int, counters: Counters) -> Point:
    return Point(
        at=at,
        requests=counters.requests,
        errors=counters.errors,
        input=counters.input,
        cached=counters.cached,
        output=counters.output,
        reasoning=counters.reasoning,
        first_byte_ms=_mean(counters.first_byte_ms, counters.first_bytes),
        total_ms=_mean(counters.total_ms, counters.requests),
    )


def _mean(total: int, count: int) -> int | None:
    return round(total / count) if count else None
