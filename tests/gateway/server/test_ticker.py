import asyncio
from typing import Any

import pytest

from codex_proapi.gateway.server.ticker import AT_ONCE, BEAT_SECONDS, Ticker


class Member:
    def __init__(self, fault: Exception | None = None) -> None:
        self.ticks = 0
        self.fault = fault

    def tick(self) -> None:
        self.ticks += 1
        if self.fault:
            raise self.fault


async def test_everybody_hears_every_beat_until_they_leave() -> None:
    ticker, first, second = Ticker(), Member(), Member()
    ticker.join(first)
    ticker.join(second)

    ticker.tick()
    ticker.leave(first)
    ticker.leave(first)
    ticker.tick()

    assert (first.ticks, second.ticks, len(ticker)) == (1, 2, 1)


async def test_one_that_fails_is_left_out_and_stops_nobody() -> None:
    ticker, bad, good = Ticker(), Member(ValueError("oh")), Member()
    ticker.join(bad)
    ticker.join(good)

    ticker.tick()
    ticker.tick()

    assert (bad.ticks, good.ticks) == (1, 2)


async def test_it_beats_once_a_second() -> None:
    ticker, member = Ticker(), Member()
    ticker.join(member)
    slept: list[Any] = []

    async def sleep(seconds: Any) -> None:
        slept.append(seconds)
        if len(slept) > 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ticker.run(sleep)

    assert slept == [BEAT_SECONDS] * 4
    assert member.ticks == 3


async def test_many_are_called_in_several_turns_of_the_loop_and_who_left_between_them_is_not() -> (
    None
):
    ticker, members = Ticker(), [Member() for _ in range(3 * AT_ONCE)]
    for member in members:
        ticker.join(member)
    slept: list[float] = []
    turns: list[int] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 1:
            raise asyncio.CancelledError
        asyncio.get_running_loop().call_soon(between)

    def between() -> None:
        called = [member for member in members if member.ticks]
        turns.append(len(called))
        for member in members:
            if not member.ticks:
                ticker.leave(member)

    with pytest.raises(asyncio.CancelledError):
        await ticker.run(sleep)

    assert turns == [AT_ONCE]
    assert sum(member.ticks for member in members) == AT_ONCE
