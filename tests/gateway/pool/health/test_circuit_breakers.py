from typing import Any

from redis.asyncio import Redis
from support.clock import Clock
from support.leases import a_lease

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.redis.clients import connect
from codex_proapi.gateway.pool.health.circuit_breakers import FAULTS, CircuitBreakers


def a_scene(redis: Any) -> Any:
    clock = Clock()
    return CircuitBreakers(redis, CooldownStore(redis), clock=clock), clock


async def faults(breakers: Any, clock: Any, count: int, *, seconds: float = 1) -> Any:
    found: list[Any] = []
    for _ in range(count):
        clock.pass_(seconds)
        found.append(await breakers.fault(a_lease(began=clock())))
    return found


async def test_the_fifth_fault_in_a_row_opens_it_and_each_failed_probe_doubles_the_time(
    redis_client: Redis,
) -> None:
    breakers, clock = a_scene(redis_client)

    assert await faults(breakers, clock, FAULTS) == [None] * (FAULTS - 1) + [30.0]
    assert await faults(breakers, clock, 6, seconds=301) == [
        60.0,
        120.0,
        240.0,
        300.0,
        300.0,
        300.0,
    ]


async def test_what_fails_at_once_is_one_failure(redis_client: Redis) -> None:
    breakers, clock = a_scene(redis_client)
    began_before = clock()

    await faults(breakers, clock, FAULTS)
    late = [await breakers.fault(a_lease(began=began_before)) for _ in range(9)]

    assert late == [None] * 9
    assert await faults(breakers, clock, 1, seconds=31) == [60.0]


async def test_an_answer_closes_it_unless_it_was_begun_before_it_opened(
    redis_client: Redis,
) -> None:
    breakers, clock = a_scene(redis_client)
    old = a_lease(began=clock())
    await faults(breakers, clock, FAULTS)

    assert not breakers.close(old)
    assert "acc_a" in breakers.opened
    assert breakers.close(a_lease(began=clock()))
    assert "acc_a" not in breakers.opened


async def test_a_breaker_another_replica_opened_is_seen_in_the_survey(redis_client: Redis) -> None:
    breakers, clock = a_scene(redis_client)
    now = clock()
    breakers.see(
        {
            "acc_a": Cooldown(until=now + 30, reason=CooldownReason.TRANSIENT, since=now - 5),
            "acc_b": Cooldown(until=now + 30, reason=CooldownReason.QUOTA, since=now - 5),
        }
    )

    assert ("acc_a" in breakers.opened, "acc_b" in breakers.opened) == (True, False)
    assert "acc_a" in repr(breakers)


async def test_breakers_are_counted_by_state_for_accounts_that_exist(redis_client: Redis) -> None:
    breakers, clock = a_scene(redis_client)
    now = clock()
    cooldowns = {
        name: Cooldown(until=now + seconds, reason=CooldownReason.TRANSIENT, since=now - 5)
        for name, seconds in {"acc_b": 30.0, "acc_c": 60.0, "acc_gone": 60.0}.items()
    }
    breakers.see(cooldowns)
    assert breakers.counts({"acc_a", "acc_b", "acc_c"}) == {"open": 2, "half_open": 0}

    clock.pass_(31)
    assert breakers.counts({"acc_a", "acc_b", "acc_c"}) == {"open": 1, "half_open": 1}
    await faults(breakers, clock, FAULTS)
    assert breakers.counts({"acc_a", "acc_b", "acc_c"}) == {"open": 2, "half_open": 1}

    breakers.close(a_lease(began=clock()))
    assert breakers.counts({"acc_a", "acc_b", "acc_c"}) == {"open": 1, "half_open": 1}


async def test_one_request_at_a_time_may_probe(redis_client: Redis) -> None:
    breakers, _ = a_scene(redis_client)

    assert [await breakers.may_probe("acc_a") for _ in range(3)] == [True, False, False]
    assert await breakers.may_probe("acc_b")


async def test_without_redis_nobody_is_the_one_that_may_probe() -> None:
    nowhere = connect("unix:///nowhere")
    breakers, _ = a_scene(nowhere)

    assert not await breakers.may_probe("acc_a")

    await nowhere.aclose()
