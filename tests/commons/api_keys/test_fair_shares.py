"""Shares of a scarce pool, through the scripts that keep them."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.fair_shares import (
    ACTIVE_SECONDS,
    AHEAD,
    PATIENCE_SECONDS,
    FairShare,
    cost_of,
)
from codex_proapi.commons.api_keys.limits import Limit, Limits
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.limits.limit_charge import charge_for
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest


class Pool:
    """A pool that is scarce."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.snapshots = SnapshotReader(redis)
        self.usage = SettlementWriter(redis)
        self.numbers: Iterator[int] = itertools.count()

    async def ask(self, key: str, *, tokens: int = 0, weight: float = 1.0, draw: Any = None) -> Any:
        request = f"req_{next(self.numbers)}"
        share = FairShare(key_id=key, weight=weight, request_id=request, tokens=tokens)
        await self.snapshots.read(
            SnapshotRequest(account_ids=["a"], model="m", charge=draw, fair_share=share)
        )
        return share

    async def spend(self, key: str, cost: int, *, weight: float = 1.0) -> None:
        """Ask, and settle an answer that cost so much."""
        share = await self.ask(key, tokens=1000, weight=weight)
        assert share.charged, share
        await self.settle(share, Tokens(input=cost + 500, cached=500))

    async def settle(self, share: FairShare, tokens: Tokens) -> None:
        record = ExchangeRecord(
            request_id=share.request_id,
            at=time.time(),
            endpoint="chat",
            key_id=share.key_id,
            tokens=tokens,
            fair_share_charge=share.charge,
            fair_share_weight=share.weight,
            ending=Ending.WHOLE,
        )
        await self.usage.add([record])

    async def had(self, key: str) -> float:
        found: Any = await self.redis.hget(keyspace.fair_shares(), key)
        return float(found.split()[0])

    async def fall_silent(self, key: str, seconds: float) -> None:
        found: Any = await self.redis.hget(keyspace.fair_shares(), key)
        spent, last, request = found.split()
        field = f"{spent} {float(last) - seconds} {request}"
        await self.redis.hset(keyspace.fair_shares(), key, field)

    async def refused_before(self, key: str, seconds: float) -> None:
        """A key's first refusal was so much earlier."""
        found: Any = await self.redis.hget(keyspace.fair_shares(), key)
        spent, last, since = found.split()
        field = f"{spent} {last} -{float(since[1:]) - seconds:.3f}"
        await self.redis.hset(keyspace.fair_shares(), key, field)


@pytest.fixture
def pool(redis_client: Redis) -> Pool:
    return Pool(redis_client)


async def test_a_key_alone_has_all_that_is_left(pool: Pool) -> None:
    for _ in range(5):
        await pool.spend("greedy", AHEAD)

    assert await pool.had("greedy") == 5 * AHEAD


async def test_a_key_that_is_too_far_ahead_waits_for_the_others(pool: Pool) -> None:
    await pool.spend("calm", 10)
    await pool.spend("greedy", AHEAD)
    await pool.spend("greedy", 1000)

    refused = await pool.ask("greedy")

    assert PATIENCE_SECONDS - 5 < refused.wait <= PATIENCE_SECONDS
    assert not refused.charged
    assert (await pool.ask("calm")).charged


async def test_it_goes_on_when_the_others_have_caught_up(pool: Pool) -> None:
    await pool.spend("calm", 10)
    await pool.spend("greedy", AHEAD + 1000)
    assert (await pool.ask("greedy")).wait

    await pool.spend("calm", 2000)

    assert (await pool.ask("greedy")).charged


async def test_it_goes_on_when_the_others_have_fallen_silent(pool: Pool) -> None:
    await pool.spend("calm", 10)
    await pool.spend("greedy", AHEAD + 1000)
    await pool.fall_silent("calm", ACTIVE_SECONDS - 20)
    assert 15 < (await pool.ask("greedy")).wait <= 20

    await pool.fall_silent("calm", 21)

    assert (await pool.ask("greedy")).charged


async def test_one_that_needs_little_does_not_hold_up_for_ever_one_that_needs_more(
    pool: Pool,
) -> None:
    await pool.spend("calm", 10)
    await pool.spend("greedy", 3 * AHEAD)
    assert (await pool.ask("greedy")).wait
    await pool.refused_before("greedy", 20)
    # The moment of the refusal is kept in milliseconds.
    assert PATIENCE_SECONDS - 25 < (await pool.ask("greedy")).wait <= PATIENCE_SECONDS - 19.99

    await pool.refused_before("greedy", PATIENCE_SECONDS - 20)
    await pool.spend("calm", 10)
    assert (await pool.ask("greedy")).charged

    assert await pool.had("greedy") == await pool.had("calm")
    await pool.spend("greedy", AHEAD + 1)
    assert (await pool.ask("greedy")).wait > PATIENCE_SECONDS - 5


async def test_who_comes_new_or_comes_back_begins_where_the_one_with_least_stands(
    pool: Pool,
) -> None:
    await pool.spend("first", 20_000)
    await pool.spend("second", 0)
    assert await pool.had("second") == 20_000

    await pool.fall_silent("first", ACTIVE_SECONDS + 1)
    await pool.spend("second", 15_000)
    await pool.spend("first", 100)

    assert await pool.had("first") == 35_100


async def test_a_key_of_twice_the_weight_may_have_twice_as_much(pool: Pool) -> None:
    await pool.spend("light", 0)
    await pool.spend("heavy", 2 * AHEAD, weight=2.0)
    assert (await pool.ask("heavy", weight=2.0)).charged

    await pool.spend("heavy", 1000, weight=2.0)

    assert (await pool.ask("heavy", weight=2.0)).wait


async def test_a_part_of_a_request_is_charged_on_the_way_in_and_put_right_once(pool: Pool) -> None:
    share = await pool.ask("a", tokens=50_000)
    assert await pool.had("a") == share.charge == 5000

    for _ in range(2):
        await pool.settle(share, Tokens(input=10_000, cached=9000, output=200))

    assert await pool.had("a") == 1200


async def test_a_survey_that_is_repeated_charges_once(pool: Pool) -> None:
    share = FairShare(key_id="a", weight=1.0, request_id="req_x", tokens=1000)

    for _ in range(2):
        await pool.snapshots.read(SnapshotRequest(account_ids=["a"], model="m", fair_share=share))

    assert await pool.had("a") == 100


async def test_who_is_refused_a_share_draws_nothing_and_who_is_refused_a_draw_is_not_charged(
    pool: Pool,
) -> None:
    def draw(number: int) -> Any:
        limits = Limits(rpm=1)
        return charge_for("greedy", limits, request_id=f"d_{number}", version=0, tokens=0)

    await pool.spend("calm", 0)
    await pool.spend("greedy", AHEAD + 1000)
    first = draw(1)
    assert (await pool.ask("greedy", draw=first)).wait
    assert (first.allowance, first.drawn_at) == (None, 0)
    await pool.spend("calm", 5000)
    assert (await pool.ask("greedy", draw=first)).charged
    had = await pool.had("greedy")

    second = draw(2)
    refused = await pool.ask("greedy", draw=second, tokens=90_000)

    assert second.allowance.refused is Limit.RPM
    assert (refused.checked, await pool.had("greedy")) == (False, had)


def test_what_the_cache_gave_costs_nothing() -> None:
    assert cost_of(Tokens(input=1000, cached=900, output=50, reasoning=20)) == 150
