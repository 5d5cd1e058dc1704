import asyncio
from typing import Any

import pytest

from gateway.relay.pulse import BEAT_SECONDS, Pulse


class Member:
    def __init__(self, fault: Exception | None = None) -> None:
        self.beats = 0
        self.fault = fault

    def beat(self) -> None:
        self.beats += 1
        if self.fault:
            raise self.fault


async def test_everybody_hears_every_beat_until_they_leave() -> None:
    pulse, first, second = Pulse(), Member(), Member()
    pulse.join(first)
    pulse.join(second)

    pulse.beat()
    pulse.leave(first)
    pulse.leave(first)
    pulse.beat()

    assert (first.beats, second.beats, len(pulse)) == (1, 2, 1)


async def test_one_that_fails_is_left_out_and_stops_nobody() -> None:
    pulse, bad, good = Pulse(), Member(ValueError("oh")), Member()
    pulse.join(bad)
    pulse.join(good)

    pulse.beat()
    pulse.beat()

    assert (bad.beats, good.beats) == (1, 2)


async def test_it_beats_once_a_second() -> None:
    pulse, member = Pulse(), Member()
    pulse.join(member)
    slept: list[Any] = []

    async def sleep(seconds: Any) -> None:
        slept.append(seconds)
        if len(slept) > 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await pulse.run(sleep)

    assert slept == [BEAT_SECONDS] * 4
    assert member.beats == 3
