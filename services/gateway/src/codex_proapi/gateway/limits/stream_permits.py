"""Limits of keys while exchanges are under way: places among a key's streams, and the word no.

The survey decides; here its answer becomes an error, and places are held and given back. A place is
given back before the client learns that its answer is whole, so that its next request finds it free.
"""

import asyncio
import datetime as dt
import math
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.api_keys.limits import Limit
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.errors import BudgetSpent, LimitExceeded
from codex_proapi.gateway.limits.budgets import midnight_after, next_month
from codex_proapi.gateway.limits.charge import STREAM_SECONDS, LimitCharge

RENEW_SECONDS: Final = 15.0
"""Time between two renewals: two may be missed before a place is lost."""
LONGEST_WAIT: Final = 60.0

log = structlog.get_logger(__name__)


class StreamPermits:
    """The places that this replica's exchanges hold among the streams of their keys."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._held: dict[str, LimitCharge] = {}

    def __repr__(self) -> str:
        return f"<StreamPermits {len(self._held)} held>"

    def hold(self, charge: LimitCharge) -> None:
        """Renew what this draw is given until it is given back."""
        if charge.leased:
            self._held[charge.request_id] = charge

    def holds(self, charge: LimitCharge) -> bool:
        """Whether this draw has a place to give back."""
        return charge.request_id in self._held

    def forget(self, charge: LimitCharge) -> None:
        """Take no more notice of a draw that was never made."""
        self._held.pop(charge.request_id, None)

    async def free(self, charge: LimitCharge) -> None:
        """Give a place back, once. The ledger does it again: while Redis is away, it waits there."""
        if self._held.pop(charge.request_id, None) is None or not charge.drawn_at:
            return
        try:
            with mapped():
                await self._redis.zrem(keyspace.streams(charge.key_id), charge.permit_id)
        except StoreUnavailable as error:
            log.debug("place.kept", error=str(error))

    async def renew(self) -> None:
        """Say that everybody here is still at it. Raises StoreUnavailable."""
        held = [charge for charge in self._held.values() if charge.drawn_at]
        if not held:
            return
        until = self._clock() + STREAM_SECONDS
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for charge in held:
                # Only who is there: a place given back meanwhile must not come again.
                pipe.zadd(keyspace.streams(charge.key_id), {charge.permit_id: until}, xx=True)
                pipe.expire(keyspace.streams(charge.key_id), keyspace.LIMIT_SECONDS)
            await pipe.execute()

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Renew until cancelled."""
        while True:
            await sleep(RENEW_SECONDS)
            try:
                await self.renew()
            except StoreUnavailable as error:
                log.debug("places.waited", error=str(error))


def refused(
    share: FairShare | None, charge: LimitCharge | None, now: float
) -> LimitExceeded | None:
    """What a client is told that was refused its share or a draw; None for any other."""
    if share is not None and share.wait:
        wait = math.ceil(min(share.wait, LONGEST_WAIT))
        return LimitExceeded(
            "The accounts are nearly out of quota, and this API key has had its share of what is "
            f"left. Please try again in {wait}s.",
            retry_after=wait,
        )
    return None if charge is None else exhausted(charge, now)


def exhausted(charge: LimitCharge, now: float) -> LimitExceeded | None:
    """What a client is told of a draw that was refused; None for any other."""
    allowance = charge.allowance
    if allowance is None or allowance.refused is Limit.NONE:
        return None
    limit = allowance.refused
    if limit in _BUDGETS:
        return _budget_spent(limit, charge, now)
    wait = max(1.0, min(allowance.wait, LONGEST_WAIT))
    seconds = math.ceil(wait)
    return LimitExceeded(
        f"{_words(limit, charge)} Please try again in {seconds}s.", retry_after=seconds
    )


_BUDGETS: Final = {Limit.DAY: "day", Limit.WEEK: "week", Limit.MONTH: "month"}


def _words(limit: Limit, charge: LimitCharge) -> str:
    limits = charge.limits
    match limit:
        case Limit.RPM:
            return f"Rate limit of this API key reached: {limits.rpm} requests per minute."
        case Limit.TPM:
            left = charge.allowance.tokens_left if charge.allowance else 0
            return (
                f"Rate limit of this API key reached: {limits.tpm} tokens per minute, "
                f"{left} left, about {charge.tokens} asked for."
            )
        case Limit.CONCURRENT:
            return f"Limit of this API key reached: {limits.concurrent} requests at the same time."
        case _:
            return "Requests under way may use up what is left of this API key's token budget."


def _budget_spent(limit: Limit, charge: LimitCharge, now: float) -> BudgetSpent:
    allowance = charge.allowance
    days = allowance.days if allowance else 1
    resets_at = next_month(now) if limit is Limit.MONTH else midnight_after(now, days)
    budget = getattr(charge.limits, limit.value)
    until = dt.datetime.fromtimestamp(resets_at, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return BudgetSpent(
        f"The token budget of this API key is spent: {budget} tokens per {_BUDGETS[limit]}. "
        f"It has something left again from {until}.",
        resets_at=resets_at,
        resets_in=max(0, round(resets_at - now)),
    )
