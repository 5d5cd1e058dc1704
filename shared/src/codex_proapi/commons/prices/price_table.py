"""The prices in force as the gateways have them: at hand for every request, and as text for scripts.

A script has no exact decimals, so prices are whole millionths of a dollar for a million tokens there.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.prices.list_prices import LIST_PRICES, Price
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.prices.token_costs import MILLION, Cost, cost_of, price_of, total_cost
from codex_proapi.commons.usage.counters import Counters

PARTS: Final = 10**12
"""Parts of a dollar that every cost is a whole number of: prices have at most six decimals."""


class PriceTable(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of one moment."""

    prices: Mapping[str, Price]
    """By model."""
    text: str
    r"""`\nmodel input cached cache-write output\n…`, in millionths of a dollar for a million tokens."""
    version: str
    """Digest of the text."""


class PricedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model at the prices of one moment."""

    table: PriceTable
    model: str
    output: int = 0
    """Tokens that an answer of it is expected to have."""

    def estimate(self, tokens: int) -> int:
        """What so many tokens of fresh input, and its answer, cost in millionths of a dollar; 0 without a price."""
        price = price_of(self.model, self.table.prices)
        return int(tokens * price.input + self.output * price.output) if price is not None else 0


def table_of(prices: Mapping[str, Price]) -> PriceTable:
    """The table of these prices."""
    rows = [
        f"{model} {' '.join(map(str, _micros(each)))}" for model, each in sorted(prices.items())
    ]
    text = "\n".join(["", *rows, ""])
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return PriceTable(prices=prices, text=text, version=version)


def cost_of_models(
    counted: Mapping[tuple[str, str], Counters], prices: Mapping[str, Price]
) -> Cost:
    """What one key's tokens cost together; exact.

    Args:
        counted: Its counters by key and model.
        prices: By model.
    """
    return total_cost(
        cost_of(counters, price_of(model, prices)) for (_, model), counters in counted.items()
    )


def costs_of_days(
    by_day: Mapping[str, Mapping[tuple[str, str], Counters]],
    days: Sequence[str],
    prices: Mapping[str, Price],
) -> list[int]:
    """What each day's tokens cost, in PARTS of a dollar; exact.

    Args:
        by_day: One key's counters by day, and by key and model.
        days: The days wanted, in their order.
        prices: By model.
    """
    return [int(PARTS * cost_of_models(by_day.get(day, {}), prices).amount) for day in days]


def dollars(micros: int) -> str:
    """So many millionths of a dollar as people read them: `$12.50`, `$0.0004`."""
    whole, parts = divmod(micros, 10**6)
    cents = f"{parts:06d}".rstrip("0").ljust(2, "0")
    return f"${whole}.{cents}"


class PriceView:
    """The prices in force, as last read; the shipped ones before the first time."""

    def __init__(self, store: PriceStore) -> None:
        self._store = store
        self.table = table_of(LIST_PRICES)

    def __repr__(self) -> str:
        return f"<PriceView {self.table.version}>"

    async def refresh(self) -> None:
        """Read them. Raises StoreUnavailable; the last ones stay then."""
        prices = await self._store.all()
        if prices != self.table.prices:
            self.table = table_of(prices)


def _micros(price: Price) -> tuple[int, int, int, int]:
    """Input, cached input, cache writes and output in millionths of a dollar."""
    cached = price.input if price.cached is None else price.cached
    written = price.input if price.cache_write is None else price.cache_write
    amounts = price.input, cached, written, price.output
    fresh, read, wrote, made = (int(amount * MILLION) for amount in amounts)
    return fresh, read, wrote, made
