from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock

from codex_proapi.gateway.pool.health.egress import CHALLENGES, PROBE_SECONDS, Egress


def test_a_refused_address_pauses_longer_each_time_until_an_answer_comes() -> None:
    clock = Clock()
    egress = Egress(clock)
    assert egress.pause() == 0

    waits: list[Any] = []
    for _ in range(5):
        egress.refused(certain=True)
        egress.refused(certain=True)  # of those that were under way
        waits.append(round(egress.pause()))
        clock.pass_(egress.pause())
        assert egress.pause() == 0
    assert waits == [60, 120, 240, 300, 300]

    egress.refused(certain=True)
    egress.answered()
    assert egress.pause() == 0
    egress.refused(certain=True)
    assert round(egress.pause()) == 60


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


def test_while_it_is_paused_one_request_after_the_other_finds_out_whether_it_is_over() -> None:
    clock = Clock()
    egress = Egress(clock)
    egress.refused(certain=True)

    clock.pass_(PROBE_SECONDS)
    probes = [egress.pause() for _ in range(3)]

    assert probes == [0, 60 - PROBE_SECONDS, 60 - PROBE_SECONDS]


async def test_a_pause_and_its_end_hold_for_all_replicas(redis_client: Redis) -> None:
    clock = Clock()
    ours, theirs = Egress(clock, redis_client), Egress(clock, redis_client)
    ours.refused(certain=True)
    await ours.share()
    await theirs.share()
    assert theirs.pause() == pytest.approx(60, abs=0.01)

    theirs.answered()
    await theirs.share()
    await ours.share()
    assert not ours.paused
