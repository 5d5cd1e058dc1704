"""Which accounts are passed over, and what ends that."""

import asyncio

import pytest
from redis.asyncio import Redis

from codex_proapi.commons.accounts.cooldowns import CooldownStore, Opening
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.redis import keyspace

NOW = 1_795_000_000.25
FAR = 4_000_000_000


def a_cooldown(reason: CooldownReason, seconds: float) -> Cooldown:
    return Cooldown(until=NOW + seconds, reason=reason, since=NOW, code="a_code")


def an_opening(*, seconds: float = 0.0) -> Opening:
    return Opening(now=NOW + seconds, faults=5, first_seconds=30.0, most_seconds=300.0)


@pytest.fixture
def cooldowns(redis_client: Redis) -> CooldownStore:
    return CooldownStore(redis_client)


async def test_cooldowns_are_kept_by_account_and_model(cooldowns: CooldownStore) -> None:
    quota = a_cooldown(CooldownReason.QUOTA, 100)
    rate = a_cooldown(CooldownReason.RATE, 10)

    assert await cooldowns.cool("acc_1", quota)
    assert await cooldowns.cool("acc_1", rate, model="gpt-5.5:fast")
    assert await cooldowns.cool("acc_2", rate)

    assert await cooldowns.all(["acc_1", "acc_3"], now=NOW) == {
        "acc_1": {"": quota, "gpt-5.5:fast": rate}
    }


async def test_a_cooldown_that_has_ended_is_none(cooldowns: CooldownStore) -> None:
    await cooldowns.cool("acc_1", a_cooldown(CooldownReason.RATE, 10))

    assert await cooldowns.all(["acc_1"], now=NOW + 10) == {}


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        ((CooldownReason.QUOTA, 100), (CooldownReason.TRANSIENT, 30), "first"),
        ((CooldownReason.TRANSIENT, 30), (CooldownReason.QUOTA, 100), "second"),
        ((CooldownReason.QUOTA, 100), (CooldownReason.QUOTA, 20), "second"),
        ((CooldownReason.QUOTA, 20), (CooldownReason.QUOTA, 100), "second"),
    ],
)
async def test_another_reason_that_lasts_longer_stays_and_the_same_reason_is_replaced(
    cooldowns: CooldownStore,
    first: tuple[CooldownReason, float],
    second: tuple[CooldownReason, float],
    wins: str,
) -> None:
    provided = {"first": a_cooldown(*first), "second": a_cooldown(*second)}

    assert await cooldowns.cool("acc_1", provided["first"])
    assert await cooldowns.cool("acc_1", provided["second"]) is (wins == "second")

    assert await cooldowns.all(["acc_1"], now=NOW) == {"acc_1": {"": provided[wins]}}


async def test_clearing_ends_all_of_one_account_or_some_reasons(cooldowns: CooldownStore) -> None:
    quota = a_cooldown(CooldownReason.QUOTA, 100)
    transient = a_cooldown(CooldownReason.TRANSIENT, 30)
    for account in ("acc_1", "acc_11"):
        await cooldowns.cool(account, quota)
        await cooldowns.cool(account, transient, model="gpt-5.5")

    assert await cooldowns.clear("acc_1", reasons=[CooldownReason.TRANSIENT]) == 1
    assert await cooldowns.clear("acc_11") == 2

    assert await cooldowns.all(["acc_1", "acc_11"], now=NOW) == {"acc_1": {"": quota}}


@pytest.mark.parametrize("odd", ["not json", "5", "{}"])
async def test_a_cooldown_nobody_can_read_stops_no_clearing_half_way(
    cooldowns: CooldownStore, redis_client: Redis, odd: str
) -> None:
    transient = a_cooldown(CooldownReason.TRANSIENT, 30)
    await cooldowns.cool("acc_1", transient)
    await redis_client.hset(keyspace.cooldowns(), "acc_1:odd", odd)
    await cooldowns.fault("acc_1", an_opening())

    await cooldowns.succeed({"acc_1": FAR})
    assert await redis_client.hgetall(keyspace.cooldowns()) == {"acc_1:odd": odd}
    assert not await redis_client.exists(keyspace.faults("acc_1"))

    assert await cooldowns.clear("acc_1") == 1
    assert not await redis_client.exists(keyspace.cooldowns())


@pytest.mark.parametrize(
    "odd",
    ["not json", "5", "{}", "null", '{"until":"later"}', '{"until":null,"reason":"transient"}'],
)
async def test_a_cooldown_nobody_can_read_keeps_no_breaker_from_opening(
    cooldowns: CooldownStore, redis_client: Redis, odd: str
) -> None:
    await redis_client.hset(keyspace.cooldowns(), "acc_1", odd)

    opened = [await cooldowns.fault("acc_1", an_opening()) for _ in range(6)]

    assert opened == [None, None, None, None, 30.0, None]
    kept = await cooldowns.all(["acc_1"], now=NOW)
    assert kept["acc_1"][""].reason is CooldownReason.TRANSIENT


async def test_faults_count_in_a_row_and_a_success_begins_again(
    cooldowns: CooldownStore, redis_client: Redis
) -> None:
    opened = [await cooldowns.fault("acc_1", an_opening()) for _ in range(5)]
    assert opened == [None, None, None, None, 30.0]
    assert 0 < await redis_client.ttl(keyspace.faults("acc_1")) <= keyspace.FAULTS_SECONDS

    await cooldowns.succeed({"acc_1": FAR})

    opened = [await cooldowns.fault("acc_1", an_opening()) for _ in range(5)]
    assert opened == [None, None, None, None, 30.0]
    assert await cooldowns.fault("acc_2", an_opening()) is None


async def test_what_many_replicas_see_fail_in_one_moment_opens_a_breaker_once(
    cooldowns: CooldownStore,
) -> None:
    at_once = [cooldowns.fault("acc_1", an_opening()) for _ in range(40)]

    opened = [seconds for seconds in await asyncio.gather(*at_once) if seconds is not None]

    assert opened == [30.0]
    kept = await cooldowns.all(["acc_1"], now=an_opening().now)
    assert kept["acc_1"][""].until == pytest.approx(an_opening().now + 30)
    later = an_opening(seconds=31)
    assert [await cooldowns.fault("acc_1", later) for _ in range(3)] == [60.0, None, None]


async def test_a_success_ends_what_it_disproves_and_no_quota(cooldowns: CooldownStore) -> None:
    quota = a_cooldown(CooldownReason.QUOTA, 100)
    await cooldowns.cool("acc_1", a_cooldown(CooldownReason.TRANSIENT, 30))
    await cooldowns.cool("acc_2", a_cooldown(CooldownReason.CREDENTIAL, 30))
    await cooldowns.cool("acc_3", quota)

    assert await cooldowns.succeed(dict.fromkeys(("acc_1", "acc_2", "acc_3"), FAR)) == [True] * 3

    assert await cooldowns.all(["acc_1", "acc_2", "acc_3"], now=NOW) == {"acc_3": {"": quota}}
    assert repr(cooldowns) == "<CooldownStore>"


@pytest.mark.parametrize(("begun_at", "ends"), [(NOW - 1.0, False), (NOW + 1.0, True)])
async def test_an_answer_says_nothing_about_what_began_after_its_attempt(
    cooldowns: CooldownStore, redis_client: Redis, begun_at: float, *, ends: bool
) -> None:
    began = Cooldown(until=FAR, reason=CooldownReason.TRANSIENT, since=NOW)
    await cooldowns.cool("acc_1", began)
    await redis_client.set(keyspace.faults("acc_1"), 5)
    await redis_client.set(keyspace.probe("acc_1"), "1")

    assert await cooldowns.succeed({"acc_1": begun_at}) == [ends]

    kept = await cooldowns.all(["acc_1"], now=NOW)
    assert kept == ({} if ends else {"acc_1": {"": began}})
    left = await redis_client.exists(keyspace.faults("acc_1"), keyspace.probe("acc_1"))
    assert left == (0 if ends else 2)
