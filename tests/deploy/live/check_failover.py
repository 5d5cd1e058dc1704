"""Gateways serve a crowd while the primary of their Redis dies: Sentinel's failover, and a Cluster's.

Prints how long nobody was admitted and by how much the counters are off; nothing is restarted.
"""

import asyncio
import pathlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
from storm.scenario import Storm, Who, storm
from support.exchanges import a_record
from support.gateways import a_chat
from support.redis_sets import RedisSentinels, RedisShards

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.redis.clients import connect, connect_blocking
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.console.live.log_broadcast import LogBroadcast
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

BOB, DAVE = 2, 60
TEAM = (Who("alice"), Who("bob", Limits(concurrent=BOB)), Who("dave", Limits(rpm=DAVE)))
MOST_UNSEEN = 2
"""Requests of a minute that the heir may not have heard of."""
GATEWAYS = 3
AWAY_SECONDS = 15
"""How long a failover may take: a second to notice, votes, and clients that find the way."""
MOST_LOST = 0.02
"""Part of the answers whose count may die with the primary before its replica had it."""


@dataclass
class Watch:
    """One client with a key of its own, asking without a pause."""

    answers: list[tuple[float, int, float]] = field(default_factory=list)
    """When, what status, after how many seconds."""

    async def keep_asking(self, the: Storm, over: asyncio.Event) -> None:
        """Ask each gateway in turn until it is enough."""
        headers = {"authorization": f"Bearer {the.members['eve'].secret}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            while not over.is_set():
                for port in the.fleet.ports:
                    begun = time.monotonic()
                    url = f"http://127.0.0.1:{port}/v1/chat/completions"
                    async with session.post(url, json=a_chat()) as answer:
                        await answer.read()
                        took = time.monotonic() - begun
                        self.answers.append((begun, answer.status, took))
                await asyncio.sleep(0.02)

    def away(self) -> float:
        """Seconds from the first refusal to the last."""
        refused = [at for at, status, _ in self.answers if status != 200]
        return max(refused) - min(refused) if refused else 0.0


@pytest.mark.parametrize("kind", [RedisSentinels, RedisShards])
@pytest.mark.parametrize("grace", ["0", "30"])
async def test_a_crowd_outlives_the_primary_of_its_redis(
    kind: type[RedisSentinels | RedisShards], grace: str, tmp_path: pathlib.Path
) -> None:
    with kind() as servers:
        set_up = storm(
            tmp_path,
            (*TEAM, Who("eve")),
            accounts=("ada", "ben", "cleo"),
            gateways=GATEWAYS,
            servers=servers,
            REDIS_GRACE_SECONDS=grace,
        )
        async with set_up as the:
            watch, over = Watch(), asyncio.Event()
            watching = asyncio.ensure_future(watch.keep_asking(the, over))
            deeds = (Storm.lose_primary, all_ready)
            seen = await the.rage(deeds, clients=8, calm_seconds=4)
            over.set()
            await watching
            asked = sum(spent.answers for spent in seen.spent.values())
            own = sum(status == 200 for _, status, _ in watch.answers)
            counted = (await the.counted())["model"]
            settled = sum(each.requests - each.errors for each in counted.values())
            slowest = sorted(took for _, _, took in watch.answers)
            limits = the.at_once("bob"), the.most_within("dave", 60.0, lambda _: 1)
            statuses = sorted({status for _, status, _ in watch.answers})
            print(
                f"\n{kind.__name__}, grace {grace}: refused for {watch.away():.1f} s, "
                f"statuses {statuses}, p99 {slowest[len(slowest) * 99 // 100]:.2f} s, "
                f"longest {slowest[-1]:.2f} s; {asked + own} answers, {settled} counted, "
                f"bob {limits[0]} of 2 at once, dave {limits[1]} of 60 a minute"
            )

            assert limits[0] <= BOB
            assert limits[1] <= DAVE + MOST_UNSEEN
            assert set(statuses) <= {200, 503}
            assert watch.away() < AWAY_SECONDS
            assert abs(settled - asked - own) <= MOST_LOST * (asked + own)
            assert await the.statuses("alice") == [200] * GATEWAYS
            assert await the.revoke("alice") < AWAY_SECONDS


async def all_ready(the: Storm) -> None:
    """Wait until every gateway has found the heir, by itself."""
    await asyncio.gather(*map(the.fleet.ready, range(GATEWAYS)))


@pytest.mark.parametrize("kind", [RedisSentinels, RedisShards])
async def test_the_heir_counts_nothing_twice_and_the_live_log_goes_on(
    kind: type[RedisSentinels | RedisShards],
) -> None:
    with kind() as servers:
        client, blocking_redis = connect(servers.url), connect_blocking(servers.url)
        usage, fan = (
            SettlementWriter(client),
            LogBroadcast(LogStream(client, blocking_redis=blocking_redis)),
        )
        reading = asyncio.ensure_future(fan.run())
        records = [a_record(number) for number in range(20)]
        assert await at_last(lambda: usage.add(records)) == 20
        await until(lambda: fan.last_id not in {"", "0-0"})
        before = fan.last_id
        await asyncio.to_thread(servers.wait_for_replica)
        servers.kill(servers.primary)

        again = await at_last(lambda: usage.add([*records, a_record(20)]))

        await until(lambda: fan.last_id != before)
        assert again == 1
        while not reading.done():  # redis-py may lose one that comes with a reply
            reading.cancel()
            await asyncio.wait([reading], timeout=0.5)
        await client.aclose()
        await blocking_redis.aclose()


async def at_last(write: Callable[[], Awaitable[int]]) -> int:
    """Write, as often as it takes; as the ledger does."""
    async with asyncio.timeout(AWAY_SECONDS):
        while True:
            try:
                return await write()
            except StoreUnavailable:
                await asyncio.sleep(0.1)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that has to come."""
    async with asyncio.timeout(AWAY_SECONDS):
        while not holds():
            await asyncio.sleep(0.02)
