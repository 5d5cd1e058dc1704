"""Zero broken streams: gateways replaced one by one, killed, and scaled behind real proxies."""

import asyncio
import json
import pathlib
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from bench.marker import Marker
from deploy.live.clients import Crowd, crowded, session, stream
from deploy.live.stage import SETTLE, Process, Stage

from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect

STREAMS = 200
ANSWER = Marker(deltas=50, gap_ms=200, per_write=1)
"""Ten seconds of words."""
LONG_ANSWER = Marker(deltas=3000, gap_ms=200, per_write=1)
MOST = STREAMS * 9 // 10
"""Streams that are under way at any moment: some clients are between two."""
PATIENCE = 300
"""Seconds until what must come has come, on a busy machine."""


@pytest.fixture
def stage(tmp_path: pathlib.Path) -> Iterator[Stage]:
    with Stage(tmp_path) as made:
        yield made


def figure(gateway: Process, name: str) -> int:
    """The sum of a figure's series, by the gateway's own page."""
    found = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)", gateway.get("/metrics"), re.MULTILINE)
    return sum(int(float(value)) for value in found)


def under_way(gateway: Process) -> int:
    """Streams under way, by its own figures."""
    return figure(gateway, "gateway_exchanges_in_flight")


async def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait for something that has to come; gives it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := await asyncio.to_thread(holds)):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        await asyncio.sleep(0.1)
    return found


async def found_by(front: Process, gateways: Sequence[Process]) -> None:
    """Ask a proxy until it has sent a request to each of the gateways: it knows that they are ready."""

    def all_asked() -> bool:
        return all(figure(each, "gateway_exchanges_total") for each in gateways)

    async with session() as client:
        deadline = time.monotonic() + PATIENCE
        while not await asyncio.to_thread(all_asked):
            await stream(client, front.url, Marker(1, 0, 1))
            assert time.monotonic() < deadline, "the proxy never found them"


async def carried(gateways: Sequence[Process], *, least: int = MOST) -> list[int]:
    """Wait until each has streams under way, and all together so many; what each then has."""

    def enough() -> list[int]:
        found = [under_way(each) for each in gateways]
        return found if min(found) > 0 and sum(found) >= least else []

    found: list[int] = await until(enough, "streams on every gateway")
    return found


async def replace(gateway: Process) -> float:
    """End one gateway as an orchestrator does, and start it again; gives how long the drain took.

    Streams must be coming: it is replaced once the proxy gives it some again. To end the next one
    before that leaves the proxy with none, whatever the gateways do.
    """
    began = time.monotonic()
    gateway.signal(signal.SIGTERM)
    code = await asyncio.to_thread(gateway.wait, PATIENCE)
    drained = time.monotonic() - began
    assert code == 0, gateway.tail()
    await asyncio.to_thread(gateway.start, ready="/readyz")
    await carried([gateway], least=1)
    return drained


def report(what: str, crowd: Crowd) -> str:
    troubles = [one.trouble or f"{one.deltas} of {one.expected}" for one in crowd.broken]
    return (
        f"{what}: {len(crowd.finished)} streams, {len(crowd.broken)} broken; "
        f"{len(crowd.short)} short requests, {len(crowd.failed())} failed "
        f"{sorted(set(troubles + crowd.troubles))[:5]}"
    )


def settled_by(gateway: Process) -> dict[str, Any]:
    """What a gateway has logged of each request that has ended, by its id."""
    lines = gateway.log.read_text(errors="replace").splitlines()
    logged = (json.loads(line) for line in lines if line.startswith("{"))
    return {line["request_id"]: line for line in logged if line.get("event") == "exchange.settled"}


def found(crowd: Crowd, gateways: Sequence[Process], stage: Stage) -> str:
    """What is known of the streams that broke, for a failure."""
    told = []
    for one in crowd.broken:
        lines = [
            (g.name, line)
            for g in gateways
            for id_, line in settled_by(g).items()
            if id_ == one.request_id
        ]
        told.append(f"{one}\n    {lines}")
    return "\n" + "\n".join(told) + stage.logs()


@pytest.mark.parametrize("proxy", ["nginx", "haproxy", "caddy", "traefik"])
async def test_a_rolling_restart_breaks_no_stream(stage: Stage, proxy: str) -> None:
    gateways = stage.gateways(2, DRAIN_SETTLE_SECONDS=SETTLE[proxy], LOG_LEVEL="info")
    front = stage.proxy(proxy, gateways, console=None)
    await found_by(front, gateways)
    async with crowded(front.url, streams=STREAMS, marker=ANSWER) as crowd:
        before = await carried(gateways)
        drains = [await replace(gateway) for gateway in gateways]

    said = report(f"{proxy}, in flight {before}, drains {[round(d, 1) for d in drains]} s", crowd)
    print(f"\n{said}")
    assert crowd.short, said
    assert not crowd.broken, said + found(crowd, gateways, stage)
    assert not crowd.failed(), said + found(crowd, gateways, stage)


@pytest.mark.parametrize("proxy", ["haproxy", "traefik"])
async def test_a_killed_gateway_breaks_only_its_own_streams(stage: Stage, proxy: str) -> None:
    gateways = stage.gateways(2, LOG_LEVEL="info")
    doomed, other = gateways
    front = stage.proxy(proxy, gateways, console=None)
    await found_by(front, gateways)
    async with crowded(front.url, streams=STREAMS, marker=ANSWER) as crowd:
        had = (await carried(gateways))[0]
        doomed.kill()
        killed = time.monotonic()
        await asyncio.to_thread(doomed.start, ready="/readyz")
        await carried(gateways)

    await asyncio.to_thread(other.end)  # and with it its log
    said = report(f"killed with {had} streams", crowd)
    print(f"\n{said}")
    whole = {one.request_id for one in crowd.finished if one.unbroken}
    by_other = set(settled_by(other))
    assert whole & by_other, said
    assert crowd.broken, said
    # Whatever broke was under way then, and nothing of it was the other gateway's.
    assert not [one for one in crowd.broken if one.began > killed], said
    assert not {one.request_id for one in crowd.broken} & by_other, said
    assert not crowd.failed(since=killed), said + stage.logs()


async def test_what_a_killed_gateway_held_is_free_once_its_heartbeat_is_over(stage: Stage) -> None:
    gateways = stage.gateways(2)
    store = connect(stage.redis.url)

    async def held() -> list[int]:
        return sorted(sum(one.in_flight.values()) for one in await ReplicaStore(store).all())

    async def until_held(expected: list[int]) -> None:
        deadline = time.monotonic() + PATIENCE
        while (found := await held()) != expected:
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.2)

    async with session() as client:
        url = gateways[0].url
        streams = [
            asyncio.ensure_future(stream(client, url, LONG_ANSWER, number=number))
            for number in range(5)
        ]
        await until_held([0, 5])
        ids = [one.id for one in await ReplicaStore(store).all()]
        gateways[0].kill()
        # Redis forgets the heartbeat by itself, so this is its clock, not how busy the machine is.
        left = [await store.ttl(keyspace.replica("gateway", each)) for each in ids]
        await until_held([0])
        broken = await asyncio.gather(*streams)
    await store.aclose()

    assert left
    assert 0 < max(left) <= keyspace.REPLICA_SECONDS <= 60
    assert not any(one.whole for one in broken)


async def test_from_one_to_five_and_back_breaks_no_stream(stage: Stage) -> None:
    settle = SETTLE["haproxy"]
    gateways = [
        stage.service(f"gateway-{n}", "gateway", DRAIN_SETTLE_SECONDS=settle) for n in range(5)
    ]
    gateways[0].start(ready="/readyz")
    front = stage.proxy("haproxy", gateways, console=None)
    await found_by(front, gateways[:1])
    # A proxy that takes the others for ready has four of five tries fail.
    await until(lambda: len(set(re.findall(r"/(g[1-4]) is DOWN", front.tail()))) == 4, "notice")
    async with crowded(front.url, streams=STREAMS, marker=ANSWER) as crowd:
        [alone] = await carried(gateways[:1])
        for gateway in gateways[1:]:
            await asyncio.to_thread(gateway.start, ready="/readyz")
        spread = await carried(gateways)
        for gateway in gateways[1:]:
            gateway.signal(signal.SIGTERM)
        for gateway in gateways[1:]:
            assert await asyncio.to_thread(gateway.wait, PATIENCE) == 0, gateway.tail()
        await carried(gateways[:1])

    said = report(f"one with {alone} streams, five with {spread}", crowd)
    print(f"\n{said}")
    assert not crowd.broken, said + found(crowd, gateways, stage)
    assert not crowd.failed(), said + found(crowd, gateways, stage)


async def test_a_gateway_that_is_not_drained_is_found(stage: Stage) -> None:
    """The planted fault: SIGKILL in place of SIGTERM."""
    gateways = stage.gateways(2)
    front = stage.proxy("haproxy", gateways, console=None)
    await found_by(front, gateways)
    async with crowded(front.url, streams=20, marker=ANSWER) as crowd:
        await carried(gateways, least=15)
        gateways[0].kill()

    assert crowd.broken
