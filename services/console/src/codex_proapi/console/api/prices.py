"""Routes of the price table: the rows in force, and those that the operator sets."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, put
from litestar.params import JSONBody, PathParameter

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.prices.list_prices import CURRENCY, LIST_PRICES, Price
from codex_proapi.commons.prices.price_store import (
    MOST_PRICES,
    OwnPrice,
    PriceStore,
    price_fault,
)
from codex_proapi.commons.usage.calendar import calendar_of
from codex_proapi.console.auth.audit import Audit, Facts
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import BadRequest, Code, Conflict, NotFound
from codex_proapi.console.server.dependencies import Injected

AnyRequest = Request[Any, Any, Any]
Clock = Callable[[], float]
Model = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
Dollars = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,7}(\.[0-9]{1,6})?$")]


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """The price of one model, in US dollars for a million tokens."""

    model: str
    input: Decimal | None
    """Uncached input; null where it has no price."""
    cached: Decimal | None
    """Input read from the prompt cache; null is as uncached input."""
    cache_write: Decimal | None
    output: Decimal | None
    source: str
    as_of: str
    own: bool
    """Whether the operator has set it."""


class PriceTable(msgspec.Struct, frozen=True, kw_only=True):
    """Every model that has a price, or that the operator has taken one from."""

    currency: str
    prices: list[PriceRow]


class NewPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price to set."""

    model: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
    input: Dollars | None
    """Null: the model has no price."""
    output: Dollars | None = None
    cached: Dollars | None = None
    cache_write: Dollars | None = None
    source: Annotated[str, msgspec.Meta(max_length=300)] = ""


@get("/api/prices", tags=["usage"])
async def show_prices(prices: Injected[PriceStore]) -> PriceTable:
    """The price table: public list prices that are shipped, and what was set instead."""
    return PriceTable(currency=CURRENCY, prices=await price_rows(prices))


@put("/api/prices", tags=["usage"])
async def set_price(
    *,
    request: AnyRequest,
    data: JSONBody[NewPrice],
    prices: Injected[PriceStore],
    audit: Injected[Audit],
    live_settings: Injected[LiveSettingsStore],
    clock: Injected[Clock],
) -> PriceTable:
    """Set the price of a model; what was used before it costs the same from then on."""
    own = await prices.own()
    if data.model not in own and len(own) >= MOST_PRICES:
        raise Conflict(Code.TOO_MANY_PRICES)
    calendar = calendar_of(await live_settings.time_zone())
    price = _price(data, calendar.day_of(clock()))
    if price is not None:
        param, what = price_fault(data.model, price)
        if param:
            raise BadRequest(Code.INVALID_VALUE, f"{param} {what}.", param=param)
    before = (await prices.all()).get(data.model)
    await prices.put(data.model, OwnPrice(price=price))
    await audit.note(
        audit_event(
            request,
            "price.set",
            before=_facts(data.model, before),
            after=_facts(data.model, price),
        )
    )
    return PriceTable(currency=CURRENCY, prices=await price_rows(prices))


@delete("/api/prices/{model:str}", tags=["usage"], status_code=204)
async def reset_price(
    request: AnyRequest, model: Model, prices: Injected[PriceStore], audit: Injected[Audit]
) -> None:
    """Go back to the shipped price of a model, or to none."""
    before = (await prices.all()).get(model)
    if not await prices.reset(model):
        raise NotFound(Code.UNKNOWN_PRICE)
    after = LIST_PRICES.get(model)
    await audit.note(
        audit_event(
            request, "price.reset", before=_facts(model, before), after=_facts(model, after)
        )
    )


async def price_rows(prices: PriceStore) -> list[PriceRow]:
    """The table, by model."""
    own, force = await prices.own(), await prices.all()
    return [_row(model, force.get(model), own=model in own) for model in sorted({*own, *force})]


def _row(model: str, price: Price | None, *, own: bool) -> PriceRow:
    return PriceRow(
        model=model,
        input=price.input if price else None,
        cached=price.cached if price else None,
        cache_write=price.cache_write if price else None,
        output=price.output if price else None,
        source=price.source if price else "",
        as_of=price.as_of if price else "",
        own=own,
    )


def _price(data: NewPrice, day: str) -> Price | None:
    if data.input is None:
        return None
    if data.output is None:
        raise BadRequest(Code.INVALID_VALUE, "output is needed with input.", param="output")
    return Price(
        input=Decimal(data.input),
        output=Decimal(data.output),
        cached=None if data.cached is None else Decimal(data.cached),
        cache_write=None if data.cache_write is None else Decimal(data.cache_write),
        source=data.source,
        as_of=day,
    )


def _facts(model: str, price: Price | None) -> Facts:
    if price is None:
        return {"name": model, "price": "none"}
    parts = (price.input, price.cached, price.cache_write, price.output)
    return {"name": model, "price": "/".join("–" if p is None else str(p) for p in parts)}
