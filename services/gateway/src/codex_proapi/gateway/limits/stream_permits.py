"""Stream permits of keys, and the errors for requests that a key's limits refuse.

A stream permit is a key's room for one exchange under way; a concurrency slot (`pool.slot_queue`)
is an account's room for one answer; a lease (`pool.lease`) is an account with its credential.
The snapshot's script acquires permits and refuses requests; this module renews and releases permits
and makes the errors. A permit is released before the client sees the end of its answer, so that the
client's next request finds it free.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.api_keys.limits import Limit
from codex_proapi.commons.prices.price_table import dollars
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import REDIS_ERRORS, unavailable
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection
from codex_proapi.gateway.errors import BudgetSpent, LimitExceeded
from codex_proapi.gateway.limits.expiring_members import ExpiringMembers, renew_regularly
from codex_proapi.gateway.limits.limit_charge import STREAM_SECONDS, LimitCharge

LONGEST_WAIT: Final = 60.0
"""Most seconds in `Retry-After`."""

MOST_UNCERTAIN: Final = 2000
"""Most permits that are to be released once Redis answers; others expire."""

log = structlog.get_logger(__name__)


class StreamPermits:
    """The stream permits that this replica's exchanges hold."""

    def __init__(
        self,
        redis: Redis,
        *,
        clock: Callable[[], float],
        connection: MultiplexedConnection | None = None,
    ) -> None:
        self._members = ExpiringMembers(
            redis,
            connection=connection,
            clock=clock,
            seconds=STREAM_SECONDS,
            kept=keyspace.LIMIT_SECONDS,
        )
        self._held: dict[str, LimitCharge] = {}
        self._uncertain: deque[LimitCharge] = deque(maxlen=MOST_UNCERTAIN)

    def __repr__(self) -> str:
        return f"<StreamPermits {len(self._held)} held, {len(self._uncertain)} uncertain>"

    def hold(self, charge: LimitCharge) -> None:
        """Renew the permit of this charge until it is released."""
        if charge.has_permit:
            self._held[charge.request_id] = charge

    def holds(self, charge: LimitCharge) -> bool:
        """Whether this charge holds a permit that is still to be released."""
        return charge.request_id in self._held

    def forget(self, charge: LimitCharge) -> None:
        """Drop a charge that was never made."""
        self._held.pop(charge.request_id, None)

    async def free(self, charge: LimitCharge) -> None:
        """Release a permit, once. Settlement releases it again, so a failure here is harmless.

        One that Redis may have given without our knowing is released when Redis answers again.
        """
        if self._held.pop(charge.request_id, None) is None:
            return
        if charge.uncertain:
            self._uncertain.append(charge)
            return
        if not charge.drawn_at:
            return
        try:
            await self._members.remove(keyspace.streams(charge.key_id), charge.permit_id)
        except REDIS_ERRORS as error:
            log.debug("place.kept", error=str(unavailable(error)))

    async def free_uncertain(self) -> None:
        """Release the permits that Redis may have given without our knowing."""
        charges = list(self._uncertain)
        self._uncertain.clear()
        members: dict[str, list[str]] = {}
        for charge in charges:
            members.setdefault(keyspace.streams(charge.key_id), []).append(charge.permit_id)
        try:
            for name, permits in members.items():
                await self._members.remove(name, *permits)
        except REDIS_ERRORS as error:
            self._uncertain.extend(charges)
            log.debug("places.kept", error=str(unavailable(error)))

    async def renew(self) -> None:
        """Renew the permits of all exchanges of this replica. Raises StoreUnavailable."""
        if self._uncertain:
            await self.free_uncertain()
        held: dict[str, list[str]] = {}
        for charge in self._held.values():
            if charge.drawn_at:
                held.setdefault(keyspace.streams(charge.key_id), []).append(charge.permit_id)
        if held:
            await self._members.renew(held)

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Renew until cancelled."""
        await renew_regularly(self.renew, event="places.waited", sleep=sleep)


def refused(
    share: FairShare | None, charge: LimitCharge | None, now: float
) -> LimitExceeded | None:
    """The error for a refused fair share or charge; None if neither was refused."""
    if share is not None and share.wait:
        wait = math.ceil(min(share.wait, LONGEST_WAIT))
        return LimitExceeded(
            "The accounts are nearly out of quota, and this API key has had its share of what is "
            f"left. Please try again in {wait}s.",
            retry_after=wait,
        )
    return None if charge is None else exhausted(charge, now)


def exhausted(charge: LimitCharge, now: float) -> LimitExceeded | None:
    """The error for a refused charge; None if it was not refused."""
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


_BUDGETS: Final = {
    Limit.DAY: "day",
    Limit.WEEK: "week",
    Limit.MONTH: "month",
    Limit.DAY_COST: "day",
    Limit.WEEK_COST: "week",
    Limit.MONTH_COST: "month",
}
_COSTS: Final = frozenset({Limit.DAY_COST, Limit.WEEK_COST, Limit.MONTH_COST})


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
            return "Requests under way may use up what is left of this API key's budget."


def _budget_spent(limit: Limit, charge: LimitCharge, now: float) -> BudgetSpent:
    allowance = charge.allowance
    days = allowance.days if allowance else 1
    calendar, monthly = charge.calendar, limit in {Limit.MONTH, Limit.MONTH_COST}
    resets_at = calendar.next_month(now) if monthly else calendar.midnight_after(now, days)
    budget = getattr(charge.limits, limit.value)
    kind, size = "token budget", f"{budget} tokens"
    if limit in _COSTS:
        kind, size = "budget", f"{dollars(budget)} at list prices"
    return BudgetSpent(
        f"The {kind} of this API key is spent: {size} per {_BUDGETS[limit]}. "
        f"It has something left again from {calendar.told(resets_at)}.",
        resets_at=resets_at,
        resets_in=max(0, round(resets_at - now)),
        period=_BUDGETS[limit],
    )
