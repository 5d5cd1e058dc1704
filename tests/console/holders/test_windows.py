"""A key's windows: exact from the log, whole hours beyond it, and money that adds up."""

import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.usage.counters import Counters
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.console.holders.windows import (
    HOUR,
    SPANS,
    HourOfModel,
    Window,
    percentile,
    windows_of,
)

NOW = 1_790_000_123.0
PRICES = {"sol": Price(input=Decimal(2), cached=Decimal("0.1"), output=Decimal(10))}
_numbers = itertools.count()


def a_request(age: float, model: str = "sol", **fields: Any) -> ExchangeRecord:
    provided: dict[str, Any] = {
        "tokens": Tokens(input=1000, cached=400, output=100),
        "ending": Ending.WHOLE,
        "first_byte_ms": 500,
        **fields,
    }
    return ExchangeRecord(
        request_id=f"req_{next(_numbers)}",
        at=NOW - age,
        endpoint="chat",
        answered_model=model,
        **provided,
    )


def windows(
    *records: ExchangeRecord, hours: list[HourOfModel] | None = None, reaches_to: float = 0.0
) -> dict[str, Window]:
    found = windows_of(records, hours or [], reaches_to=reaches_to, prices=PRICES, now=NOW)
    return {window.span: window for window in found}


def test_each_window_counts_what_began_in_it() -> None:
    found = windows(*(a_request(age * HOUR) for age in (0.5, 0.9, 4, 23, 100, 200)))

    assert [found[span].requests for span in SPANS] == [2, 3, 4, 5]
    assert not any(window.whole_hours for window in found.values())


def test_refused_and_broken_requests_are_no_success_and_abandoned_ones_are() -> None:
    window = windows(*(a_request(1, ending=ending) for ending in Ending))["1h"]

    assert (window.requests, window.succeeded, window.success_percent) == (5, 3, 60.0)


def test_cached_share_and_cost_are_those_of_the_tokens() -> None:
    window = windows(a_request(1), a_request(2, "unknown"))["1h"]

    assert window.cached_percent == 40.0
    assert window.cost.amount == (600 * 2 + 400 * Decimal("0.1") + 100 * 10) / 10**6
    assert window.cost.unpriced == 1100


def test_without_requests_nothing_is_told_as_nought_percent() -> None:
    window = windows()["7d"]

    assert (window.success_percent, window.cached_percent) == (None, None)
    assert (window.first_word_p50, window.cost.known) == (None, None)


def test_beyond_the_log_whole_hours_are_counted_and_each_request_once() -> None:
    hours = [
        (int(NOW) // HOUR * HOUR - back * HOUR, "sol", Counters(requests=2, errors=1, input=10))
        for back in range(200)
    ]
    records = [a_request(100), a_request(HOUR + 1)]

    found = windows(*records, hours=hours, reaches_to=NOW - 2 * HOUR)

    assert (found["1h"].requests, found["1h"].whole_hours) == (1, False)
    assert (found["5h"].requests, found["5h"].whole_hours) == (12, True)
    assert (found["24h"].succeeded, found["24h"].input) == (25, 250)


@given(st.lists(st.integers(1, 10**6), min_size=1), st.integers(1, 100))
def test_so_many_percent_are_not_above_a_percentile(values: list[int], percent: int) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)

    assert found in ordered
    assert sum(value <= found for value in ordered) * 100 >= percent * len(ordered)
    assert sum(value < found for value in ordered) * 100 < percent * len(ordered)


@pytest.mark.parametrize(
    ("ordered", "percent", "found"),
    [([], 50, None), ([7], 95, 7), ([1, 2], 50, 1), ([1, 2], 51, 2)],
)
def test_percentiles_of_few(ordered: list[int], percent: int, found: int | None) -> None:
    assert percentile(ordered, percent) == found
