"""`codex-proapi prices …`: the list prices that the cost of usage is worked out from."""

import asyncio
import datetime as dt
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import rich_click as click

from codex_proapi.console.api.prices import PriceRow, price_rows
from codex_proapi.console.cli.opened_store import opened
from codex_proapi.console.cli.tables import plain, show_table
from codex_proapi.console.costs.list_prices import Price
from codex_proapi.console.costs.price_store import (
    MODEL,
    MOST_PRICES,
    OwnPrice,
    PriceStore,
    price_fault,
)


class _Dollars(click.ParamType[Decimal]):
    name = "dollars"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value} is no amount of dollars", param, ctx)


DOLLARS = _Dollars()


@click.group()
def prices() -> None:
    """List prices of models, for the cost of usage."""


@prices.command("list")
@click.pass_obj
def list_prices(environ: Mapping[str, str]) -> None:
    """Every price in force, in US dollars for a million tokens."""
    rows = asyncio.run(_rows(environ))
    table = [
        (
            row.model,
            *map(_amount, (row.input, row.cached, row.cache_write, row.output)),
            "set here" if row.own else "shipped",
            row.as_of,
            row.source,
        )
        for row in rows
    ]
    show_table(("MODEL", "IN", "CACHED", "WRITES", "OUT", "FROM", "AS OF", "SOURCE"), table)


@prices.command("set")
@click.argument("model")
@click.option("--in", "input_", type=DOLLARS, required=True, help="Of uncached input.")
@click.option("--out", "output", type=DOLLARS, required=True, help="Of output.")
@click.option("--cached", type=DOLLARS, help="Of cached input; as input without it.")
@click.option("--cache-write", type=DOLLARS, help="Of cache writes; as input without it.")
@click.option("--source", default="", help="Where it was found.")
@click.pass_obj
def set_price(
    environ: Mapping[str, str],
    *,
    model: str,
    input_: Decimal,
    output: Decimal,
    cached: Decimal | None,
    cache_write: Decimal | None,
    source: str,
) -> None:
    """Set the price of MODEL, in US dollars for a million tokens; it holds for all days."""
    price = Price(
        input=input_,
        output=output,
        cached=cached,
        cache_write=cache_write,
        source=source,
        as_of=dt.datetime.fromtimestamp(time.time(), tz=dt.UTC).date().isoformat(),
    )
    param, what = price_fault(model, price)
    if param:
        raise click.ClickException(f"{param} {what}")
    asyncio.run(_set(environ, model, OwnPrice(price=price)))
    print(plain(f"set the price of {model}"))


@prices.command("remove")
@click.argument("model")
@click.pass_obj
def remove(environ: Mapping[str, str], model: str) -> None:
    """Let MODEL have no price, whatever is shipped."""
    if not MODEL.fullmatch(model):
        raise click.ClickException("model must be the name of a model")
    asyncio.run(_set(environ, model, OwnPrice()))
    print(plain(f"{model} has no price"))


@prices.command("reset")
@click.argument("model")
@click.pass_obj
def reset(environ: Mapping[str, str], model: str) -> None:
    """Go back to the shipped price of MODEL, or to none."""
    if not asyncio.run(_reset(environ, model)):
        raise click.ClickException(f"no price was set for {plain(model)}")
    print(plain(f"reset the price of {model}"))


def _amount(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:f}"


async def _rows(environ: Mapping[str, str]) -> list[PriceRow]:
    async with opened(environ) as store:
        return await price_rows(PriceStore(store.redis))


async def _set(environ: Mapping[str, str], model: str, own: OwnPrice) -> None:
    async with opened(environ) as store:
        kept = PriceStore(store.redis)
        known = await kept.own()
        if model not in known and len(known) >= MOST_PRICES:
            raise click.ClickException(f"there are {MOST_PRICES} prices already")
        await kept.put(model, own)
        after = "none" if own.price is None else f"{own.price.input}/{own.price.output}"
        await store.note("price.set", after={"name": model, "price": after})


async def _reset(environ: Mapping[str, str], model: str) -> bool:
    async with opened(environ) as store:
        done = await PriceStore(store.redis).reset(model)
        if done:
            await store.note("price.reset", after={"name": model})
        return done
