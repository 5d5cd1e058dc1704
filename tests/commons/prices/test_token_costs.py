"""Costs: exact decimals, cached input apart, nothing invented where there is no price."""

from decimal import Decimal

import pytest

from codex_proapi.commons.prices.list_prices import LIST_PRICES, Price
from codex_proapi.commons.prices.token_costs import Cost, cost_of, price_of, rounded, total_cost
from codex_proapi.commons.usage.counters import Counters

SOL = Price(input=Decimal(2), cached=Decimal("0.1"), cache_write=Decimal("2.5"), output=Decimal(10))
PLAIN = Price(input=Decimal(2), output=Decimal(10))


@pytest.mark.parametrize(
    ("counters", "price", "amount", "unpriced"),
    [
        (Counters(input=1_000_000), SOL, "2", 0),
        (Counters(input=1_000_000, cached=900_000), SOL, "0.29", 0),
        (Counters(input=1_000_000, cached=900_000, cache_write=100_000), SOL, "0.34", 0),
        (Counters(input=1_000_000, cached=900_000, cache_write=100_000), PLAIN, "2", 0),
        (Counters(output=1, reasoning=1), SOL, "0.00001", 0),
        (Counters(input=10, cached=99, cache_write=99), SOL, "0.000001", 0),
        (Counters(input=7, output=5), None, "0", 12),
        (Counters(estimated=1_000_000), SOL, "0", 0),
    ],
)
def test_what_tokens_cost(
    counters: Counters, price: Price | None, amount: str, unpriced: int
) -> None:
    cost = cost_of(counters, price)

    assert (cost.amount, cost.unpriced) == (Decimal(amount), unpriced)


def test_without_a_price_no_cost_is_shown() -> None:
    assert cost_of(Counters(input=7), None).known is None
    assert cost_of(Counters(), SOL).known is None
    assert (cost_of(Counters(input=7), None) + cost_of(Counters(output=100_000), SOL)).known == 1


def test_money_adds_up_exactly_however_it_is_split() -> None:
    """A storm of odd exchanges: the sum of the parts is the cost of the sum."""
    parts = [Counters(input=n * 7 + 3, cached=n * 5, output=n % 13) for n in range(5000)]
    whole = Counters()
    for part in parts:
        whole.add(part)

    assert total_cost(cost_of(part, SOL) for part in parts) == cost_of(whole, SOL)


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("0.005", "0.00"), ("0.015", "0.02"), ("0.025", "0.02"), ("0.0250001", "0.03"), ("7", "7.00")],
)
def test_cents_are_rounded_half_to_even(amount: str, cents: str) -> None:
    assert str(rounded(Decimal(amount))) == cents


def test_a_snapshot_has_its_models_price_another_model_has_not() -> None:
    prices = {"gpt-5.4": SOL}

    assert price_of("gpt-5.4-2026-03-05", prices) is SOL
    assert price_of("gpt-5.4-mini", prices) is None
    assert price_of("", prices) is None


def test_shipped_rows_say_where_and_when_and_cached_is_cheaper() -> None:
    for price in LIST_PRICES.values():
        assert price.source.startswith("https://")
        assert len(price.as_of) == 10
        assert price.cached is not None
        assert 0 < price.cached < price.input < price.output
    assert Cost().known is None
