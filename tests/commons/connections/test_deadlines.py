"""One timer for many deadlines: each is kept as by a timer of its own."""

import asyncio
import random
from typing import Any

from codex_proapi.commons.connections.deadlines import Deadlines


class Waiting:
    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self.deadlines, self.loop = deadlines, asyncio.get_running_loop()
        self.deadline = self.loop.time() + seconds
        self.expired: list[float] = []
        self.then: Any = None
        deadlines.watch(self, self.deadline)

    def expire(self) -> None:
        self.expired.append(self.loop.time())
        if self.then is not None:
            self.then()


async def test_each_expires_at_its_own_deadline_in_any_order() -> None:
    deadlines, order = Deadlines(), random.Random(1)
    waiting = [Waiting(deadlines, order.uniform(0, 0.1)) for _ in range(50)]
    await asyncio.sleep(0.15)

    for each in waiting:
        [expired] = each.expired
        assert each.deadline <= expired <= each.deadline + 0.03
    assert repr(deadlines) == "<Deadlines of 0>"


async def test_what_is_forgotten_does_not_expire_and_may_be_forgotten_again() -> None:
    deadlines = Deadlines()
    first, second = Waiting(deadlines, 0.01), Waiting(deadlines, 0.02)
    deadlines.forget(first)
    deadlines.forget(first)
    await asyncio.sleep(0.05)

    assert not first.expired
    assert len(second.expired) == 1


async def test_a_deadline_that_has_moved_on_is_kept_where_it_is_then() -> None:
    deadlines = Deadlines()
    waiting = Waiting(deadlines, 0.01)
    waiting.deadline += 0.04
    await asyncio.sleep(0.03)

    assert not waiting.expired
    await asyncio.sleep(0.05)
    assert waiting.expired[0] >= waiting.deadline


async def test_an_earlier_one_is_not_kept_waiting_by_a_later_one() -> None:
    deadlines = Deadlines()
    late, soon = Waiting(deadlines, 60), Waiting(deadlines, 0.01)
    over = Waiting(deadlines, -1)
    await asyncio.sleep(0.05)

    assert (len(late.expired), len(soon.expired), len(over.expired)) == (0, 1, 1)
    deadlines.close()


async def test_what_expires_may_end_others_and_begin_new_ones() -> None:
    deadlines = Deadlines()
    one, other = Waiting(deadlines, 0.01), Waiting(deadlines, 0.01)
    begun: list[Waiting] = []
    for mine, its in ((one, other), (other, one)):

        def then(its: Waiting = its) -> None:
            deadlines.forget(its)
            begun.append(Waiting(deadlines, 0.01))

        mine.then = then
    await asyncio.sleep(0.05)

    assert len(one.expired) + len(other.expired) == 1
    assert [len(each.expired) for each in begun] == [1]


async def test_one_timer_is_set_however_many_there_are(monkeypatch: Any) -> None:
    loop, deadlines, timers = asyncio.get_running_loop(), Deadlines(), []
    call_at = loop.call_at

    def counted(*args: Any) -> asyncio.TimerHandle:
        timers.append(args[0])
        return call_at(*args)

    monkeypatch.setattr(loop, "call_at", counted)
    for _ in range(100):
        deadlines.forget(Waiting(deadlines, 60))

    assert len(timers) == 1
    deadlines.close()


async def test_closed_nothing_expires() -> None:
    deadlines = Deadlines()
    waiting = Waiting(deadlines, 0.01)
    deadlines.close()
    await asyncio.sleep(0.03)

    assert not waiting.expired
