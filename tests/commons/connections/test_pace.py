"""How many connections to a host are begun at a time, and how far apart."""

import asyncio

import pytest
from support.clock import Clock
from support.gateways import PATIENCE_SECONDS

from codex_proapi.commons.connections.pace import (
    FIRST_AT_ONCE,
    FIRST_GAP,
    LEAST_AT_ONCE,
    MOST_AT_ONCE,
    MOST_GAP,
    RELAXED,
    DialPace,
    is_edge_refusal,
)


def test_connections_are_begun_as_many_at_a_time_as_there_may_be() -> None:
    pace = DialPace()

    assert [pace.begin() for _ in range(FIRST_AT_ONCE + 1)] == [True] * FIRST_AT_ONCE + [False]
    pace.end()
    assert pace.begin()


def test_each_that_is_opened_lets_one_more_be_begun_up_to_a_bound() -> None:
    pace = DialPace()
    pace.opened()
    assert pace.most == FIRST_AT_ONCE + 1

    for _ in range(MOST_AT_ONCE):
        pace.opened()
    assert pace.most == MOST_AT_ONCE


def test_refused_connections_halve_how_many_are_begun_and_wait_for_nothing() -> None:
    pace = DialPace()
    for _ in range(10):
        pace.refused(by_edge=False)

    assert (pace.most, pace.gap) == (LEAST_AT_ONCE, 0.0)
    assert pace.begin()


def test_an_edge_that_turns_a_burst_away_is_asked_slower_and_slower() -> None:
    clock = Clock()
    pace = DialPace(clock=clock)
    pace.refused(by_edge=True)
    assert (pace.most, pace.gap) == (FIRST_AT_ONCE // 2, FIRST_GAP)
    assert not pace.begin()

    clock.now += FIRST_GAP
    assert pace.begin()
    assert not pace.begin(), "the next one waits again"

    for _ in range(10):
        pace.refused(by_edge=True)
    assert (pace.most, pace.gap) == (1, MOST_GAP)


def test_answers_and_only_answers_end_the_time_between_two() -> None:
    pace = DialPace(clock=Clock())
    for _ in range(5):
        pace.refused(by_edge=True)
    slow = pace.most
    for _ in range(100):
        pace.opened()
    assert pace.most == slow, "an edge that refuses has opened the connection before"

    gaps = []
    while pace.gap:
        for _ in range(RELAXED):
            pace.answered()
        gaps.append(pace.gap)

    assert gaps == [4.0, 2.0, 1.0, 0.0]
    assert pace.most > slow


def test_one_refusal_begins_the_count_of_answers_anew() -> None:
    pace = DialPace(clock=Clock())
    pace.refused(by_edge=True)
    for _ in range(RELAXED - 1):
        pace.answered()
    pace.refused(by_edge=True)
    pace.answered()

    assert pace.gap == 2 * FIRST_GAP


async def test_those_that_wait_are_served_in_turn_and_who_gives_up_takes_nobodys_turn() -> None:
    pace = DialPace()
    while pace.begin():
        pass
    first, second, third = (pace.turn() for _ in range(3))
    pace.give_up(first)
    pace.end()
    assert (second.done(), third.done()) == (True, False)

    pace.give_up(second)

    assert third.done()
    assert not pace.begin()


async def test_nobody_overtakes_who_waits() -> None:
    pace = DialPace()
    while pace.begin():
        pass
    turn = pace.turn()
    turn.cancel()
    waiting = pace.turn()
    pace.end()

    assert waiting.done()
    assert not pace.begin()


async def test_who_waits_for_the_time_between_two_is_woken_when_it_has_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("codex_proapi.commons.connections.pace.FIRST_GAP", 0.02)
    pace = DialPace()
    pace.refused(by_edge=True)

    assert await pace.wait(PATIENCE_SECONDS)
    assert await pace.wait(PATIENCE_SECONDS)


async def test_waiting_has_an_end_and_leaves_nothing_behind() -> None:
    pace = DialPace(clock=Clock())
    pace.refused(by_edge=True)
    assert not await pace.wait(0.01)

    waiting = asyncio.ensure_future(pace.wait(60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait((waiting,))

    for _ in range(RELAXED):
        pace.answered()
    assert all(pace.begin() for _ in range(pace.most))


@pytest.mark.parametrize(
    ("status", "content_type", "is_one"),
    [
        (403, "text/html; charset=UTF-8", True),
        (429, "text/html", True),
        (429, "", True),
        (403, "application/json", False),
        (429, "application/problem+json", False),
        (503, "text/html", False),
        (200, "text/event-stream", False),
    ],
)
def test_a_page_with_403_or_429_is_the_edges(status: int, content_type: str, is_one: bool) -> None:
    assert is_edge_refusal(status, content_type) is is_one
