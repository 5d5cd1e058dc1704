"""Budgets in money: exact, enforced in the one round trip, at the prices in force."""

import asyncio
import random
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis
from support.redis_clients import connect_patiently

from codex_proapi.commons.api_keys.budgets import Spent, days_counted, spent_in
from codex_proapi.commons.api_keys.limits import Limit, Limits, Unit
from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.price_table import PricedModel, PriceTable, costs_of_days, table_of
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.errors import BudgetSpent
from codex_proapi.gateway.limits.limit_charge import Allowance, LimitCharge, charge_for
from codex_proapi.gateway.limits.stream_permits import exhausted
from codex_proapi.gateway.pool.state.snapshot import SnapshotReader, SnapshotRequest

DOLLAR = 10**6
"""Of millionths."""
SOL = Price(input=Decimal(2), cached=Decimal("0.1"), cache_write=Decimal("2.5"), output=Decimal(10))
TABLE = table_of({"sol": SOL})
EVERY = Limits(
    micro_usd_day=10**9 * DOLLAR, micro_usd_week=10**9 * DOLLAR, micro_usd_month=10**9 * DOLLAR
)


class Pool:
    """One key with budgets in money, and what it has used."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.snapshots = SnapshotReader(redis)
        self.usage = SettlementWriter(redis)
        self.asked = 0

    def charge(self, limits: Limits, table: PriceTable = TABLE, **more: Any) -> LimitCharge:
        self.asked += 1
        provided: dict[str, Any] = {"tokens": 0, "model": "sol", **more}
        charge = charge_for(
            "key_1",
            limits,
            request_id=f"req_{self.asked}",
            version=0,
            tokens=provided["tokens"],
            priced=PricedModel(
                table=table, model=provided["model"], output=provided.get("output", 0)
            )
            if limits.priced
            else None,
        )
        assert charge is not None
        return charge

    async def allowed(self, charge: LimitCharge) -> Allowance:
        request = SnapshotRequest(account_ids=["acc_1"], model="m", charge=charge)
        found = (await self.snapshots.read(request)).allowance
        assert found is not None
        return found

    async def ask(self, limits: Limits, table: PriceTable = TABLE, **more: Any) -> Allowance:
        return await self.allowed(self.charge(limits, table, **more))

    async def settle(self, tokens: Tokens, *, model: str = "sol", days_ago: int = 0) -> None:
        self.asked += 1
        record = ExchangeRecord(
            request_id=f"req_{self.asked}",
            at=time.time() - days_ago * keyspace.DAY,
            endpoint="chat",
            key_id="key_1",
            answered_model=model,
            tokens=tokens,
            ending=Ending.WHOLE,
        )
        await self.usage.add([record])


@pytest.fixture
def pool(redis_client: Redis) -> Pool:
    return Pool(redis_client)


@pytest.mark.parametrize(
    ("limits", "refused", "period"),
    [
        (Limits(micro_usd_day=DOLLAR), Limit.DAY_COST, "day"),
        (Limits(micro_usd_week=DOLLAR), Limit.WEEK_COST, "week"),
        (Limits(micro_usd_month=DOLLAR), Limit.MONTH_COST, "month"),
        (Limits(micro_usd_month=DOLLAR, tokens_day=10**12, rpm=9), Limit.MONTH_COST, "month"),
    ],
)
async def test_a_spent_budget_refuses_and_names_itself(
    pool: Pool, limits: Limits, refused: Limit, period: str
) -> None:
    await pool.settle(Tokens(output=99_999))
    assert (await pool.ask(limits)).refused is Limit.NONE

    await pool.settle(Tokens(output=1))
    charge = pool.charge(limits)
    assert (await pool.allowed(charge)).refused is refused

    error = exhausted(charge, time.time())
    assert isinstance(error, BudgetSpent)
    assert f"$1.00 at list prices per {period}" in str(error)
    assert error.resets_at > time.time()


async def test_fractions_of_a_millionth_add_up(pool: Pool) -> None:
    table = table_of({"sol": Price(input=Decimal("0.000001"), output=Decimal(1))})
    limits = Limits(micro_usd_day=1)
    for _ in range(3):
        await pool.settle(Tokens(input=333_333))
    assert (await pool.ask(limits, table)).refused is Limit.NONE

    await pool.settle(Tokens(input=1))
    assert (await pool.ask(limits, table)).refused is Limit.DAY_COST


async def test_models_without_a_price_take_nothing_of_it(pool: Pool) -> None:
    await pool.settle(Tokens(input=10**9, output=10**9), model="unknown")

    allowance = await pool.ask(Limits(micro_usd_day=1))

    assert (allowance.refused, allowance.cost.day) == (Limit.NONE, 0)


async def test_a_dated_snapshot_has_the_price_of_its_model(pool: Pool) -> None:
    await pool.settle(Tokens(output=100_000), model="sol-2026-11-01")
    await pool.settle(Tokens(output=100_000), model="sol-2026-11")

    assert (await pool.ask(EVERY)).cost.day == DOLLAR


async def test_a_new_price_holds_for_earlier_days_at_once(pool: Pool) -> None:
    for days_ago in (0, 3, 6):
        await pool.settle(Tokens(output=100_000), days_ago=days_ago)
    assert (await pool.ask(EVERY)).cost.week == 3 * DOLLAR

    dearer = table_of({"sol": Price(input=Decimal(2), output=Decimal(20))})

    assert (await pool.ask(EVERY, dearer)).cost.week == 6 * DOLLAR
    assert (await pool.ask(EVERY)).cost.week == 3 * DOLLAR


async def test_earlier_days_are_remembered_and_what_comes_late_counts_at_once(pool: Pool) -> None:
    await pool.settle(Tokens(output=100_000), days_ago=4)
    assert (await pool.ask(EVERY)).cost.week == DOLLAR
    memo = operator_keys.key_costs("key_1")
    assert await pool.redis.hlen(memo) >= 5  # type: ignore[misc]  # redis-py types both clients' replies
    assert 0 < await pool.redis.ttl(memo) <= operator_keys.KEY_COSTS_SECONDS

    await pool.settle(Tokens(output=100_000), days_ago=4)

    assert (await pool.ask(EVERY)).cost.week == 2 * DOLLAR


@pytest.mark.parametrize("kept", ["x", "x y z", "", "deadbeef 5 -1"])
async def test_what_is_remembered_and_cannot_be_read_is_worked_out_anew(
    pool: Pool, kept: str
) -> None:
    await pool.settle(Tokens(output=100_000), days_ago=4)
    await pool.ask(EVERY)
    memo = operator_keys.key_costs("key_1")
    for day in await pool.redis.hkeys(memo):  # type: ignore[misc]  # as above
        await pool.redis.hset(memo, day, kept)  # type: ignore[misc]  # as above

    assert (await pool.ask(EVERY)).cost.week == DOLLAR


@pytest.mark.parametrize("name", ["memo", "models"])
async def test_a_key_of_another_type_refuses_nobody(pool: Pool, name: str) -> None:
    await pool.settle(Tokens(output=100_000), days_ago=4)
    day = days_counted(EVERY, time.time())[3]
    names = {
        "memo": operator_keys.key_costs("key_1"),
        "models": keyspace.usage_models(day, "key_1"),
    }
    await pool.redis.set(names[name], "x")

    assert (await pool.ask(EVERY)).cost.week == DOLLAR


async def test_a_spent_week_tells_when_something_is_left(pool: Pool) -> None:
    await pool.settle(Tokens(output=60_000), days_ago=6)
    await pool.settle(Tokens(output=60_000), days_ago=2)

    allowance = await pool.ask(Limits(micro_usd_week=DOLLAR))

    assert (allowance.refused, allowance.days) == (Limit.WEEK_COST, 1)
    assert allowance.cost == Spent(week=1_200_000, week_midnights=1)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Shanghai"])
async def test_days_are_those_of_the_team(pool: Pool, zone: str) -> None:
    calendar = Calendar(zone)
    pool.usage.calendar = calendar
    await pool.settle(Tokens(output=100_000))
    charge = charge_for(
        "key_1",
        Limits(micro_usd_day=DOLLAR),
        request_id="req_zone",
        version=0,
        tokens=0,
        calendar=calendar,
        priced=PricedModel(table=TABLE, model="sol"),
    )
    assert charge is not None

    assert (await pool.allowed(charge)).refused is Limit.DAY_COST


async def test_what_is_under_way_holds_its_estimate(pool: Pool) -> None:
    limits = Limits(micro_usd_day=DOLLAR)
    first = await pool.ask(limits, tokens=250_000)
    second = await pool.ask(limits, tokens=250_000)
    third = await pool.ask(limits, tokens=1)

    assert [each.refused for each in (first, second, third)] == ["", "", "pending"]


async def test_of_many_at_once_as_many_pass_as_the_budget_has_room_for(
    pool: Pool, redis_url: str
) -> None:
    others = [connect_patiently(redis_url) for _ in range(3)]
    readers = [SnapshotReader(each) for each in others]
    charges = [pool.charge(Limits(micro_usd_day=DOLLAR), tokens=100_000) for _ in range(24)]
    found = await asyncio.gather(
        *(
            readers[number % 3].read(
                SnapshotRequest(account_ids=["acc_1"], model="m", charge=charge)
            )
            for number, charge in enumerate(charges)
        )
    )
    for each in others:
        await each.aclose()

    refused = Counter(each.allowance.refused for each in found if each.allowance)
    assert refused == {Limit.NONE: 5, Limit.PENDING: 19}


async def test_what_is_under_way_holds_the_output_that_is_expected_too(pool: Pool) -> None:
    charge = pool.charge(Limits(micro_usd_day=DOLLAR), tokens=100_000, output=80_000)
    assert charge.cost == 200_000 + 800_000

    assert (await pool.allowed(charge)).refused is Limit.NONE
    assert (await pool.ask(Limits(micro_usd_day=DOLLAR))).refused is Limit.PENDING


async def test_an_estimate_without_a_price_holds_nothing(pool: Pool) -> None:
    charge = pool.charge(Limits(micro_usd_day=DOLLAR), tokens=10**9, model="unknown")

    assert charge.cost == 0
    assert charge.permit_id == f"{charge.request_id} 1000000000"


async def test_a_settled_exchange_gives_its_permit_back(pool: Pool) -> None:
    charge = pool.charge(Limits(micro_usd_day=DOLLAR), tokens=1000)
    await pool.allowed(charge)
    streams = keyspace.streams("key_1")
    assert await pool.redis.zrange(streams, 0, -1) == [f"{charge.request_id} 2000 1000"]

    record = ExchangeRecord(
        request_id=charge.request_id,
        at=time.time(),
        endpoint="chat",
        key_id="key_1",
        drawn_at=charge.drawn_at,
        drawn_tokens=charge.tokens,
        drawn_cost=charge.cost,
        ending=Ending.WHOLE,
    )
    await pool.usage.add([record])

    assert await pool.redis.zcard(streams) == 0


async def test_permits_without_a_cost_and_with_one_stand_side_by_side(pool: Pool) -> None:
    await pool.redis.zadd(keyspace.streams("key_1"), {"req_old 700": time.time() + 60})
    limits = Limits(micro_usd_day=DOLLAR, tokens_day=1000)

    first = await pool.ask(limits, tokens=300)
    second = await pool.ask(limits, tokens=1)

    assert [first.refused, second.refused] == ["", "pending"]


async def test_a_key_without_a_budget_in_money_is_asked_as_before(pool: Pool) -> None:
    charge = pool.charge(Limits(rpm=9, tokens_month=10**9))

    assert (await pool.allowed(charge)).cost == Spent()
    assert len(charge.script(time.time())[1]) == 14


@pytest.mark.parametrize("seed", range(6))
async def test_the_script_counts_what_exact_decimals_count(pool: Pool, seed: int) -> None:
    dice = random.Random(seed)
    prices = {name: _a_price(dice) for name in ("sol", "luna", "gpt-5.5", "a.b-c")}
    table = table_of(prices)
    for _ in range(60):
        read = dice.choice((0, 7, 999, 123_456, 10**8))
        tokens = Tokens(
            input=read,
            cached=dice.randint(0, read),
            cache_write=dice.randint(0, read),
            output=dice.choice((0, 1, 31, 77_777, 10**7)),
        )
        model = dice.choice((*prices, "luna-2026-01-02", "free"))
        await pool.settle(tokens, model=model, days_ago=dice.randint(0, 31))

    now = time.time()
    days = days_counted(EVERY, now)
    counted = await UsageStore(pool.redis).read_models(["key_1"], days)
    exact = spent_in(costs_of_days(counted, days, prices), EVERY, now, unit=Unit.MICRO_USD)

    for _ in range(2):  # the second time from what is remembered
        assert (await pool.ask(EVERY, table)).cost == as_charged(exact)


def as_charged(spent: Spent) -> Spent:
    """As a charge that is not refused has it."""
    return Spent(day=spent.day, week=spent.week, month=spent.month)


def _a_price(dice: random.Random) -> Price:
    amounts = {
        name: Decimal(dice.choice((0, 1, 125_000, 1_250_000, 99_999_999))) / DOLLAR
        for name in ("input", "cached", "cache_write", "output")
    }
    return Price(
        input=amounts["input"],
        output=amounts["output"],
        cached=dice.choice((None, amounts["cached"])),
        cache_write=dice.choice((None, amounts["cache_write"])),
    )
