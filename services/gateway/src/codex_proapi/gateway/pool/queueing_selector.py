"""Leases accounts together with a concurrency slot; queues requests while no slot is free.

Combines `pool.account_selector` and `pool.slot_queue`. Without a limit (`ACCOUNT_STREAMS` is 0) requests
go straight to the selector.
"""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.account_selector import AccountSelector
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.slot_queue import AccountQueue, Waiter
from codex_proapi.gateway.pool.state.pool_reader import PoolState

QUEUE_SECONDS: Final = 30.0
"""Total seconds one request waits for slots before it is refused with a retry time, over all the
accounts it is tried on."""


class SlotPatience(msgspec.Struct):
    """How long one request may still wait for slots."""

    waited: float = 0.0
    """Seconds it has waited for them."""

    @property
    def left(self) -> float:
        """Seconds it may still wait."""
        return QUEUE_SECONDS - self.waited


class QueueingSelector:
    """Leases accounts that have a free concurrency slot."""

    def __init__(
        self,
        selector: AccountSelector,
        slots: AccountQueue,
        *,
        redis_breaker: RedisCircuitBreaker,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.selector = selector
        self._slots = slots
        self._redis_breaker = redis_breaker
        self._clock = clock
        self._metrics = metrics

    def __repr__(self) -> str:
        return f"<QueueingSelector {self.selector!r} {self._slots!r}>"

    async def lease(
        self,
        lease_request: LeaseRequest,
        tried: Collection[str] = (),
        *,
        state: PoolState | None = None,
        patience: SlotPatience | None = None,
    ) -> Lease | NoCandidate:
        """Lease an account not in `tried`, with a slot of it, or say why there is none.

        A slot that the request held before is released. `patience` is the request's, from which
        what is waited here is taken; the other arguments and the errors are those of
        `AccountSelector.lease`.
        """
        if not self._slots.most:
            return await self.selector.lease(lease_request, tried, state=state)
        patience = patience or SlotPatience()
        begun, before = self._clock(), patience.waited
        try:
            full: set[str] = set()
            while True:
                found = await self.selector.lease(lease_request, tried, full=full, state=state)
                state = None
                if isinstance(found, Lease):
                    try:
                        without = await self._slots.take(found.account.id, lease_request.waiter)
                    except StoreUnavailable:
                        # During the grace period slots cannot be counted, and are not enforced.
                        if not self._redis_breaker.in_grace():
                            raise
                        without = ()
                    if without:
                        full.update(without)
                        continue
                    waited = patience.waited > before
                    return _with_wait(found, self._clock() - begun) if waited else found
                if found.cause is not NoCandidateCause.BUSY or patience.left <= 0:
                    return found
                woken = await self._waited(found.accounts, lease_request.waiter, patience)
                if woken is None:
                    return found
                full = full - {woken} if woken else set()
        finally:
            if patience.waited > before:
                self._metrics.slot_wait.observe(self._clock() - begun)

    async def _waited(
        self, accounts: Sequence[str], waiter: Waiter, patience: SlotPatience
    ) -> str | None:
        """Wait for a slot of these accounts, as `AccountQueue.wait` does."""
        begun = self._clock()
        try:
            return await self._slots.wait(accounts, waiter, seconds=patience.left)
        finally:
            patience.waited += self._clock() - begun


def _with_wait(lease: Lease, seconds: float) -> Lease:
    """The lease with the time waited for its slot in its reason."""
    why = f"waited {seconds * 1000:.0f} ms for a slot; {lease.why}"
    return msgspec.structs.replace(lease, why=why)
