"""Requests that wait for an account are woken by its known end, or by a change, in a fair order."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.metrics.state_figures import StateFigures
from codex_proapi.gateway.pool.account_waits import MOST_WOKEN, AccountWaits
from codex_proapi.gateway.pool.slot_queue import Waiter

LONG = 3600.0


class Pool:
    """A pool of a version, as Redis and as this replica have it."""

    def __init__(self) -> None:
        self.version: Any = "1"
        self.cached = "1"
        self.looks = 0
        self.go_on = asyncio.Event()
        self.tasks = Tasks()
        self.registry = CollectorRegistry()
        self.waits = AccountWaits(
            lambda: self.cached,
            self.read,
            tasks=self.tasks,
            figures=StateFigures(self.registry),
            sleep=self.sleep,
        )
        self.woken: list[str] = []

    async def sleep(self, seconds: float) -> None:
        await self.go_on.wait()
        self.go_on.clear()

    async def read(self) -> str:
        self.looks += 1
        if isinstance(self.version, Exception):
            raise self.version
        return str(self.version)

    async def come(self, *names: str, seconds: float = LONG, **facts: Any) -> list[Any]:
        """Requests that wait, each named by its key's letter and its time of arrival."""
        comes = [self._wait(name, seconds, facts) for name in names]
        tasks = [asyncio.ensure_future(each) for each in comes]
        await self.settle()
        return tasks

    async def look(self) -> None:
        self.go_on.set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def _wait(self, name: str, seconds: float, facts: Any) -> None:
        waiter = Waiter(key_id=name[0], since=float(name[1:]), **facts)
        await self.waits.wait(seconds, waiter)
        self.woken.append(name)


async def test_a_change_of_the_pool_wakes_and_a_look_without_one_does_not() -> None:
    pool = Pool()
    await pool.come("a1")

    await pool.look()
    assert (pool.looks, pool.woken) == (1, [])
    pool.version = StoreUnavailable("away")
    await pool.look()
    assert (pool.looks, pool.woken) == (2, [])

    pool.version = "2"
    await pool.look()

    assert (pool.looks, pool.woken) == (3, ["a1"])
    assert repr(pool.waits) == "<AccountWaits of 0>"
    assert not len(pool.tasks), "and nobody looks any more"


async def test_a_change_between_the_snapshot_and_the_first_look_wakes() -> None:
    pool = Pool()
    pool.cached, pool.version = "1", "2"

    await pool.come("a1")
    await pool.look()

    assert pool.woken == ["a1"]


async def test_who_waits_and_how_long_each_waited_is_counted() -> None:
    pool = Pool()
    value = pool.registry.get_sample_value
    [first, _] = [*await pool.come("a1"), *await pool.come("a2")]
    assert value("gateway_account_waiting") == 2
    assert value("gateway_account_wait_seconds_count") == 0

    first.cancel()
    pool.version = "2"
    await pool.look()

    assert value("gateway_account_waiting") == 0
    assert value("gateway_account_wait_seconds_count") == 2, "also of one that gave up"


async def test_a_known_end_wakes_without_any_look() -> None:
    pool = Pool()
    await pool.come("a1")
    [ended] = await pool.come("a2", seconds=0.0)

    await asyncio.wait_for(ended, 60)

    assert (pool.woken, pool.looks) == (["a2"], 0)


@pytest.mark.parametrize(
    ("names", "weights", "order"),
    [
        ("a1 a2 a3 b4 c5", {}, "a1 b4 c5 a2 a3"),
        ("a3 a1 a2", {}, "a1 a2 a3"),
        ("a1 a2 a3 b4 b5", {"b": 2.0}, "b4 a1 b5 a2 a3"),
        ("a1 a2 a3 b4", {"a": 3.0}, "a1 a2 a3 b4"),
    ],
)
async def test_who_waits_is_woken_in_a_fair_order(
    names: str, weights: dict[str, float], order: str
) -> None:
    pool = Pool()
    for name in names.split():
        await pool.come(name, weight=weights.get(name[0], 1.0))

    pool.version = "2"
    await pool.look()

    assert " ".join(pool.woken) == order


async def test_one_change_wakes_only_so_many_and_the_next_look_the_others() -> None:
    pool = Pool()
    await pool.come(*(f"a{n}" for n in range(MOST_WOKEN + 3)))
    pool.version = "2"

    await pool.look()
    assert len(pool.woken) == MOST_WOKEN
    await pool.look()
    assert len(pool.woken) == MOST_WOKEN + 3


async def test_who_is_cancelled_waits_no_more() -> None:
    pool = Pool()
    gone, stays = await pool.come("a1", "a2")

    gone.cancel()
    await pool.settle()
    assert repr(pool.waits) == "<AccountWaits of 1>"

    pool.version = "2"
    await pool.look()
    assert pool.woken == ["a2"]
    assert stays.done()
