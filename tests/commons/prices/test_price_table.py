"""The prices in force as text for scripts, and the view that follows them."""

from decimal import Decimal

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.prices.list_prices import LIST_PRICES, Price
from codex_proapi.commons.prices.price_store import OwnPrice, PriceStore
from codex_proapi.commons.prices.price_table import (
    PricedModel,
    PriceView,
    costs_of_days,
    dollars,
    table_of,
)
from codex_proapi.commons.usage.counters import Counters

SOL = Price(input=Decimal(2), cached=Decimal("0.1"), output=Decimal("10.000001"))


def test_a_table_has_whole_millionths() -> None:
    table = table_of({"sol": SOL, "luna": Price(input=Decimal("0.5"), output=Decimal(1))})

    assert (
        table.text == "\nluna 500000 500000 500000 1000000\nsol 2000000 100000 2000000 10000001\n"
    )


def test_its_version_is_that_of_the_prices() -> None:
    again = table_of(
        {"sol": Price(input=Decimal("2.0"), cached=Decimal("0.10"), output=SOL.output)}
    )

    assert table_of({"sol": SOL}).version == again.version
    assert table_of({}).version != again.version
    assert " " not in again.version


@pytest.mark.parametrize(("model", "cost"), [("sol", 2000), ("sol-2026-11-01", 2000), ("x", 0)])
def test_an_estimate_is_that_of_fresh_input(model: str, cost: int) -> None:
    assert PricedModel(table=table_of({"sol": SOL}), model=model).estimate(1000) == cost


def test_costs_of_days_are_exact() -> None:
    counted = {"2026-11-30": {("k", "sol"): Counters(output=3), ("k", "x"): Counters(output=9)}}

    assert costs_of_days(counted, ["2026-11-30", "2026-11-29"], {"sol": SOL}) == [30_000_003, 0]


@pytest.mark.parametrize(
    ("micros", "told"),
    [
        (0, "$0.00"),
        (1, "$0.000001"),
        (400, "$0.0004"),
        (12_500_000, "$12.50"),
        (10**13, "$10000000.00"),
    ],
)
def test_millionths_as_people_read_them(micros: int, told: str) -> None:
    assert dollars(micros) == told


async def test_the_view_begins_with_the_shipped_prices_and_follows_the_store(
    redis_client: Redis,
) -> None:
    store = PriceStore(redis_client)
    view = PriceView(store)
    assert view.table.prices == LIST_PRICES
    before = view.table

    await view.refresh()
    assert view.table is before

    await store.put("mine", OwnPrice(price=SOL))
    await store.put("gpt-5.5", OwnPrice())
    await view.refresh()

    assert view.table.prices["mine"] == SOL
    assert "gpt-5.5" not in view.table.prices
    assert view.table.version != before.version
