from typing import Any

from support.leases import NOW, a_lease

from gateway.choice.ballot import Cause, NoChoice
from gateway.relay.lease import Lease, Wish
from gateway.relay.lending import QUEUE_SECONDS, Lending
from gateway.relay.slots import Party

WISH = Wish(model="gpt-5.5", party=Party(request_id="req_1"))


class Rotation:
    """Lends the first of its accounts that is not full."""

    def __init__(self, *accounts: str) -> None:
        self.accounts = accounts
        self.full: list[set[str]] = []

    async def lease(self, wish: Any, tried: Any = (), *, full: Any = ()) -> Any:
        self.full.append(set(full))
        free = [each for each in self.accounts if each not in full and each not in tried]
        if free:
            return a_lease(free[0], why="next in turn")
        return NoChoice(cause=Cause.BUSY, accounts=self.accounts)


class Slots:
    """Takes and gives what a test says; each wait takes a while."""

    def __init__(self, *, most: int = 2, without: Any = (), granted: Any = ()) -> None:
        self.most = most
        self.without = [*without]
        self.granted = [*granted]
        self.waited: list[Any] = []
        self.now = NOW

    async def take(self, account_id: str, party: Party) -> Any:
        assert party == WISH.party
        return self.without.pop(0) if self.without else ()

    async def wait(self, accounts: Any, party: Party, *, seconds: float) -> Any:
        self.waited.append((accounts, seconds))
        self.now += 1.25
        return self.granted.pop(0) if self.granted else None


async def lent(rotation: Any, slots: Any) -> Any:
    return await Lending(rotation, slots, clock=lambda: slots.now).lease(WISH)


async def test_without_a_limit_nothing_is_asked_of_the_slots() -> None:
    lease = await lent(Rotation("a"), Slots(most=0, without=[["a"]]))

    assert (lease.account.id, lease.why) == ("a", "next in turn")


async def test_an_account_without_a_slot_is_passed_over() -> None:
    rotation = Rotation("a", "b")

    lease = await lent(rotation, Slots(without=[["a"]]))

    assert lease.account.id == "b"
    assert rotation.full == [set(), {"a"}]


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


async def test_who_waits_too_long_is_told_that_all_are_busy() -> None:
    found = await lent(Rotation("a"), Slots(without=[["a"]]))

    assert found == NoChoice(cause=Cause.BUSY, accounts=("a",))


async def test_the_whole_wait_of_one_request_is_bounded() -> None:
    slots = Slots(without=[["a"]] * 99, granted=["a"] * 99)

    found = await lent(Rotation("a"), slots)

    assert found.cause is Cause.BUSY
    assert len(slots.waited) == QUEUE_SECONDS // 1.25
