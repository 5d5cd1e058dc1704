"""The points of the charts."""

import itertools

import pytest

from codex_proapi.commons.usage.counters import SLOT_SECONDS, Counters
from codex_proapi.console.api.chart_points import Span, begin_of, points_of

NOW = 1_795_000_123.0


@pytest.mark.parametrize(("span", "points"), [(Span.HOUR, 12), (Span.DAY, 48), (Span.WEEK, 56)])
def test_a_chart_has_all_its_points_also_where_nothing_happened(span: Span, points: int) -> None:
    found = points_of({}, span, now=NOW)

    assert len(found) == points
    assert {b.at - a.at for a, b in itertools.pairwise(found)} == {span.step}
    assert found[-1].at <= NOW < found[-1].at + span.step
    assert found[0].at == begin_of(span, now=NOW)
    assert all(point.requests == 0 and point.first_byte_ms is None for point in found)


def test_slots_are_summed_into_their_point_and_times_become_means() -> None:
    begin = begin_of(Span.DAY, now=NOW)
    slots = {
        begin: Counters(requests=2, errors=1, input=10, cached=4, total_ms=300),
        begin + SLOT_SECONDS: Counters(requests=1, output=7, first_bytes=2, first_byte_ms=500),
        begin - SLOT_SECONDS: Counters(requests=99),
        begin + 25 * 3600: Counters(requests=99),
    }
    first, *rest = points_of(slots, Span.DAY, now=NOW)

    assert (first.requests, first.errors, first.input, first.cached, first.output) == (
        3,
        1,
        10,
        4,
        7,
    )
    assert (first.first_byte_ms, first.total_ms) == (250, 100)
    assert sum(point.requests for point in rest) == 0


@pytest.mark.parametrize("span", Span)
def test_no_slot_is_split_between_points(span: Span) -> None:
    assert span.step % SLOT_SECONDS == 0
    assert span.seconds % span.step == 0
