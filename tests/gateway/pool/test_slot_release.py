"""A slot is released in the background, by Redis' reply or later."""

import asyncio
import contextlib
import time

from redis.asyncio import Redis
from support.slots import slots_in_use

from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.pool.slot_queue import AccountQueue, Waiter

WAITER = Waiter(request_id="r1", key_id="k")


def a_queue(redis: Redis, tasks: Tasks) -> AccountQueue:
    slots = AccountQueue(redis, blocking_redis=redis, replica="x", tasks=tasks, clock=time.time)
    slots.most = 1
    return slots


async def until_released(slots: AccountQueue) -> None:
    while slots.holds("r1"):
        await asyncio.sleep(0.005)


async def test_a_slot_is_free_once_redis_has_replied(redis_client: Redis) -> None:
    async with Tasks() as tasks:
        slots = a_queue(redis_client, tasks)
        await slots.take("a", WAITER)
        slots.release("unknown")
        assert await slots_in_use(redis_client) != {}

        slots.release("r1")
        assert slots.holds("r1")
        await until_released(slots)

        assert await slots_in_use(redis_client) == {}
        assert len(tasks) == 0


async def test_a_slot_whose_release_fails_is_released_when_redis_is_back(
    redis_client: Redis,
) -> None:
    async with contextlib.aclosing(connect("unix:///nowhere")) as nowhere, Tasks() as tasks:
        near, slots = a_queue(redis_client, tasks), a_queue(nowhere, tasks)
        await near.take("a", WAITER)
        slots._held["r1"] = "a r1 k"

        slots.release("r1")
        await until_released(slots)
        assert await slots_in_use(redis_client) != {}

        slots._scripts = near._scripts
        await slots.free_kept()
        assert await slots_in_use(redis_client) == {}
