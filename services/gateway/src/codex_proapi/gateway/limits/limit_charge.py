"""The charge of an exchange to its key's limits, made in the snapshot's script, exact across replicas.

Each exchange is charged once. Requests of the last minute are counted by id, so a repeated script
charges once; tokens of the last minute by second, estimated at first and corrected at settlement.
All times are by Redis' clock. The replica renews the stream permit that belongs to a charge;
permits of a dead replica expire.
"""

import functools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from codex_proapi.commons.api_keys.budgets import NOTHING, WEEK_DAYS, Spent, days_counted
from codex_proapi.commons.api_keys.limits import Limit, Limits, Unit
from codex_proapi.commons.prices.price_table import PricedModel, PriceTable
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.usage.calendar import UTC, Calendar, calendar_of
from codex_proapi.commons.usage.counters import SLOT_SECONDS
from codex_proapi.gateway.accounting.settlement_writer import permit_id

NO_LIMITS: Final = Limits()
LIMITS: Final = {limit.value: limit for limit in Limit}
"""By what the script calls them."""
STREAM_SECONDS = 45
"""Seconds a stream permit is held without being renewed."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a charge, and what is left after it."""

    refused: Limit = Limit.NONE
    """The limit that refused the charge; nothing was charged then."""
    wait: float = 0.0
    """Seconds until a retry may succeed; 0 if unknown."""
    requests_left: int = 0
    requests_reset: float = 0.0
    """Seconds until the oldest request leaves the minute."""
    tokens_left: int = 0
    tokens_reset: float = 0.0
    """Seconds until the oldest tokens leave the minute."""
    days: int = 0
    """Midnights until a spent budget regains tokens."""
    spent: Spent = Spent()
    """Tokens used of the key's budgets before this exchange."""
    cost: Spent = NOTHING
    """Money used of its budgets, in millionths of a dollar."""
    at: float = 0.0
    """Time of the charge, seconds since the epoch by Redis' clock."""


class LimitCharge(msgspec.Struct, kw_only=True):
    """The charge of one exchange to its key's limits, with its result."""

    key_id: str
    limits: Limits
    request_id: str
    version: int
    """Version of the keys that `limits` belong to; nothing is charged if it has changed."""
    tokens: int
    """Estimated tokens; corrected when the exchange is settled."""
    prices: PriceTable | None = None
    """The prices in force; None for a key without a budget in money."""
    cost: int = 0
    """Estimated cost in millionths of a dollar; 0 without such a budget, or without a price."""
    calendar: Calendar = UTC
    """Whose days and months its budgets count."""
    allowance: Allowance | None = None
    """The result; None until a snapshot has made the charge."""
    drawn_at: int = 0
    """Second since the epoch, by Redis' clock, in which it was charged; 0 if it was not."""
    uncertain: bool = False
    """Whether it may have been made: the script was sent, and its reply has not come."""
    permit_id: str = ""
    """The member of the key's set of streams that stands for its permit."""

    def __post_init__(self) -> None:
        self.permit_id = permit_id(self.request_id, self.tokens, cost=self.cost)

    @property
    def has_permit(self) -> bool:
        """Whether it includes a stream permit."""
        return _takes_permit(self.limits)

    def script(self, now: float) -> tuple[Sequence[str], Sequence[Any]]:
        """Redis keys and arguments for the script."""
        limits, prices = self.limits, self.prices
        begin = int(now) - int(now) % SLOT_SECONDS
        day = _day_of(self.key_id, limits, self.calendar.zone, begin, prices is not None)
        args = (
            *(self.version, self.request_id, self.tokens, limits.rpm, limits.tpm),
            *(limits.concurrent, self.permit_id if day.has_permit else "", STREAM_SECONDS),
            *(limits.tokens_day, limits.tokens_week, limits.tokens_month),
            *day.span,
        )
        if prices is None:
            return day.keys, args
        money = (*limits.sizes(Unit.MICRO_USD), prices.text, prices.version, day.names)
        return day.keys, (*args, *money, operator_keys.KEY_COSTS_SECONDS)

    def take(self, reply: Sequence[Any], now: float) -> Allowance | None:
        """Decode the script's reply; None if the keys or the day have changed."""
        refused, wait, requests, requests_reset, tokens, tokens_reset, days, *spent = reply
        if refused == "changed":
            return None
        self.uncertain = False
        limit, midnights = LIMITS[refused], WEEK_DAYS
        self.allowance = Allowance(
            refused=limit,
            wait=wait / 1000,
            requests_left=requests,
            requests_reset=requests_reset / 1000,
            tokens_left=tokens,
            tokens_reset=tokens_reset / 1000,
            days=days,
            spent=Spent(
                day=spent[0],
                week=spent[1],
                month=spent[2],
                week_midnights=days if limit is Limit.WEEK else midnights,
            ),
            cost=Spent(
                day=spent[3],
                week=spent[4],
                month=spent[5],
                week_midnights=days if limit is Limit.WEEK_COST else midnights,
            ),
            at=now,
        )
        if limit is Limit.NONE:
            self.drawn_at = int(now)
        return self.allowance


def charge_for(
    key_id: str,
    limits: Limits,
    *,
    request_id: str,
    version: int,
    tokens: int,
    calendar: Calendar = UTC,
    priced: PricedModel | None = None,
) -> LimitCharge | None:
    """Make the charge of an exchange; None for a key without limits.

    An estimate above the tokens per minute is reduced to that number, so that a large request can
    pass alone.

    Args:
        key_id: The key.
        limits: Its limits.
        request_id: The exchange.
        version: Version of the keys that the limits belong to.
        tokens: Estimated tokens.
        calendar: Whose days and months its budgets count.
        priced: The model that is sent, at the prices in force; None for a key without a budget in money.
    """
    if limits == NO_LIMITS:
        return None
    return LimitCharge(
        prices=priced.table if priced is not None else None,
        cost=priced.estimate(tokens) if priced is not None else 0,
        key_id=key_id,
        limits=limits,
        request_id=request_id,
        version=version,
        tokens=min(tokens, limits.tpm) if limits.tpm else tokens,
        calendar=calendar,
    )


@functools.lru_cache(maxsize=1024)
def _takes_permit(limits: Limits) -> bool:
    """Whether charges to these limits include a stream permit."""
    return bool(limits.concurrent) or limits.budgeted


class _Day(NamedTuple):
    """What the charges of a key have in common on a day, and days before it that count."""

    keys: Sequence[str]
    """Redis keys: minute counters, streams, and usage from today back.

    With a budget in money also what earlier days cost, and usage by model from today back.
    """
    has_permit: bool
    span: tuple[int, int, int]
    """The day's number in its month, its begin and its end."""
    names: str
    """The days that count, from today back."""


@functools.lru_cache(maxsize=1024)
def _day_of(key_id: str, limits: Limits, zone: str, at: int, priced: bool) -> _Day:  # noqa: FBT001 - cached by position
    """What is the same for all charges from a slot's begin on: no day of any zone begins within."""
    calendar = calendar_of(zone)
    begin, end, day_of_month = calendar.span_of_day(at)
    days = days_counted(limits, at, calendar)
    models = (
        operator_keys.key_costs(key_id),
        *(keyspace.usage_models(day, key_id) for day in days),
    )
    keys = (
        keyspace.minute_requests(key_id),
        keyspace.minute_tokens(key_id),
        keyspace.streams(key_id),
        *(keyspace.usage(day, "key", key_id) for day in days),
        *(models if priced else ()),
    )
    return _Day(keys, _takes_permit(limits), (day_of_month, begin, end), " ".join(days))
