"""Limits of keys in the one look before upstream: exact across replicas, corrected, self-healing."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from support.redis_clients import connect_patiently

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.budgets import Spent
from codex_proapi.commons.api_keys.limits import Limit, Limits
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.commons.usage.counters import day_of
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.limits.limit_charge import Allowance, LimitCharge, charge_for
from codex_proapi.gateway.pool.state.snapshot import PoolSnapshot, SnapshotReader, SnapshotRequest


class Pool:
    """Replicas with connections of their own, and one key between them."""

    def __init__(self, redis: Redis, others: list[Redis]) -> None:
        self.redis = redis
        self.surveyors = [SnapshotReader(each) for each in (redis, *others)]
        self.usage = SettlementWriter(redis)
        self.asked = 0

    def charge(self, tokens: int = 0, *, version: int = 0, **limits: int) -> LimitCharge:
        self.asked += 1
        charge = charge_for(
            "key_1",
            Limits(**limits),
            request_id=f"req_{self.asked}",
            version=version,
            tokens=tokens,
        )
        assert charge is not None
        return charge

    async def ask(self, charge: LimitCharge) -> PoolSnapshot:
        snapshots = self.surveyors[self.asked % len(self.surveyors)]
        return await snapshots.read(
            SnapshotRequest(account_ids=["acc_1"], model="m", charge=charge)
        )

    async def allowed(self, charge: LimitCharge) -> Allowance:
        found = (await self.ask(charge)).allowance
        assert found is not None
        return found

    async def storm(self, count: int, tokens: int = 0, **limits: int) -> Counter[Limit]:
        """So many at once, over all replicas: how many met which limit."""
        draws = [self.charge(tokens, **limits) for _ in range(count)]
        asked = [
            self.surveyors[number % len(self.surveyors)].read(
                SnapshotRequest(account_ids=["acc_1"], model="m", charge=charge)
            )
            for number, charge in enumerate(draws)
        ]
        surveys = await asyncio.gather(*asked)
        return Counter(each.allowance.refused for each in surveys if each.allowance)

    async def settle(self, charge: LimitCharge, **tokens: int) -> None:
        record = ExchangeRecord(
            request_id=charge.request_id,
            at=time.time(),
            endpoint="chat",
            key_id=charge.key_id,
            tokens=Tokens(**tokens),
            drawn_at=charge.drawn_at,
            drawn_tokens=charge.tokens,
            ending=Ending.WHOLE,
        )
        await self.usage.add([record])

    async def settle_in(self, calendar: Calendar, **tokens: int) -> None:
        """Settle an exchange of now while the team has this calendar."""
        self.usage.calendar = calendar
        await self.settle(self.charge(rpm=9), **tokens)

    async def spend(self, days_ago: int, **counts: int) -> None:
        day = day_of(time.time() - days_ago * keyspace.DAY)
        counters: Any = counts
        await self.redis.hset(keyspace.usage(day, "key", "key_1"), mapping=counters)

    async def age(self, name: str, seconds: float) -> None:
        """Make what a sorted set holds older."""
        held: Any = await self.redis.zrange(name, 0, -1, withscores=True)
        for member, score in held:
            await self.redis.zadd(name, {member: score - seconds})

    async def age_tokens(self, seconds: int, *, lasts: int) -> None:
        """Make the seconds older under which tokens are kept, and the times they were drawn last."""
        name = keyspace.minute_tokens("key_1")
        kept: Any = await self.redis.hgetall(name)
        for field, value in kept.items():
            await self.redis.hdel(name, field)
            second, last, _ = field.partition("+")
            aged = float(value) - lasts if last else value
            await self.redis.hset(name, f"{int(second) - seconds}{last}", aged)

    async def first_request(self) -> float:
        """When the oldest request of the minute was drawn."""
        held: Any = await self.redis.zrange(
            keyspace.minute_requests("key_1"), 0, 0, withscores=True
        )
        return float(held[0][1])

    async def first_tokens(self) -> float:
        """When tokens were drawn last in the oldest second that is kept."""
        kept: Any = await self.redis.hgetall(keyspace.minute_tokens("key_1"))
        second = min(int(field.rstrip("+")) for field in kept)
        return float(kept[f"{second}+"])

    async def refused_until(self, moment: float, charge: LimitCharge) -> Allowance:
        """What is said to a draw, with a wait that ends at this moment of Redis' clock."""
        before = await self.now()
        found = await self.allowed(charge)
        after = await self.now()
        assert moment - after <= found.wait <= moment - before + 0.001, "told in whole milliseconds"
        return found

    async def now(self) -> float:
        seconds, micros = await self.redis.time()
        return float(seconds + micros / 1e6)


@pytest.fixture
async def pool(redis_url: str) -> AsyncIterator[Any]:
    clients = [connect_patiently(redis_url) for _ in range(5)]
    yield Pool(clients[0], clients[1:])
    for client in clients:
        await client.aclose()


def test_a_key_without_limits_draws_nothing() -> None:
    assert charge_for("key_1", Limits(), request_id="req_1", version=0, tokens=5) is None


async def test_of_many_at_once_over_five_replicas_exactly_the_limit_passes(pool: Any) -> None:
    assert await pool.storm(200, rpm=37) == {Limit.NONE: 37, Limit.RPM: 163}
    assert await pool.storm(50, rpm=37) == {Limit.RPM: 50}
    assert await pool.redis.get(keyspace.cursor()) == "37", "who is refused takes no turn"


async def test_requests_come_free_as_they_grow_a_minute_old(pool: Any) -> None:
    await pool.storm(3, rpm=3)
    await pool.age(keyspace.minute_requests("key_1"), 30)

    free_at = await pool.first_request() + 60
    refused = await pool.refused_until(free_at, pool.charge(rpm=3))
    assert refused.refused is Limit.RPM

    await pool.age(keyspace.minute_requests("key_1"), 30)
    allowed = await pool.allowed(pool.charge(rpm=3))
    assert (allowed.refused, allowed.requests_left, allowed.requests_reset) == (Limit.NONE, 2, 60)


async def test_a_survey_that_is_repeated_draws_once(pool: Any) -> None:
    charge = pool.charge(10, rpm=2, tpm=100)

    for _ in range(5):
        allowed = await pool.allowed(charge)

    assert (allowed.refused, allowed.requests_left, allowed.tokens_left) == (Limit.NONE, 1, 90)


async def test_tokens_of_a_minute_pass_exactly_by_their_estimate(pool: Any) -> None:
    assert await pool.storm(100, 30, tpm=1000) == {Limit.NONE: 33, Limit.TPM: 67}
    free_at = await pool.first_tokens() + 60
    refused = await pool.refused_until(free_at, pool.charge(11, tpm=1000))
    assert (refused.refused, refused.tokens_left) == (Limit.TPM, 10)
    assert (await pool.allowed(pool.charge(10, tpm=1000))).tokens_left == 0


async def test_the_real_usage_takes_the_estimates_place_once(pool: Any) -> None:
    first, second = pool.charge(600, tpm=1000), pool.charge(100, tpm=1000)
    await pool.allowed(first)
    await pool.allowed(second)

    for _ in range(3):
        await pool.settle(first, input=50, output=30)
    await pool.settle(second, input=100, output=220)

    assert (await pool.allowed(pool.charge(0, tpm=1000))).tokens_left == 1000 - 80 - 320


async def test_what_a_long_answer_used_beyond_its_estimate_counts_when_it_ends(pool: Any) -> None:
    key, _ = await KeyStore(pool.redis, CredentialCipher(("x" * 43 + "=",))).create(
        "mine", limits=Limits(tpm=1000)
    )
    charge = charge_for(key.id, key.limits, request_id="req_long", version=1, tokens=100)
    assert charge is not None
    assert (await pool.allowed(charge)).refused is Limit.NONE
    charge.drawn_at -= 90

    await pool.settle(charge, input=100, output=500)

    after = charge_for(key.id, key.limits, request_id="req_after", version=1, tokens=0)
    assert after is not None
    assert (await pool.allowed(after)).tokens_left == 1000 - 100 - 500


async def test_tokens_come_free_as_they_grow_a_minute_old(pool: Any) -> None:
    await pool.allowed(pool.charge(800, tpm=1000))
    await pool.age_tokens(61, lasts=30)

    free_at = await pool.first_tokens() + 60
    refused = await pool.refused_until(free_at, pool.charge(300, tpm=1000))
    assert refused.refused is Limit.TPM, "not a moment before the last of them is a minute old"

    await pool.age_tokens(0, lasts=30)
    assert (await pool.allowed(pool.charge(300, tpm=1000))).tokens_left == 700


async def test_more_than_a_whole_minutes_tokens_pass_alone(pool: Any) -> None:
    assert (await pool.allowed(pool.charge(50_000, tpm=1000))).tokens_left == 0
    assert (await pool.allowed(pool.charge(1, tpm=1000))).refused is Limit.TPM


async def test_streams_at_the_same_time_are_exactly_the_limit_and_come_free_with_settlement(
    pool: Any,
) -> None:
    first = pool.charge(concurrent=4)
    await pool.allowed(first)
    assert await pool.storm(60, concurrent=4) == {Limit.NONE: 3, Limit.CONCURRENT: 57}

    await pool.settle(first, input=1)

    assert await pool.storm(20, concurrent=4) == {Limit.NONE: 1, Limit.CONCURRENT: 19}


async def test_a_dead_replicas_places_are_free_again_within_a_minute(pool: Any) -> None:
    assert await pool.storm(2, concurrent=2) == {Limit.NONE: 2}
    name = keyspace.streams("key_1")
    ends = [score for _, score in await pool.redis.zrange(name, 0, -1, withscores=True)]
    assert all(30 < end - time.time() <= 60 for end in ends)

    await pool.age(name, 46)

    assert await pool.storm(5, concurrent=2) == {Limit.NONE: 2, Limit.CONCURRENT: 3}


@pytest.mark.parametrize(
    ("limit", "days"), [("tokens_day", 1), ("tokens_week", 7), ("tokens_month", -1)]
)
async def test_a_spent_budget_refuses_and_tells_when_it_ends(
    pool: Any, limit: str, days: int
) -> None:
    await pool.spend(0, input=600, output=399)
    assert (await pool.allowed(pool.charge(**{limit: 1000}))).refused is Limit.NONE
    await pool.redis.delete(keyspace.streams("key_1"))
    await pool.spend(0, input=600, output=400)

    refused = await pool.allowed(pool.charge(**{limit: 1000}))

    assert (refused.refused, refused.wait, refused.days) == (Limit(limit), 0, days)


async def test_a_week_is_the_last_seven_days_and_has_something_left_when_the_oldest_leave(
    pool: Any,
) -> None:
    await pool.spend(7, input=5000)
    await pool.spend(6, input=300)
    await pool.spend(4, output=500)
    await pool.spend(0, input=100)
    assert (await pool.allowed(pool.charge(tokens_week=1000))).refused is Limit.NONE
    refused = await pool.allowed(pool.charge(tokens_week=550))
    assert (refused.refused, refused.days) == (Limit.WEEK, 3)


async def test_what_is_under_way_holds_the_rest_of_a_budget(pool: Any) -> None:
    await pool.spend(0, input=900)
    assert await pool.storm(30, 60, tokens_day=1000) == {Limit.NONE: 2, Limit.PENDING: 28}


async def test_nothing_is_drawn_while_the_limits_may_be_others(pool: Any) -> None:
    await pool.redis.set(keyspace.keys_version(), 8)
    charge = pool.charge(version=7, rpm=1)

    survey = await pool.ask(charge)
    assert (survey.allowance, survey.keys_version, charge.drawn_at) == (None, 8, 0)

    charge.version = 8
    assert (await pool.allowed(charge)).refused is Limit.NONE


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
async def test_a_day_is_one_of_the_teams_zone(pool: Any, zone: str) -> None:
    """In these two zones it is never the same day, so that of one of them is not UTC's."""
    calendar = Calendar(zone)
    await pool.settle_in(calendar, input=600)
    charge = pool.charge(tokens_day=600)
    charge.calendar = calendar

    refused = await pool.allowed(charge)

    assert (refused.refused, refused.spent.day) == (Limit.DAY, 600)


@pytest.mark.parametrize("skew", [-300, 300])
async def test_a_replica_in_another_day_than_redis_draws_nothing_before_it_knows(
    pool: Any, skew: int
) -> None:
    seconds, _ = await pool.redis.time()
    midnight = UTC.midnight_after(seconds, 0 if skew < 0 else 1)
    await pool.spend(0, input=1000)
    reader, charge = SnapshotReader(pool.redis), pool.charge(tokens_day=1000)

    def asked_at(at: float) -> SnapshotRequest:
        return SnapshotRequest(account_ids=["acc_1"], model="m", charge=charge, at=at)

    survey = await reader.read(asked_at(midnight + skew / 1000))
    assert (survey.allowance, charge.drawn_at) == (None, 0)

    told = (await reader.read(asked_at(survey.now))).allowance
    assert told is not None
    assert told.refused is Limit.DAY


async def test_a_key_without_limits_touches_nothing(pool: Any) -> None:
    await pool.surveyors[0].read(SnapshotRequest(account_ids=["acc_1"], model="m"))
    assert await pool.redis.keys("*") == [keyspace.cursor()]


async def test_a_draw_is_told_what_is_spent_of_each_budget_without_another_look(pool: Any) -> None:
    await pool.spend(0, input=100, output=20)
    await pool.spend(3, output=300)
    week = await pool.allowed(pool.charge(tokens_week=1000))
    day = await pool.allowed(pool.charge(tokens_day=1000, rpm=5))
    every = await pool.allowed(pool.charge(tokens_day=999, tokens_week=999, tokens_month=10**9))

    assert (week.spent, day.spent) == (Spent(week=420), Spent(day=120))
    assert (every.spent.day, every.spent.week) == (120, 420)
    assert every.spent.month >= 120
    assert abs(every.at - time.time()) < 60


async def test_a_draw_that_is_refused_or_repeated_is_told_it_too(pool: Any) -> None:
    await pool.spend(6, input=700)
    await pool.spend(0, input=500)
    refused = await pool.allowed(pool.charge(tokens_week=1000))
    assert (refused.refused, refused.spent) == (Limit.WEEK, Spent(week=1200, week_midnights=1))

    charge = pool.charge(rpm=1, tokens_day=9999)
    first, again = await pool.allowed(charge), await pool.allowed(charge)
    assert (first.spent, again.spent) == (Spent(day=500), Spent(day=500))
    other = await pool.allowed(pool.charge(rpm=1, tokens_day=9999))
    assert (other.refused, other.spent) == (Limit.RPM, Spent(day=500))
    assert (await pool.allowed(pool.charge(rpm=9))).spent == Spent()
