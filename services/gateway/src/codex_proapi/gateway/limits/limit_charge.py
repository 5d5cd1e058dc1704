"""The charge of an exchange to its key's limits, made in the snapshot's script, exact across replicas.

Each exchange is charged once. Requests of the last minute are counted by id, so a repeated script
charges once; tokens of the last minute by second, estimated at first and corrected at settlement.
All times are by Redis' clock. The replica renews the stream permit that belongs to a charge;
permits of a dead replica expire.
"""

import functools
from collections.abc import Sequence
from typing import Any

import msgspec

from codex_proapi.commons.api_keys.budgets import NOTHING, WEEK_DAYS, Spent, days_counted
from codex_proapi.commons.api_keys.limits import Limit, Limits, Unit
from codex_proapi.commons.prices.price_table import PricedModel, PriceTable
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.gateway.accounting.settlement_writer import permit_id

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

    @property
    def has_permit(self) -> bool:
        """Whether it includes a stream permit."""
        return bool(self.limits.concurrent) or self.limits.budgeted

    @property
    def permit_id(self) -> str:
        """The member of the key's set of streams that stands for its permit."""
        return permit_id(self.request_id, self.tokens, cost=self.cost)

    def keys(self, now: float) -> Sequence[str]:
        """Redis keys for the script: minute counters, streams, and usage from today back.

        With a budget in money also what earlier days cost, and usage by model from today back.
        """
        return _names_of(self.key_id, tuple(self._days(now)), self.prices is not None)

    def arguments(self, now: float) -> Sequence[Any]:
        """Arguments for the script."""
        limits = self.limits
        begin, end, day_of_month = self.calendar.span_of_day(now)
        return (
            *(self.version, self.request_id, self.tokens, limits.rpm, limits.tpm),
            *(limits.concurrent, self.permit_id if self.has_permit else "", STREAM_SECONDS),
            *(limits.tokens_day, limits.tokens_week, limits.tokens_month),
            *(day_of_month, begin, end),
            *self._money(now),
        )

    def _money(self, now: float) -> Sequence[Any]:
        """The script's arguments of a budget in money; none without one."""
        if self.prices is None:
            return ()
        return (
            *self.limits.sizes(Unit.MICRO_USD),
            *(self.prices.text, self.prices.version),
            *(" ".join(self._days(now)), operator_keys.KEY_COSTS_SECONDS),
        )

    def _days(self, now: float) -> Sequence[str]:
        return days_counted(self.limits, now, self.calendar)

    def take(self, reply: Sequence[Any], now: float) -> Allowance | None:
        """Decode the script's reply; None if the keys or the day have changed."""
        refused, wait, requests, requests_reset, tokens, tokens_reset, days, *spent = reply
        if refused == "changed":
            return None
        self.uncertain = False
        self.allowance = Allowance(
            refused=Limit(refused),
            wait=wait / 1000,
            requests_left=requests,
            requests_reset=requests_reset / 1000,
            tokens_left=tokens,
            tokens_reset=tokens_reset / 1000,
            days=days,
            spent=_spent(spent[:3], days if refused == Limit.WEEK else WEEK_DAYS),
            cost=_spent(spent[3:], days if refused == Limit.WEEK_COST else WEEK_DAYS),
            at=now,
        )
        if self.allowance.refused is Limit.NONE:
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
        priced: The model that is sent, at the prices in force: for budgets in money.
    """
    if limits == Limits():
        return None
    money = priced if limits.priced else None
    return LimitCharge(
        prices=money.table if money is not None else None,
        cost=money.estimate(tokens) if money is not None else 0,
        key_id=key_id,
        limits=limits,
        request_id=request_id,
        version=version,
        tokens=min(tokens, limits.tpm) if limits.tpm else tokens,
        calendar=calendar,
    )


@functools.lru_cache(maxsize=1024)
def _names_of(key_id: str, days: tuple[str, ...], priced: bool) -> tuple[str, ...]:  # noqa: FBT001 - cached by position
    """Redis keys of a charge that counts these days, from today back."""
    models = (
        operator_keys.key_costs(key_id),
        *(keyspace.usage_models(day, key_id) for day in days),
    )
    return (
        keyspace.minute_requests(key_id),
        keyspace.minute_tokens(key_id),
        keyspace.streams(key_id),
        *(keyspace.usage(day, "key", key_id) for day in days),
        *(models if priced else ()),
    )


def _spent(sums: Sequence[int], week_midnights: int) -> Spent:
    """Decode the script's sums (day, week, month) of what is used."""
    day, week, month = sums
    return Spent(day=day, week=week, month=month, week_midnights=week_midnights)
