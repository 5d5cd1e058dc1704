"""The prices in force: the shipped rows, and those that the operator has set or taken away."""

import re
from decimal import Decimal
from typing import Final

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.prices.list_prices import LIST_PRICES, Price
from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.runtime.stored_records import read_json

MOST_PRICES: Final = 200
MOST_AMOUNT: Final = Decimal(1_000_000)
MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
MOST_DECIMALS: Final = 6
"""Most decimals of a price."""


class OwnPrice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the operator says of one model."""

    price: Price | None = None
    """None: it has no price, whatever is shipped."""


class PriceStore:
    """Store of the operator's prices."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def __repr__(self) -> str:
        return "<PriceStore>"

    async def own(self) -> dict[str, OwnPrice]:
        """What the operator has set, by model."""
        kept = await ask(lambda: self._redis.hgetall(operator_keys.prices()))
        found = {
            text(model): read_json(text(body), OwnPrice, kind="price", name=text(model))
            for model, body in kept.items()
        }
        return {model: own for model, own in found.items() if own is not None}

    async def all(self) -> dict[str, Price]:
        """The prices in force, by model."""
        own = await self.own()
        merged = {model: LIST_PRICES.get(model) for model in LIST_PRICES}
        merged |= {model: each.price for model, each in own.items()}
        return {model: price for model, price in merged.items() if price is not None}

    async def put(self, model: str, own: OwnPrice) -> None:
        """Set what holds for a model."""
        with mapped():
            await self._redis.hset(operator_keys.prices(), model, msgspec.json.encode(own).decode())

    async def reset(self, model: str) -> bool:
        """Go back to the shipped row; False if nothing was set."""
        with mapped():
            return bool(await self._redis.hdel(operator_keys.prices(), model))


def price_fault(model: str, price: Price) -> tuple[str, str]:
    """Which field of a price cannot be, and why in English; two empty texts if all can."""
    if not MODEL.fullmatch(model):
        return "model", "must be the name of a model"
    for name in ("input", "cached", "cache_write", "output"):
        amount: Decimal | None = getattr(price, name)
        if amount is None:
            continue
        exponent = amount.as_tuple().exponent
        if (
            not isinstance(exponent, int)
            or not 0 <= amount <= MOST_AMOUNT
            or exponent < -MOST_DECIMALS
        ):
            return name, "must be dollars for a million tokens, with at most six decimals"
    return "", ""
