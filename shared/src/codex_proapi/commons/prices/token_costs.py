"""What tokens would cost at list prices. Pure; exact decimals, rounded only where money is shown."""

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.usage.counters import Counters
from codex_proapi.commons.usage.token_counts import Tokens

MILLION: Final = Decimal(1_000_000)
CENT: Final = Decimal("0.01")
_DATED: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of some tokens, in US dollars."""

    amount: Decimal = Decimal(0)
    """Of the tokens that have a price; exact."""
    unpriced: int = 0
    """Tokens, input and output, without a price: they are not in the amount."""
    priced: int = 0
    """Tokens with a price."""

    @property
    def known(self) -> Decimal | None:
        """The amount; None where no token has a price."""
        return self.amount if self.priced else None

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            amount=self.amount + other.amount,
            unpriced=self.unpriced + other.unpriced,
            priced=self.priced + other.priced,
        )


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model; a dated snapshot has that of its model."""
    return prices.get(model) or prices.get(_DATED.sub("", model))


def cost_of(counters: Counters | Tokens, price: Price | None) -> Cost:
    """What one model's tokens cost.

    Cached input and cache writes are parts of the input, each with its own price; reasoning is part
    of the output. Tokens that were only estimated are in no column, and cost nothing here.
    """
    tokens = counters.input + counters.output
    if price is None:
        return Cost(unpriced=tokens)
    cached = min(counters.cached, counters.input)
    written = min(counters.cache_write, counters.input - cached)
    fresh = counters.input - cached - written
    amount = (
        fresh * price.input
        + cached * (price.input if price.cached is None else price.cached)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + counters.output * price.output
    )
    return Cost(amount=amount / MILLION, priced=tokens)


def total_cost(costs: Iterable[Cost]) -> Cost:
    """All of them together."""
    return sum(costs, Cost())


def rounded(amount: Decimal) -> Decimal:
    """To whole cents, half to even."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)
