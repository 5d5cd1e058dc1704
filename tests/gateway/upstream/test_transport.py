from typing import Any

import pytest
from support.clock import Clock

from codex_proapi.gateway.upstream.transport import SilenceBudget, choose_transport


class Way:
    """A transport that may or may not be available."""

    def __init__(self, *, available: bool) -> None:
        self._available = available

    def available(self) -> bool:
        return self._available

    async def open(self, request: Any, silence: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("available", "chosen"),
    [((True, True), 0), ((False, True), 1), ((False, False), 1), ((True,), 0), ((False,), 0)],
)
def test_the_first_transport_that_is_available_carries_a_request(
    available: tuple[bool, ...], chosen: int
) -> None:
    ways = [Way(available=each) for each in available]

    assert choose_transport(ways) is ways[chosen]


def test_one_silence_is_counted_over_all_attempts_and_begins_again_with_an_event() -> None:
    clock = Clock()
    silence = SilenceBudget(clock, seconds=300)
    clock.pass_(1000)
    assert not silence.exhausted  # nothing was asked yet

    first = silence.deadline
    clock.pass_(200)
    assert silence.deadline == first == clock() + 100

    silence.restart()
    assert silence.deadline == clock() + 300
    clock.pass_(300)
    assert silence.exhausted
