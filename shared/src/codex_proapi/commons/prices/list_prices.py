"""OpenAI's public API list prices, as far as they were found: what the same tokens would cost there.

US dollars for a million tokens, standard processing, short context (up to 272,000 input tokens). The
accounts are subscriptions and are not billed by them. Models without a row have no price, and no cost
is shown for them; operators edit the table while running (`prices`).
"""

from decimal import Decimal
from typing import Final

import msgspec

CURRENCY: Final = "USD"
_PAGE: Final = "https://developers.openai.com/api/docs/models/"
_PRICING: Final = "https://developers.openai.com/api/docs/pricing"


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The price of one model."""

    input: Decimal
    """Uncached input."""
    output: Decimal
    cached: Decimal | None = None
    """Input read from the prompt cache; None is as uncached input."""
    cache_write: Decimal | None = None
    """Input written to the prompt cache; None is as uncached input."""
    source: str = ""
    """Where it was found."""
    as_of: str = ""
    """The day it was found, `2026-11-30`."""


def _price(rates: str, source: str, as_of: str) -> Price:
    """A row: input, cached input, cache writes (or -) and output."""
    fresh, cached, written, output = rates.split()
    return Price(
        input=Decimal(fresh),
        cached=Decimal(cached),
        cache_write=None if written == "-" else Decimal(written),
        output=Decimal(output),
        source=source,
        as_of=as_of,
    )


LIST_PRICES: Final[dict[str, Price]] = {
    "gpt-6.2-sol": _price("2 0.1 2.5 10", f"{_PAGE}gpt-6.2-sol", "2026-11-30"),
    "gpt-6.2-astra": _price("8 0.4 - 40", _PRICING, "2026-11-18"),
    "gpt-6.1-sol": _price("2 0.1 - 10", _PRICING, "2026-10-13"),
    "gpt-6.1-terra": _price("1 0.05 1.25 5", f"{_PAGE}gpt-6.1-terra", "2026-10-27"),
    "gpt-6-astra": _price("10 1 12.5 50", f"{_PAGE}gpt-6-astra", "2026-09-05"),
    "gpt-6-sol": _price("2 0.2 2.5 10", f"{_PAGE}gpt-6-sol", "2026-11-30"),
    "gpt-6-luna": _price("0.1 0.01 0.125 0.5", f"{_PAGE}gpt-6-luna", "2026-09-22"),
    "gpt-5.6-sol": _price("4 0.4 - 20", _PRICING, "2026-09-22"),
    "gpt-5.6-terra": _price("2 0.2 - 12", _PRICING, "2026-09-07"),
    "gpt-5.6-luna": _price("0.2 0.02 - 1.2", _PRICING, "2026-09-07"),
    "gpt-5.5": _price("5 0.5 - 30", _PRICING, "2026-06-04"),
    "gpt-5.4": _price("2.5 0.25 - 15", _PRICING, "2026-06-04"),
    "gpt-5.4-mini": _price("0.75 0.075 - 4.5", _PRICING, "2026-06-04"),
}
"""By model. Rows of a pricing page were read as others quote it; a row of a model's page is that page's."""
