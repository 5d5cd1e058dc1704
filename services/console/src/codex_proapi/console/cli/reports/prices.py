"""`codex-proapi prices …`: the list prices that the cost of usage is worked out from."""

import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import rich_click as click

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.prices.list_prices import CURRENCY, Price
from codex_proapi.commons.prices.price_store import (
    MODEL,
    MOST_PRICES,
    OwnPrice,
    PriceStore,
    price_fault,
)
from codex_proapi.commons.usage.calendar import calendar_of
from codex_proapi.console.api.prices import PriceRow, PriceTable, price_rows
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.tables import plain, show_table


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
HINTS = {
    "model": "MODEL",
    "input": "--in",
    "output": "--out",
    "source": "--source",
    "cached": "--cached",
    "cache_write": "--cache-write",
}
"""How a part of a price is written, by its name."""


@click.group()
def prices() -> None:
    """List prices of models, for the cost of usage."""


@prices.command("list")
@json_option
@click.pass_obj
def list_prices(environ: Mapping[str, str], *, as_json: bool) -> None:
    """Every price in force, in US dollars for a million tokens."""
    rows = _rows(environ)
    if as_json:
        return print_json(PriceTable(currency=CURRENCY, prices=rows))
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
    return show_table(("MODEL", "IN", "CACHED", "WRITES", "OUT", "FROM", "AS OF", "SOURCE"), table)


@prices.command("set")
@click.argument("model")
@click.option("--in", "input_", type=DOLLARS, required=True, help="Of uncached input.")
@click.option("--out", "output", type=DOLLARS, required=True, help="Of output.")
@click.option("--cached", type=DOLLARS, help="Of cached input; as input without it.")
@click.option("--cache-write", type=DOLLARS, help="Of cache writes; as input without it.")
@click.option("--source", default="", help="Where it was found.")
@json_option
@click.pass_obj
def set_price(environ: Mapping[str, str], /, model: str, *, as_json: bool, **provided: Any) -> None:
    """Set the price of MODEL, in US dollars for a million tokens; it holds for all days."""
    price = Price(
        input=provided["input_"],
        output=provided["output"],
        cached=provided["cached"],
        cache_write=provided["cache_write"],
        source=provided["source"],
    )
    param, what = price_fault(model, price)
    if param:
        raise click.BadParameter(what, param_hint=HINTS.get(param, param))
    _set(environ, model, OwnPrice(price=price))
    _tell(environ, model, f"set the price of {model}", as_json=as_json)


@prices.command("remove")
@click.argument("model")
@json_option
@click.pass_obj
def remove(environ: Mapping[str, str], model: str, *, as_json: bool) -> None:
    """Let MODEL have no price, whatever is shipped."""
    if not MODEL.fullmatch(model):
        raise click.BadParameter("must be the name of a model", param_hint="MODEL")
    _set(environ, model, OwnPrice())
    _tell(environ, model, f"{model} has no price", as_json=as_json)


@prices.command("reset")
@click.argument("model")
@json_option
@click.pass_obj
def reset(environ: Mapping[str, str], model: str, *, as_json: bool) -> None:
    """Go back to the shipped price of MODEL, or to none."""
    if not with_store(environ, lambda store: _reset(store, model))[0]:
        raise click.ClickException(f"no price was set for {plain(model)}")
    _tell(environ, model, f"reset the price of {model}", as_json=as_json)


def _amount(amount: Decimal | None) -> str:
    return "-" if amount is None else f"{amount:f}"


def _tell(environ: Mapping[str, str], model: str, done: str, *, as_json: bool) -> None:
    """Say what was done; as JSON the price that is then in force, or null."""
    if not as_json:
        return print(plain(done))
    return print_json(next((row for row in _rows(environ) if row.model == model), None))


def _rows(environ: Mapping[str, str]) -> list[PriceRow]:
    return with_store(environ, lambda store: price_rows(PriceStore(store.redis)))[0]


def _set(environ: Mapping[str, str], model: str, own: OwnPrice) -> None:
    async def put(store: OpenedStore) -> None:
        kept = PriceStore(store.redis)
        known = await kept.own()
        if model not in known and len(known) >= MOST_PRICES:
            raise click.ClickException(f"there are {MOST_PRICES} prices already")
        price = own.price
        if price is not None:
            calendar = calendar_of(await LiveSettingsStore(store.redis).time_zone())
            price = msgspec.structs.replace(price, as_of=calendar.day_of(time.time()))
        await kept.put(model, OwnPrice(price=price))
        after = "none" if price is None else f"{price.input}/{price.output}"
        await store.note("price.set", after={"name": model, "price": after})

    with_store(environ, put)


async def _reset(store: OpenedStore, model: str) -> bool:
    done = await PriceStore(store.redis).reset(model)
    if done:
        await store.note("price.reset", after={"name": model})
    return done
