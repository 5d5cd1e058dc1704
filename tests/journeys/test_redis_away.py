"""Redis goes away under a serving gateway: what clients are told, how soon, and what is counted."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.gateways import PATIENCE_SECONDS, Stage, stage
from support.redis_clients import patient
from support.redis_proxy import RedisProxy, redis_proxy
from support.redis_server import RedisServer

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.counters import UsageStore, day_of
from codex_proapi.gateway.limits.limit_charge import STREAM_SECONDS

SOON = 30.0
"""Seconds the first requests may take that meet a silent Redis, on a busy machine: they wait a
second and find out for all others."""
AT_ONCE = 0.8
"""Seconds any other may take: less than anybody waits for Redis."""
CROWDS = 20
"""How many crowds may find the machine too busy to be served at once."""


@pytest.fixture
def server() -> Any:
    with RedisServer() as made:
        yield made


@contextlib.asynccontextmanager
async def frozen(server: RedisServer) -> AsyncIterator[None]:
    """Redis answers nothing in this block."""
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


async def chats(play: Stage, count: int, **fields: Any) -> tuple[list[httpx.Response], float]:
    """So many at once; the answers, and the longest time."""

    async def one() -> tuple[httpx.Response, float]:
        begun = time.monotonic()
        return await play.chat(**fields), time.monotonic() - begun

    found = await asyncio.gather(*(one() for _ in range(count)))
    return [answer for answer, _ in found], max(seconds for _, seconds in found)


async def quickest(play: Stage, count: int, **fields: Any) -> tuple[list[httpx.Response], float]:
    """Crowds until one is served at once; the answers of all, and the longest time in that one.

    Where somebody waits for Redis every crowd is slow, on a busy machine some are, the large ones first.
    """
    found: list[httpx.Response] = []
    slowest = AT_ONCE
    for crowd in range(CROWDS):
        answers, slowest = await chats(play, max(1, count >> crowd), **fields)
        found += answers
        if slowest < AT_ONCE:
            break
    return found, slowest


async def served(play: Stage, count: int) -> list[httpx.Response]:
    """The answers of the first crowd that is served throughout; a busy machine's Redis stumbles."""
    answers: list[httpx.Response] = []
    for _ in range(CROWDS):
        answers, _ = await chats(play, count)
        if codes(answers) == {200}:
            break
    return answers


def codes(answers: list[httpx.Response]) -> set[Any]:
    return {a.json()["error"]["code"] if a.status_code != 200 else 200 for a in answers}


async def back(play: Stage) -> float:
    """Seconds until the gateway is ready again, by itself."""
    begun = time.monotonic()
    while (await play.client.get("/readyz")).status_code != 200:
        assert time.monotonic() - begun < PATIENCE_SECONDS
        await asyncio.sleep(0.02)
    return time.monotonic() - begun


async def figure(play: Stage, name: str) -> float:
    lines = (await play.client.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def counted(play: Stage, kind: Any = "model") -> int:
    """Exchanges that went well, also if midnight was among them."""
    days = sorted({day_of(record.at) for record in await play.records()})
    found = await UsageStore(play.redis).read(kind, days)
    return sum(each.requests - each.errors for day in found.values() for each in day.values())


async def test_a_silent_redis_costs_the_first_requests_a_second_and_the_others_nothing(
    server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(server.url, "ada", "ben") as play:
        await play.chat()
        async with frozen(server):
            first, slowest = await chats(play, 30)
            after, then = await quickest(play, 30)
            assert (await play.client.get("/readyz")).status_code == 503
        seconds = await back(play)
        again = await served(play, 5)

        assert codes(first) == codes(after) == {"store_unavailable"}
        assert {answer.headers["retry-after"] for answer in first + after} == {"2"}
        assert (slowest < SOON, then < AT_ONCE) == (True, True), (slowest, then)
        assert codes(again) == {200}
        assert seconds < SOON
        said = capsys.readouterr().out
        assert said.count("redis.lost") == said.count("redis.returned") < 4, "not for each request"


async def test_in_grace_those_who_are_known_are_served_and_counted_later(
    server: RedisServer,
) -> None:
    names = ("ada", "ben", "cleo")
    asked = {"api_key_policy": KeyPolicy.REQUIRED, "redis_grace_seconds": 60.0}
    async with stage(server.url, *names, **asked) as play:
        free, limited, unseen = [
            (await play.make_key(limits=limits))[1]
            for limits in (Limits(), Limits(rpm=99), Limits())
        ]
        bearers = [{"authorization": f"Bearer {secret}"} for secret in (free, limited, unseen)]
        for known in bearers[:2]:
            assert (await play.chat(headers=known)).status_code == 200
        begun = {name: play.asked(name) for name in names}
        async with frozen(server):
            first, slowest = await chats(play, 12, headers=bearers[0])
            after, then = await quickest(play, 12, headers=bearers[0])
            refused = [await play.chat(headers=unknown) for unknown in bearers[1:]]
            assert (await play.client.get("/readyz")).status_code == 200
            assert (await play.client.get("/v1/models", headers=bearers[0])).status_code == 200
            turns = {name: play.asked(name) - begun[name] for name in names}
        await back(play)
        served = len(first) + len(after)
        await play.records(served + 3)

        assert codes(first) == codes(after) == {200}
        assert (slowest < SOON, then < AT_ONCE) == (True, True), (slowest, then)
        assert codes(refused) == {"store_unavailable"}
        assert sum(turns.values()) == served
        assert max(turns.values()) - min(turns.values()) <= 1
        assert await figure(play, "gateway_graced_total") == served
        assert await counted(play) == served + 2


async def test_openly_anybody_who_might_come_in_before_may_in_grace(server: RedisServer) -> None:
    async with stage(server.url, "ada", redis_grace_seconds=60.0) as play:
        await play.chat(headers={"authorization": "Bearer none-of-ours"})
        async with frozen(server):
            answers, _ = await chats(play, 3, headers={"authorization": "Bearer any-key"})

        assert codes(answers) == {200}


async def test_a_grace_ends(server: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    async with stage(server.url, "ada", redis_grace_seconds=60.0) as play:
        gate = play.replicas[0].gateway.stores.redis.breaker
        await play.chat()
        async with frozen(server):
            within, _ = await chats(play, 3)
            assert codes(within) == {200}
            gate.now = lambda: time.monotonic() + 60.0
            beyond, then = await quickest(play, 3)
            assert (await play.client.get("/readyz")).status_code == 503
            await play.until(lambda: "grace.ended" in capsys.readouterr().out)

        assert codes(beyond) == {"store_unavailable"}
        assert then < AT_ONCE


async def test_in_grace_no_token_is_refreshed_and_one_that_still_works_is_used(
    server: RedisServer,
) -> None:
    async with stage(server.url, redis_grace_seconds=60.0) as play:
        # It is to be renewed, and the authorization server is not there for that.
        play.sim.script("bad_gateway", on="token", times=None)
        [ada] = await play.log_in("ada", expires_in=250, age=3600)
        await play.chat()
        await play.redis.set(keyspace.refresh_pause(ada), 1, ex=3600)
        refresher = play.replicas[0].gateway.upstream.refresher
        await play.until(lambda: not refresher._flights)
        calls = len(play.sim.token_calls)
        assert calls > 0
        async with frozen(server):
            answers, _ = await chats(play, 3)

        assert codes(answers) == {200}
        assert len(play.sim.token_calls) == calls


async def test_after_a_frozen_redis_a_key_may_at_once_have_as_many_streams_as_before(
    server: RedisServer,
) -> None:
    async with stage(server.url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        _, secret = await play.make_key(limits=Limits(concurrent=1))
        headers = {"authorization": f"Bearer {secret}"}
        assert (await play.chat(headers=headers)).status_code == 200
        async with frozen(server):
            answers, _ = await chats(play, 3, headers=headers)
            assert codes(answers) == {"store_unavailable"}

        begun = time.monotonic()
        while (await play.chat(headers=headers)).status_code != 200:
            assert time.monotonic() - begun < STREAM_SECONDS - 10
            await asyncio.sleep(0.1)


async def test_a_slow_redis_makes_requests_slow_and_breaks_none(server: RedisServer) -> None:
    async with redis_proxy(str(server.socket)) as way, stage(way.url, "ada") as play:
        await play.chat()
        way.delay = 0.2
        answers, slowest = await chats(play, 10)
        way.delay = 0.0

        assert codes(answers) == {200}
        assert slowest < SOON
        await play.records(11)


async def test_a_reply_that_breaks_off_is_asked_for_again_or_told_and_then_forgotten(
    server: RedisServer,
) -> None:
    async with redis_proxy(str(server.socket)) as way, stage(way.url, "ada", "ben") as play:
        await play.chat()
        way.breaks = True
        broken, slowest = await chats(play, 10)
        way.breaks = False
        await back(play)
        again, _ = await chats(play, 10)

        assert codes(broken) <= {200, "store_unavailable"}
        assert slowest < SOON
        assert codes(again) == {200}
        await play.records(11)


async def test_after_a_flush_nothing_is_left_and_that_is_what_is_said(server: RedisServer) -> None:
    async with stage(patient(server.url), "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        _, secret = await play.make_key()
        headers = {"authorization": f"Bearer {secret}"}
        assert (await play.chat(headers=headers)).status_code == 200

        server.flush()

        gone = await play.chat(headers=headers)
        assert (gone.status_code, gone.json()["error"]["code"]) == (401, "invalid_api_key")
        _, secret = await play.make_key()
        headers = {"authorization": f"Bearer {secret}"}
        empty = await play.chat(headers=headers)
        assert (empty.status_code, empty.json()["error"]["code"]) == (503, "no_accounts")
        await play.log_in("ada")
        assert (await play.chat(headers=headers)).status_code == 200


async def test_a_primary_that_becomes_a_replica_admits_nobody_until_there_is_one_again(
    server: RedisServer,
) -> None:
    async with stage(server.url, "ada") as play:
        await play.chat()
        await play.redis.replicaof("127.0.0.1", "9")
        refused, _ = await chats(play, 3)
        await play.redis.replicaof("NO", "ONE")
        await back(play)
        again, _ = await chats(play, 3)

        assert (codes(refused), codes(again)) == ({"store_unavailable"}, {200})
        await play.records(4)


async def test_what_another_server_never_saw_is_read_anew_when_redis_returns(
    server: RedisServer,
) -> None:
    """A key taken back after a failover that lost a write: the version counts up to the old one."""
    async with stage(server.url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        key, secret = await play.make_key()
        headers = {"authorization": f"Bearer {secret}"}
        before = await play.keys.version()
        await play.make_key()
        assert (await play.chat(headers=headers)).status_code == 200
        async with frozen(server):
            assert codes((await chats(play, 1, headers=headers))[0]) == {"store_unavailable"}
        await play.redis.set("{codex-proapi}:keys-version", before)
        await play.keys.revoke(key.id)
        await back(play)

        assert (await play.chat(headers=headers)).status_code == 401


def test_the_way_has_an_address() -> None:
    assert RedisProxy("/nowhere").url == "redis://127.0.0.1:0/0"
