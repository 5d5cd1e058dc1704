import asyncio
import contextlib
import time
from typing import Any

import pytest
from redis.asyncio import Redis
from support.redis_clients import PATIENCE_SECONDS, connect_patiently
from support.redis_proxy import redis_proxy
from support.redis_server import RedisServer

from codex_proapi.commons.api_keys.limits import Limit, Limits
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection, connect_multiplexed
from codex_proapi.gateway.errors import BudgetSpent, LimitExceeded
from codex_proapi.gateway.formats.openai.errors import error_type
from codex_proapi.gateway.limits.expiring_members import RENEW_SECONDS
from codex_proapi.gateway.limits.limit_charge import Allowance, LimitCharge
from codex_proapi.gateway.limits.stream_permits import MOST_UNCERTAIN, StreamPermits, exhausted
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest

NOW = 1_795_000_000.0
"""2026-11-18, 13:46:40 UTC, a Wednesday."""


def a_draw(request_id: str = "req_1", **limits: int) -> LimitCharge:
    return LimitCharge(
        key_id="key_1", limits=Limits(**limits), request_id=request_id, version=0, tokens=20
    )


def line_to(url: str) -> MultiplexedConnection:
    line = connect_multiplexed(url, timeout=PATIENCE_SECONDS)
    assert line is not None
    return line


def told(allowance: Allowance, **limits: Any) -> Any:
    charge = a_draw(**limits)
    charge.allowance = allowance
    return exhausted(charge, NOW)


def test_what_is_drawn_or_not_asked_yet_is_no_error() -> None:
    assert exhausted(a_draw(rpm=1), NOW) is None
    assert told(Allowance(), rpm=1) is None


@pytest.mark.parametrize(
    ("limit", "limits", "words"),
    [
        (Limit.RPM, {"rpm": 5}, "5 requests per minute. Please try again in 13s."),
        (Limit.TPM, {"tpm": 500}, "500 tokens per minute, 7 left, about 20 asked for."),
        (Limit.CONCURRENT, {"concurrent": 2}, "2 requests at the same time."),
        (Limit.PENDING, {"tokens_day": 9}, "may use up what is left"),
    ],
)
def test_a_short_limit_says_when_to_ask_again(limit: Any, limits: Any, words: Any) -> None:
    error = told(Allowance(refused=limit, wait=12.2, tokens_left=7), **limits)

    assert words in error.message
    assert (error.status, error.code, error.retry_after) == (429, "rate_limit_exceeded", 13)


@pytest.mark.parametrize(("wait", "told_wait"), [(0.0, 1.0), (0.2, 1.0), (61.0, 60.0)])
def test_the_wait_is_at_least_a_second_and_at_most_a_minute(wait: Any, told_wait: Any) -> None:
    error = told(Allowance(refused=Limit.RPM, wait=wait), rpm=5)
    assert isinstance(error, LimitExceeded)
    assert error.retry_after == told_wait


@pytest.mark.parametrize(
    ("limit", "days", "until"),
    [
        (Limit.DAY, 1, "2026-11-19 00:00 UTC"),
        (Limit.WEEK, 3, "2026-11-21 00:00 UTC"),
        (Limit.MONTH, -1, "2026-12-01 00:00 UTC"),
    ],
)
def test_a_spent_budget_is_not_to_be_asked_again_and_says_when_it_ends(
    limit: Any, days: Any, until: Any
) -> None:
    error = told(Allowance(refused=limit, days=days), **{limit.value: 1000})

    assert isinstance(error, BudgetSpent)
    assert until in error.message
    assert f"1000 tokens per {limit.value[7:]}" in error.message
    assert (error.status, error.code, error_type(error)) == (
        429,
        "insufficient_quota",
        "usage_limit_reached",
    )
    assert (error.retry_after, error.should_retry) == (None, False)
    assert error.resets_at == NOW + error.resets_in


class Scene:
    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.now = time.time()
        self.stream_permits = StreamPermits(redis, clock=lambda: self.now)
        self.name = keyspace.streams("key_1")

    async def take(self, request_id: str = "req_1", **limits: int) -> LimitCharge:
        charge = a_draw(request_id, **(limits or {"concurrent": 1}))
        self.stream_permits.hold(charge)
        await SnapshotReader(self.redis).read(
            SnapshotRequest(account_ids=["acc_1"], model="m", charge=charge)
        )
        return charge

    async def ends(self) -> Any:
        return dict(await self.redis.zrange(self.name, 0, -1, withscores=True))


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)


async def test_a_place_is_renewed_until_it_is_given_back(scene: Any) -> None:
    charge = await scene.take()
    scene.now += 1000

    await scene.stream_permits.renew()
    assert await scene.ends() == {charge.permit_id: scene.now + 45}

    assert scene.stream_permits.holds(charge)
    await scene.stream_permits.free(charge)
    await scene.stream_permits.free(charge)
    await scene.stream_permits.renew()
    assert await scene.ends() == {}
    assert not scene.stream_permits.holds(charge)
    assert repr(scene.stream_permits) == "<StreamPermits 0 held, 0 uncertain>"


async def test_a_place_that_is_gone_does_not_come_again(scene: Any) -> None:
    await scene.take()
    await scene.redis.delete(scene.name)

    await scene.stream_permits.renew()

    assert await scene.ends() == {}


async def test_who_was_refused_or_has_no_limit_at_a_time_holds_nothing(scene: Any) -> None:
    await scene.take("req_1")
    refused = await scene.take("req_2")
    await scene.take("req_3", rpm=9)

    await scene.stream_permits.renew()
    assert list(await scene.ends()) == ["req_1 20"]
    await scene.stream_permits.free(refused)
    assert list(await scene.ends()) == ["req_1 20"]
    assert repr(scene.stream_permits) == "<StreamPermits 1 held, 0 uncertain>"


async def test_a_draw_that_was_never_made_is_forgotten(scene: Any) -> None:
    charge = a_draw(concurrent=1)
    scene.stream_permits.hold(charge)
    scene.stream_permits.forget(charge)
    scene.stream_permits.forget(charge)
    assert not scene.stream_permits.holds(charge)


@pytest.mark.parametrize("when", ["renew", "free_uncertain"])
async def test_a_permit_whose_reply_was_lost_is_given_back_later(scene: Any, when: str) -> None:
    charge = await scene.take()
    charge.drawn_at, charge.uncertain = 0, True

    await scene.stream_permits.free(charge)
    assert list(await scene.ends()) == [charge.permit_id]
    await getattr(scene.stream_permits, when)()

    assert await scene.ends() == {}
    assert not scene.stream_permits.holds(charge)


async def test_permits_in_doubt_wait_for_redis_and_are_bounded() -> None:
    client = connect("unix:///nowhere")
    stream_permits = StreamPermits(client, clock=time.time)
    for number in range(MOST_UNCERTAIN + 10):
        charge = a_draw(f"req_{number}", concurrent=1)
        charge.uncertain = True
        stream_permits.hold(charge)
        await stream_permits.free(charge)

    await stream_permits.free_uncertain()

    assert repr(stream_permits) == f"<StreamPermits 0 held, {MOST_UNCERTAIN} uncertain>"


@pytest.mark.parametrize("shared", [True, False])
async def test_a_client_that_leaves_while_its_permit_is_given_holds_none(
    redis_server: RedisServer, scene: Any, shared: bool
) -> None:
    async with (
        redis_proxy(str(redis_server.socket)) as way,
        contextlib.aclosing(connect_patiently(way.url)) as client,
        contextlib.aclosing(line_to(way.url)) as line,
    ):
        charge = a_draw(concurrent=1)
        scene.stream_permits.hold(charge)
        request = SnapshotRequest(account_ids=["acc_1"], model="m", charge=charge)
        reader = SnapshotReader(client, multiplexed=line if shared else None)
        await reader.read(SnapshotRequest(account_ids=[], model="m"))
        way.delay = 0.2
        asked = asyncio.ensure_future(reader.read(request))
        while not await scene.ends():
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert charge.drawn_at
        assert not charge.uncertain
        await scene.stream_permits.free(charge)

    assert await scene.ends() == {}


async def test_renewal_goes_on_while_redis_is_away() -> None:
    client = connect("unix:///nowhere")
    stream_permits = StreamPermits(client, clock=time.time)
    charge = a_draw(concurrent=1)
    charge.drawn_at = 1
    stream_permits.hold(charge)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await stream_permits.run(sleep)

    assert slept == [RENEW_SECONDS] * 3
    await stream_permits.free(charge)
    assert not stream_permits.holds(charge)
    await client.aclose()
