"""An answer that comes at once is whole, also behind a proxy that is short of time."""

import asyncio
import os
import pathlib
from collections.abc import Iterator

import pytest
from bench.marker import Marker
from deploy.live.check_rolling import found_by
from deploy.live.clients import Stream, session, stream
from deploy.live.stage import Stage

STREAMS, AT_ONCE = 1000, 40
QUICK = Marker(deltas=2, gap_ms=20, per_write=1)
"""The first word milliseconds after the request."""
CPU = min(os.sched_getaffinity(0))
HINDERED = ("taskset", "--cpu-list", str(CPU), "nice", "-n", "19")
"""Whatever the proxy wakes on its processor goes before it."""


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Iterator[Stage]:
    with Stage(tmp_path) as made:
        yield made


@pytest.mark.parametrize("proxy", ["nginx", "haproxy", "caddy", "traefik"])
async def test_an_answer_that_overtakes_the_end_of_its_request_is_whole(
    stage: Stage, proxy: str
) -> None:
    """Traefik cut some in a thousand, as it found the request's body closed by the answer."""
    gateways = stage.gateways(2)
    for each in (stage.upstream, *gateways):
        os.sched_setaffinity(each.pid, {CPU})
    front = stage.proxy(proxy, gateways, console=None, within=HINDERED)
    await found_by(front, gateways)
    numbers = iter(range(STREAMS))
    async with session() as client:

        async def ask() -> list[Stream]:
            return [await stream(client, front.url, QUICK, number=number) for number in numbers]

        asked = await asyncio.gather(*(ask() for _ in range(AT_ONCE)))

    answers = [one for each in asked for one in each]
    assert len(answers) == STREAMS
    assert not [one for one in answers if not one.unbroken], stage.logs()
