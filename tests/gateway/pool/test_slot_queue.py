import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from support.redis_clients import PATIENCE_SECONDS, connect_patiently
from support.redis_proxy import redis_proxy
from support.redis_server import RedisServer
from support.slots import slots_in_use

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect, connect_blocking
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.pool.slot_queue import HOLD_SECONDS, AccountQueue, Waiter


def waiter(name: str, *, weight: float = 1.0, since: float = 0.0) -> Waiter:
    """A request `key-number`."""
    return Waiter(
        request_id=name, key_id=name.split("-", maxsplit=1)[0], weight=weight, since=since
    )


class Pool:
    """Two replicas before one Redis; each account may give two answers at a time."""

    def __init__(self, redis: Redis, blocking_redis: Redis, tasks: Tasks) -> None:
        self.redis = redis
        self.tasks = tasks
        self.replicas = [
            AccountQueue(
                redis, blocking_redis=blocking_redis, replica=name, tasks=tasks, clock=time.time
            )
            for name in ("one", "two")
        ]
        for replica in self.replicas:
            replica.most = 2
        self.slots, self.other = self.replicas

    async def held(self) -> list[str]:
        return sorted(await slots_in_use(self.redis))

    async def queued(self) -> list[str]:
        found: Any = await self.redis.hkeys(keyspace.queue())
        return sorted(found)

    def begin(self, slots: AccountQueue, who: Waiter, *accounts: str, seconds: float = 5.0) -> Any:
        waiting = slots.wait(accounts or ("a",), who, seconds=seconds)
        return self.tasks.start(waiting, name=who.request_id)

    async def until_queued(self, *names: str) -> None:
        while await self.queued() != sorted(names):
            await asyncio.sleep(0.005)

    async def fill(self, account: str, *names: str) -> None:
        for name in names:
            assert await self.slots.take(account, waiter(name)) == ()


@pytest.fixture
async def pool(redis_url: str, redis_client: Redis) -> AsyncIterator[Pool]:
    blocking_redis = connect_blocking(redis_url)
    async with contextlib.aclosing(blocking_redis), Tasks() as tasks:
        yield Pool(redis_client, blocking_redis, tasks)


async def test_an_account_gives_so_many_slots_over_all_replicas(pool: Pool) -> None:
    await pool.fill("a", "k-1")
    assert await pool.other.take("a", waiter("k-2")) == ()

    assert await pool.slots.take("a", waiter("k-3")) == ["a"]
    assert await pool.slots.take("b", waiter("k-3")) == ()

    assert await pool.held() == ["a k-1 k", "a k-2 k", "b k-3 k"]


async def test_a_request_holds_one_slot_and_asking_again_takes_no_other(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-1")
    assert await pool.held() == ["a k-1 k"]

    await pool.fill("b", "k-1")

    assert await pool.held() == ["b k-1 k"]


async def test_a_slot_given_back_wakes_who_waits_on_any_replica(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-2")
    waiting = pool.begin(pool.other, waiter("k-3"))
    await pool.until_queued("k-3")

    await pool.slots.free("k-1")

    assert await asyncio.wait_for(waiting, PATIENCE_SECONDS) == "a"
    assert await pool.held() == ["a k-2 k", "a k-3 k"]
    assert pool.other.holds("k-3")
    assert not pool.slots.holds("k-1")


async def test_nobody_who_comes_later_overtakes_who_waits(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-2")
    pool.begin(pool.slots, waiter("k-3"))
    await pool.until_queued("k-3")
    pool.slots.most = pool.other.most = 3

    assert await pool.other.take("a", waiter("k-4")) == ["a"]

    assert await pool.held() == ["a k-1 k", "a k-2 k", "a k-3 k"]


async def test_the_key_that_holds_least_is_served_first_and_its_oldest_request(pool: Pool) -> None:
    await pool.fill("a", "greedy-1", "greedy-2")
    names = ("greedy-3", "greedy-4", "calm-6", "calm-5")
    waiting = [
        pool.begin(pool.slots, waiter(name, since=float(name[-1])), seconds=1) for name in names
    ]
    await pool.until_queued(*names)

    served = []
    for holder in ("greedy-1", "greedy-2"):
        await pool.slots.free(holder)
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        served += [task.get_name() for task in done]
        waiting = [task for task in waiting if task not in done]

    assert served == ["calm-5", "greedy-3"]


async def test_a_key_of_twice_the_weight_holds_twice_as_many(pool: Pool) -> None:
    for replica in pool.replicas:
        replica.most = 6
    await pool.fill("a", *(f"old-{n}" for n in range(6)))
    names = [f"{key}-{n}" for n in range(6) for key in ("light", "heavy")]
    for name in names:
        weight = 2.0 if name.startswith("heavy") else 1.0
        pool.begin(pool.slots, waiter(name, weight=weight, since=float(name[-1])))
    await pool.until_queued(*names)

    for n in range(6):
        await pool.slots.free(f"old-{n}")

    held = [slot.split()[2] for slot in await pool.held()]
    assert (held.count("heavy"), held.count("light")) == (4, 2)


async def test_a_slot_goes_to_somebody_who_can_use_its_account(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-2")
    await pool.fill("b", "k-3", "k-4")
    first = pool.begin(pool.slots, waiter("k-5", since=1), "b")
    second = pool.begin(pool.slots, waiter("k-6", since=2), "a", "b")
    await pool.until_queued("k-5", "k-6")

    await pool.slots.free("k-1")

    assert await asyncio.wait_for(second, PATIENCE_SECONDS) == "a"
    assert not first.done()


async def test_who_has_waited_long_enough_looks_again_and_its_place_lapses(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-2")

    assert await pool.slots.wait(("a",), waiter("k-3"), seconds=0.05) == ""
    await pool.slots.free("k-1")

    assert await pool.queued() == []
    assert await pool.held() == ["a k-2 k"]


async def test_who_goes_away_leaves_the_queue_and_a_slot_that_came_too_late(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-2")
    waiting = pool.begin(pool.slots, waiter("k-3"))
    await pool.until_queued("k-3")

    waiting.cancel()
    await pool.slots.free("k-1")
    await asyncio.wait([waiting])
    assert pool.slots.holds("k-3")
    await pool.slots.free("k-3")

    assert await pool.held() == ["a k-2 k"]
    assert await pool.queued() == []
    assert pool.slots.waiting == 0


async def test_who_goes_away_while_a_slot_is_taken_gives_it_back(pool: Pool) -> None:
    taking = pool.tasks.start(pool.slots.take("a", waiter("k-1")), name="take")
    await asyncio.sleep(0)

    taking.cancel()
    await asyncio.wait([taking])

    assert pool.slots.holds("k-1"), "Redis may have provided it"
    await pool.slots.free("k-1")
    assert not pool.slots.holds("k-1")


async def test_a_slot_handed_over_is_lost_soon_unless_it_is_taken(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-2")
    waiting = pool.begin(pool.other, waiter("k-3"))
    await pool.until_queued("k-3")
    await pool.slots.free("k-1")
    await waiting

    async def seconds() -> float:
        until: Any = await pool.redis.zscore(keyspace.slots(), "a k-3 k")
        return float(until) - time.time()

    assert await seconds() < 6
    assert await pool.other.take("a", waiter("k-3")) == ()
    assert await seconds() > HOLD_SECONDS - 30


async def test_who_waits_goes_on_when_the_limit_is_lifted(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-2")
    waiting = pool.begin(pool.slots, waiter("k-3"))
    await pool.until_queued("k-3")

    pool.slots.most = 0

    assert await asyncio.wait_for(waiting, PATIENCE_SECONDS) == "a"
    assert await pool.slots.take("a", waiter("k-3")) == ()


async def test_who_waits_looks_again_when_redis_has_been_away(
    pool: Pool, redis_server: RedisServer
) -> None:
    async with (
        redis_proxy(str(redis_server.socket)) as proxy,
        contextlib.aclosing(connect_blocking(proxy.url)) as blocking_redis,
    ):
        slots = AccountQueue(
            pool.redis,
            blocking_redis=blocking_redis,
            replica="x",
            tasks=pool.tasks,
            clock=time.time,
        )
        slots.most = 2
        await pool.fill("a", "k-1", "k-2")
        waiting = pool.begin(slots, waiter("k-3"))
        await pool.until_queued("k-3")
        while not proxy.carries:
            await asyncio.sleep(0.005)
        await proxy.cut()

        assert await asyncio.wait_for(waiting, PATIENCE_SECONDS) == ""


async def test_a_slot_that_could_not_be_given_back_is_when_redis_is_there_again(
    pool: Pool, redis_server: RedisServer
) -> None:
    async with (
        redis_proxy(str(redis_server.socket)) as proxy,
        contextlib.aclosing(connect_patiently(proxy.url)) as client,
        contextlib.aclosing(connect("unix:///nowhere")) as nowhere,
    ):
        slots = AccountQueue(
            client, blocking_redis=nowhere, replica="x", tasks=pool.tasks, clock=time.time
        )
        slots.most = 1
        assert await slots.take("a", waiter("k-1")) == ()
        proxy.socket, socket = "/nowhere", proxy.socket
        await proxy.cut()
        await slots.free("k-1")
        await slots.free_kept()
        assert await pool.held() == ["a k-1 k"]
        proxy.socket = socket
        await slots.free_kept()

    assert await pool.held() == []


async def test_what_is_left_is_given_back_when_the_replica_ends(pool: Pool) -> None:
    await pool.fill("a", "k-1", "k-2")

    await pool.slots.close()

    assert await pool.held() == []


async def test_what_a_dead_replica_held_is_handed_on_when_its_lease_ends(pool: Pool) -> None:
    ends = time.time() + 0.2
    await pool.redis.zadd(keyspace.slots(), {"a dead-1 dead": ends, "a dead-2 dead": ends + 60})

    assert await pool.slots.wait(("a",), waiter("k-1"), seconds=5) == "a"

    assert await pool.held() == ["a dead-2 dead", "a k-1 k"]


async def test_what_is_held_is_renewed_and_what_was_given_back_does_not_come_again(
    pool: Pool,
) -> None:
    await pool.fill("a", "k-1", "k-2")
    await pool.redis.zadd(keyspace.slots(), {"a k-1 k": time.time() + 1})
    await pool.redis.zrem(keyspace.slots(), "a k-2 k")

    await pool.slots.renew()

    [(slot, until)] = (await slots_in_use(pool.redis)).items()
    assert slot == "a k-1 k"
    assert until > time.time() + HOLD_SECONDS - 5


async def test_the_slots_of_long_answers_are_kept_though_nobody_asks(pool: Pool) -> None:
    await pool.fill("a", "k-1")
    await pool.redis.expire(keyspace.slots(), 10)

    await pool.slots.renew()

    assert await pool.redis.ttl(keyspace.slots()) > HOLD_SECONDS


async def test_a_queue_that_is_too_long_takes_nobody(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_proapi.gateway.pool.slot_queue.MOST_WAITING", 0)

    assert await pool.slots.wait(("a",), waiter("k-1"), seconds=5) is None


async def test_while_redis_is_away_nothing_is_lent_and_a_slot_waits_for_its_end(
    pool: Pool,
) -> None:
    nowhere = connect("redis://127.0.0.1:9/0")
    slots = AccountQueue(
        nowhere, blocking_redis=nowhere, replica="x", tasks=pool.tasks, clock=time.time
    )
    slots.most = 1

    with pytest.raises(StoreUnavailable):
        await slots.take("a", waiter("k-1"))
    slots._held["k-1"] = "a k-1 k"
    await slots.free("k-1")

    assert not slots.holds("k-1")
    await nowhere.aclose()


@pytest.mark.parametrize("odd", ["", "x", "a b", "x y z w v u"])
async def test_a_slot_or_a_wait_that_nobody_can_read_stops_nobody(pool: Pool, odd: str) -> None:
    await pool.redis.zadd(keyspace.slots(), {odd: time.time() + 60})
    await pool.redis.hset(keyspace.queue(), "k-0", odd)

    await pool.fill("a", "k-1")
    assert await pool.other.take("a", waiter("k-2")) == ()
    assert await pool.slots.take("a", waiter("k-3")) == ["a"]
    assert await pool.queued() == []
