"""Zero broken streams: gateways replaced one by one, killed, and scaled behind real proxies."""

import asyncio
import pathlib
import re
import signal
from collections.abc import Iterator, Sequence

import pytest
from bench.marker import Marker
from deploy.live.clients import Crowd, session, stream
from deploy.live.stage import SETTLE, Process, Stage

from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.redis.clients import connect

STREAMS = 200
ANSWER = Marker(deltas=50, gap_ms=200, per_write=1)
"""Ten seconds of words."""
NOTICE = 2.5
"""Seconds until every proxy has taken notice of a gateway that is ready."""


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Iterator[Stage]:
    with Stage(tmp_path) as made:
        yield made


def under_way(gateway: Process) -> int:
    """Streams under way, by its own figures."""
    found = re.search(r"^gateway_exchanges_in_flight (\S+)", gateway.get("/metrics"), re.MULTILINE)
    assert found
    return int(float(found[1]))


async def taken_notice(gateways: Sequence[Process]) -> list[int]:
    """Wait until the proxy sends requests to each; what each then has under way.

    A proxy that is short of time looks late.

    To end the next gateway before that leaves the proxy with none, whatever the gateways do.
    """
    deadline = asyncio.get_running_loop().time() + 120
    while not all(found := [await asyncio.to_thread(under_way, each) for each in gateways]):
        assert asyncio.get_running_loop().time() < deadline, "the proxy never took notice"
        await asyncio.sleep(0.2)
    return found


async def replace(gateway: Process) -> float:
    """End one gateway as an orchestrator does, and start it again; gives how long the drain took.

    Streams must be coming: it is replaced once the proxy gives it some again.
    """
    began = asyncio.get_running_loop().time()
    gateway.signal(signal.SIGTERM)
    code = await asyncio.to_thread(gateway.wait, 120)
    drained = asyncio.get_running_loop().time() - began
    assert code == 0, gateway.tail()
    await asyncio.to_thread(gateway.start, ready="/readyz")
    await taken_notice([gateway])
    return drained


def report(what: str, crowd: Crowd) -> str:
    failed = [status for status in crowd.short if status != 200]
    troubles = [one.trouble or f"{one.deltas} of {one.expected}" for one in crowd.broken]
    return (
        f"{what}: {len(crowd.finished)} streams, {len(crowd.broken)} broken; "
        f"{len(crowd.short)} short requests, {len(failed)} failed "
        f"{sorted(set(troubles + crowd.troubles))[:5]}"
    )


@pytest.mark.parametrize("proxy", ["nginx", "haproxy", "caddy", "traefik"])
async def test_a_rolling_restart_breaks_no_stream(stage: Stage, proxy: str) -> None:
    gateways = stage.gateways(2, DRAIN_SETTLE_SECONDS=SETTLE[proxy])
    front = stage.proxy(proxy, gateways, console=None)
    await asyncio.sleep(NOTICE)
    crowd = Crowd(f"http://{front.address}", streams=STREAMS, marker=ANSWER)
    async with session() as client:
        living = asyncio.ensure_future(crowd.run(client))
        await asyncio.sleep(4)
        before = [under_way(gateway) for gateway in gateways]
        drains = [await replace(gateway) for gateway in gateways]
        crowd.leave()
        await living

    said = report(f"{proxy}, in flight {before}, drains {[round(d, 1) for d in drains]} s", crowd)
    print(f"\n{said}")
    assert sum(before) >= STREAMS, said
    assert min(before) > 0, said
    assert not crowd.broken, said
    assert set(crowd.short) == {200}, said


async def test_a_killed_gateway_breaks_only_its_own_streams(stage: Stage) -> None:
    gateways = stage.gateways(2)
    front = stage.proxy("haproxy", gateways, console=None)
    await asyncio.sleep(NOTICE)
    crowd = Crowd(f"http://{front.address}", streams=STREAMS, marker=ANSWER)
    async with session() as client:
        living = asyncio.ensure_future(crowd.run(client))
        await asyncio.sleep(4)
        doomed = under_way(gateways[0])
        gateways[0].kill()
        await asyncio.sleep(1)
        broken = len(crowd.broken)
        short = len(crowd.short)
        await asyncio.sleep(4)
        await asyncio.to_thread(gateways[0].start, ready="/readyz")
        await asyncio.sleep(NOTICE)
        crowd.leave()
        await living

    said = report(f"killed with {doomed} streams", crowd)
    print(f"\n{said}")
    assert doomed > 0, said
    # The short requests under way at that moment are its own, too.
    assert 0 < broken <= doomed, said
    assert len(crowd.broken) == broken, said
    assert set(crowd.short[short:]) == {200}, said


async def test_what_a_killed_gateway_held_is_free_within_a_minute(stage: Stage) -> None:
    gateways = stage.gateways(2)
    store = connect(stage.redis.url)
    async with session() as client:
        url = f"http://{gateways[0].address}"
        streams = [
            asyncio.ensure_future(stream(client, url, ANSWER, number=number)) for number in range(5)
        ]
        # A replica tells every five seconds what it has under way.
        await asyncio.sleep(7)
        held = [sum(one.in_flight.values()) for one in await ReplicaStore(store).all()]
        gateways[0].kill()
        began = asyncio.get_running_loop().time()
        while sum(sum(one.in_flight.values()) for one in await ReplicaStore(store).all()):
            await asyncio.sleep(0.5)
            assert asyncio.get_running_loop().time() - began < 60
        freed = asyncio.get_running_loop().time() - began
        broken = await asyncio.gather(*streams)
    await store.aclose()

    print(f"\nheld {held}, free after {freed:.0f} s")
    assert sorted(held) == [0, 5]
    assert not any(one.whole for one in broken)


async def test_from_one_to_five_and_back_breaks_no_stream(stage: Stage) -> None:
    gateways = stage.gateways(5, DRAIN_SETTLE_SECONDS=SETTLE["haproxy"])
    front = stage.proxy("haproxy", gateways, console=None)
    for gateway in gateways[1:]:
        gateway.end()
    await asyncio.sleep(NOTICE)
    crowd = Crowd(f"http://{front.address}", streams=STREAMS, marker=ANSWER)
    async with session() as client:
        living = asyncio.ensure_future(crowd.run(client))
        await asyncio.sleep(3)
        alone = under_way(gateways[0])
        for gateway in gateways[1:]:
            await asyncio.to_thread(gateway.start, ready="/readyz")
        spread = await taken_notice(gateways)
        for gateway in gateways[1:]:
            gateway.signal(signal.SIGTERM)
        for gateway in gateways[1:]:
            assert await asyncio.to_thread(gateway.wait, 120) == 0, gateway.tail()
        crowd.leave()
        await living

    said = report(f"one with {alone} streams, five with {spread}", crowd)
    print(f"\n{said}")
    assert alone >= STREAMS, said
    assert min(spread) > 0, said
    assert not crowd.broken, said
    assert set(crowd.short) == {200}, said


async def test_a_gateway_that_is_not_drained_is_found(stage: Stage) -> None:
    """The planted fault: SIGKILL in place of SIGTERM."""
    gateways = stage.gateways(2)
    front = stage.proxy("haproxy", gateways, console=None)
    await asyncio.sleep(NOTICE)
    crowd = Crowd(f"http://{front.address}", streams=20, marker=ANSWER)
    async with session() as client:
        living = asyncio.ensure_future(crowd.run(client))
        await asyncio.sleep(3)
        gateways[0].kill()
        crowd.leave()
        await living

    assert crowd.broken
