from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from support.leases import NOW, a_lease

from codex_proapi.commons.balancing.candidates import NoCandidate, NoCandidateCause
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.queueing_selector import (
    QUEUE_SECONDS,
    QueueingSelector,
    SlotPatience,
)
from codex_proapi.gateway.pool.slot_queue import Waiter

REQUEST = LeaseRequest(model="gpt-5.5", waiter=Waiter(request_id="req_1"))


class Rotation:
    """Lends the first of its accounts that is not full."""

    def __init__(self, *accounts: str) -> None:
        self.accounts = accounts
        self.full: list[set[str]] = []
        self.states: list[Any] = []

    async def lease(
        self, lease_request: Any, tried: Any = (), *, full: Any = (), state: Any = None
    ) -> Any:
        self.full.append(set(full))
        self.states.append(state)
        free = [each for each in self.accounts if each not in full and each not in tried]
        if free:
            return a_lease(free[0], why="next in turn")
        return NoCandidate(cause=NoCandidateCause.BUSY, accounts=self.accounts)


class Slots:
    """Takes and gives what a test says; each wait takes a while."""

    def __init__(self, *, most: int = 2, without: Any = (), granted: Any = ()) -> None:
        self.most = most
        self.without = [*without]
        self.granted = [*granted]
        self.waited: list[Any] = []
        self.now = NOW

    async def take(self, account_id: str, waiter: Waiter) -> Any:
        assert waiter == REQUEST.waiter
        return self.without.pop(0) if self.without else ()

    async def wait(self, accounts: Any, waiter: Waiter, *, seconds: float) -> Any:
        self.waited.append((accounts, seconds))
        self.now += 1.25
        return self.granted.pop(0) if self.granted else None


async def lent(
    selector: Any,
    slots: Any,
    *,
    gate: Any = None,
    metrics: Any = None,
    state: Any = None,
    patience: Any = None,
) -> Any:
    selector = QueueingSelector(
        selector,
        slots,
        redis_breaker=gate or RedisCircuitBreaker(),
        clock=lambda: slots.now,
        metrics=metrics or Metrics(CollectorRegistry()),
    )
    return await selector.lease(REQUEST, state=state, patience=patience)


async def test_without_a_limit_nothing_is_asked_of_the_slots() -> None:
    lease = await lent(Rotation("a"), Slots(most=0, without=[["a"]]))

    assert (lease.account.id, lease.why) == ("a", "next in turn")


async def test_an_account_without_a_slot_is_passed_over() -> None:
    selector = Rotation("a", "b")

    lease = await lent(selector, Slots(without=[["a"]]), state="admitted")

    assert lease.account.id == "b"
    assert selector.full == [set(), {"a"}]
    assert selector.states == ["admitted", None]


async def test_where_all_are_full_one_waits_and_says_so() -> None:
    slots = Slots(without=[["a", "b"]], granted=["b"])

    lease = await lent(Rotation("a", "b"), slots)

    assert slots.waited == [(("a", "b"), QUEUE_SECONDS)]
    assert (lease.account.id, lease.why) == ("b", "waited 1250 ms for a slot; next in turn")


async def test_a_slot_that_is_of_no_use_any_more_is_waited_for_again() -> None:
    slots = Slots(without=[["a"], ["a"]], granted=["a", "a"])

    lease = await lent(Rotation("a"), slots)

    assert isinstance(lease, Lease)
    assert [seconds for _, seconds in slots.waited] == [QUEUE_SECONDS, QUEUE_SECONDS - 1.25]


async def test_one_request_waits_for_all_its_accounts_together_only_so_long() -> None:
    patience = SlotPatience()
    first, second = (
        Slots(without=[["a"]], granted=["a"]),
        Slots(without=[["a"]] * 99, granted=["a"] * 99),
    )
    assert isinstance(await lent(Rotation("a"), first, patience=patience), Lease)
    assert patience.left == QUEUE_SECONDS - 1.25

    found = await lent(Rotation("a"), second, patience=patience)

    assert isinstance(found, NoCandidate)
    assert sum(1.25 for _ in first.waited + second.waited) == QUEUE_SECONDS
    assert second.waited[0][1] == QUEUE_SECONDS - 1.25


async def test_who_waits_too_long_is_told_that_all_are_busy() -> None:
    found = await lent(Rotation("a"), Slots(without=[["a"]]))

    assert found == NoCandidate(cause=NoCandidateCause.BUSY, accounts=("a",))


async def test_the_whole_wait_of_one_request_is_bounded() -> None:
    slots = Slots(without=[["a"]] * 99, granted=["a"] * 99)

    found = await lent(Rotation("a"), slots)

    assert found.cause is NoCandidateCause.BUSY
    assert len(slots.waited) == QUEUE_SECONDS // 1.25


async def test_who_was_not_woken_in_a_while_looks_at_everybody_again() -> None:
    selector = Rotation("a", "b")

    lease = await lent(selector, Slots(without=[["a", "b"]], granted=[""]))

    assert isinstance(lease, Lease)
    assert selector.full == [set(), {"a", "b"}, set()]


async def test_how_long_one_waits_is_counted_and_only_of_those_who_wait() -> None:
    metrics = Metrics(CollectorRegistry())

    await lent(Rotation("a"), Slots(), metrics=metrics)
    await lent(Rotation("a"), Slots(without=[["a"]], granted=["a"]), metrics=metrics)
    await lent(Rotation("a"), Slots(without=[["a"]]), metrics=metrics)

    assert "gateway_slot_wait_seconds_count 2.0" in metrics.exposition().decode()
    assert "gateway_slot_wait_seconds_sum 2.5" in metrics.exposition().decode()


class Away(Slots):
    """Slots while Redis is away."""

    async def take(self, account_id: str, waiter: Waiter) -> Any:
        raise StoreUnavailable("away")


async def test_in_grace_nobody_is_held_to_slots_that_nobody_can_count() -> None:
    gate = RedisCircuitBreaker(lambda: 100.0, grace=60.0)
    with pytest.raises(StoreUnavailable):
        await lent(Rotation("a"), Away(), gate=gate)

    gate.see()
    gate.fail(StoreUnavailable("away"), since=101.0)

    assert isinstance(await lent(Rotation("a"), Away(), gate=gate), Lease)
