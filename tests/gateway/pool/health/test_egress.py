from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from support.clock import Clock

from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.pool.health.egress import (
    ASK_SECONDS,
    CHALLENGES,
    PROBE_SECONDS,
    Egress,
)


async def test_a_refused_address_pauses_longer_each_time_until_an_answer_comes() -> None:
    clock = Clock()
    egress = Egress(clock)
    assert await egress.pause() == 0

    waits: list[Any] = []
    for _ in range(5):
        egress.refused(certain=True)
        egress.refused(certain=True)  # of those that were under way
        waits.append(round(await egress.pause()))
        clock.pass_(await egress.pause())
        assert await egress.pause() == 0
    assert waits == [60, 120, 240, 300, 300]

    egress.refused(certain=True)
    egress.answered()
    assert await egress.pause() == 0
    egress.refused(certain=True)
    assert round(await egress.pause()) == 60


def test_only_several_challenges_in_a_row_pause_the_address() -> None:
    egress = Egress(Clock())

    for _ in range(CHALLENGES - 1):
        egress.refused()
    egress.answered()
    for _ in range(CHALLENGES - 1):
        egress.refused()
    assert not egress.paused

    egress.refused()
    assert egress.paused


async def test_while_it_is_paused_one_request_after_the_other_finds_out_whether_it_is_over() -> (
    None
):
    clock = Clock()
    egress = Egress(clock)
    egress.refused(certain=True)

    clock.pass_(PROBE_SECONDS)
    probes = [await egress.pause() for _ in range(3)]

    assert probes == [0, 60 - PROBE_SECONDS, 60 - PROBE_SECONDS]


async def test_its_state_tells_whether_a_probe_is_under_way() -> None:
    clock = Clock()
    egress = Egress(clock)
    states = [egress.state]

    egress.refused(certain=True)
    states.append(egress.state)
    clock.pass_(PROBE_SECONDS)
    await egress.pause()
    states.append(egress.state)
    egress.refused()
    states.append(egress.state)
    clock.pass_(PROBE_SECONDS)
    await egress.pause()
    egress.answered()
    states.append(egress.state)

    assert states == ["open", "paused", "probing", "paused", "open"]


async def test_a_pause_and_its_end_hold_for_all_replicas(redis_client: Redis) -> None:
    clock = Clock()
    ours, theirs = Egress(clock, redis_client), Egress(clock, redis_client)
    ours.refused(certain=True)
    await ours.share()
    await theirs.share()
    assert await theirs.pause() == pytest.approx(60, abs=0.01)

    theirs.answered()
    await theirs.share()
    await ours.share()
    assert not ours.paused


async def paused_replicas(clock: Clock, redis_client: Redis) -> list[Egress]:
    replicas = [Egress(clock, redis_client) for _ in range(2)]
    replicas[0].refused(certain=True)
    for replica in replicas:
        await replica.share()
    clock.pass_(PROBE_SECONDS)
    return replicas


def keep_claims(redis_client: Redis) -> list[int]:
    """Keep claims for an hour, so that a slow machine frees none; gives the expiries asked for."""
    write = redis_client.set
    expiries: list[int] = []

    async def kept(name: str, value: str, **options: Any) -> object:
        assert name != keyspace.egress_probe() or options["nx"]
        made = await write(name, value, **options | {"px": 3_600_000})
        if made:
            expiries.append(options["px"])
        return made

    redis_client.set = kept  # type: ignore[method-assign, assignment]
    return expiries


async def test_one_replica_at_a_time_probes_a_paused_address(redis_client: Redis) -> None:
    clock = Clock()
    ours, theirs = await paused_replicas(clock, redis_client)
    expiries = keep_claims(redis_client)

    assert await ours.pause() == 0
    assert await theirs.pause() > 0
    assert expiries == [PROBE_SECONDS * 1000]

    await redis_client.delete(keyspace.egress_probe())  # as its expiry does
    assert await theirs.pause() > 0, "the next question is ASK_SECONDS after the last"
    clock.pass_(ASK_SECONDS)
    assert await theirs.pause() == 0
    clock.pass_(PROBE_SECONDS)
    assert await ours.pause() > 0

    theirs.answered()
    await theirs.share()
    await ours.share()
    waits = [await egress.pause() for egress in (ours, ours, theirs, theirs)]
    assert waits == [0, 0, 0, 0]


async def test_without_redis_a_replica_probes_alone(redis_client: Redis) -> None:
    clock = Clock()
    ours, theirs = await paused_replicas(clock, redis_client)
    assert await ours.pause() == 0

    async def away(*_: object, **__: object) -> None:
        raise RedisConnectionError

    redis_client.set = away  # type: ignore[method-assign, assignment]
    assert await theirs.pause() == 0


async def test_an_answer_while_the_pause_is_read_counts(redis_client: Redis) -> None:
    clock = Clock()
    ours, _ = await paused_replicas(clock, redis_client)
    read = redis_client.get

    async def read_late(name: str) -> object:
        found = await read(name)
        ours.answered()
        return found

    redis_client.get = read_late  # type: ignore[method-assign, assignment]
    await ours.share()
    assert not ours.paused
    await ours.share()
    assert await redis_client.exists(keyspace.egress()) == 0


@pytest.mark.parametrize("value", ["later", "inf", "nan", ""])
async def test_a_stored_pause_that_is_no_time_is_none(redis_client: Redis, value: str) -> None:
    await redis_client.set(keyspace.egress(), value)
    egress = Egress(Clock(), redis=redis_client)

    await egress.share()

    assert not egress.paused
