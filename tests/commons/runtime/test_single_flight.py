import asyncio

import pytest

from codex_proapi.commons.runtime.tasks import SingleFlight


class Looks:
    """Looks that end when a test says so."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def look(self) -> int:
        self.begun += 1
        await self.go_on.wait()
        if self.error:
            raise self.error
        return self.begun


async def test_all_who_ask_at_once_share_one_look_and_the_next_one_looks_again() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    looks = Looks()
    waiting = [asyncio.ensure_future(flights.join("a", looks.look)) for _ in range(9)]
    await asyncio.sleep(0)
    assert repr(flights) == "<SingleFlight 1 under way>"
    looks.go_on.set()

    assert await asyncio.gather(*waiting) == [1] * 9
    assert await flights.join("a", looks.look) == 2
    assert await flights.join("b", looks.look) == 3


async def test_a_failed_look_fails_for_everybody_who_waits() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    looks = Looks()
    looks.error = ValueError("no")
    looks.go_on.set()

    outcomes = await asyncio.gather(
        *(flights.join("a", looks.look) for _ in range(3)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [ValueError] * 3
    assert looks.begun == 1


async def test_whoever_gives_up_does_not_end_the_look_for_the_others() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    looks = Looks()
    first, second = (asyncio.ensure_future(flights.join("a", looks.look)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    looks.go_on.set()

    assert await second == 1
