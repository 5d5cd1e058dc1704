"""Connections between two requests: which one is used, closed, or waited for."""

import asyncio
from typing import Any

import pytest
from support.clock import Clock
from support.gateways import PATIENCE_SECONDS

from codex_proapi.gateway.upstream.idle_connections import (
    HOPE_SECONDS,
    MOST_IDLE,
    IdleConnections,
)


class Connection:
    """One that is alive until it is closed."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.made_at = pool._clock()
        self.idle_beats = 0
        self.alive = True

    def abort(self) -> None:
        self.alive = False
        self.pool.forget(self)


class Scene:
    def __init__(self) -> None:
        self.clock = Clock()
        self.pool = IdleConnections[Connection](seconds=3, clock=self.clock)

    def made(self, count: int) -> list[Connection]:
        return [Connection(self.pool) for _ in range(count)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_one_used_last_is_used_first_and_a_closed_one_never(scene: Scene) -> None:
    first, second, third = scene.made(3)
    for each in (first, second, third):
        scene.pool.keep(each)
    third.alive = False

    assert [scene.pool.take() for _ in range(3)] == [second, first, None]


def test_one_that_is_idle_for_long_is_closed(scene: Scene) -> None:
    old, young = scene.made(2)
    scene.pool.keep(old)
    scene.pool.tick()
    scene.pool.keep(young)
    for _ in range(3):
        scene.pool.tick()

    assert (old.alive, young.alive, len(scene.pool)) == (False, True, 1)


def test_of_too_many_the_one_idle_for_longest_is_closed(scene: Scene) -> None:
    connections = scene.made(MOST_IDLE + 2)
    for each in connections:
        scene.pool.keep(each)

    assert [each.alive for each in connections].index(True) == 2
    assert len(scene.pool) == MOST_IDLE


async def test_a_request_waits_for_one_whose_answer_ends_soon(scene: Scene) -> None:
    [connection] = scene.made(1)
    scene.pool.ending(connection)
    waiting = asyncio.ensure_future(scene.pool.about_to_be_free())
    await asyncio.sleep(0)
    assert await scene.pool.about_to_be_free() is None, "one ends, so one request may wait"

    scene.pool.keep(connection)

    assert await asyncio.wait_for(waiting, PATIENCE_SECONDS) is connection
    assert len(scene.pool) == 0


async def test_where_none_ends_nobody_waits(scene: Scene) -> None:
    assert await asyncio.wait_for(scene.pool.about_to_be_free(), PATIENCE_SECONDS) is None


async def test_nobody_waits_again_where_answers_end_late_until_one_ends_in_time(
    scene: Scene,
) -> None:
    late, quick, next_one, cut = scene.made(4)
    scene.pool.ending(late)
    scene.clock.now += HOPE_SECONDS + 0.1
    scene.pool.keep(late)
    scene.pool.ending(next_one)
    assert await scene.pool.about_to_be_free() is None

    scene.pool.ending(quick)
    scene.pool.keep(quick)
    waiting = asyncio.ensure_future(scene.pool.about_to_be_free())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()

    scene.pool.ending(cut)
    cut.abort()
    assert await scene.pool.about_to_be_free() is None


async def test_a_connection_that_came_for_nobody_goes_to_the_next_one(scene: Scene) -> None:
    first, second = scene.made(2)
    left = scene.pool.hope()
    waits = scene.pool.hope()
    scene.pool.keep(first)
    scene.pool.give_up(left)
    assert waits.claim() is first
    assert waits.claim() is None, "it is the claimant's"

    scene.pool.give_up(waits)
    scene.pool.keep(second)
    assert scene.pool.take() is second


async def test_one_that_ends_while_it_is_handed_over_is_none(scene: Scene) -> None:
    [connection] = scene.made(1)
    hope = scene.pool.hope()
    scene.pool.keep(connection)
    connection.abort()

    assert hope.claim() is None
    assert repr(hope) == "<Hope fulfilled>"
