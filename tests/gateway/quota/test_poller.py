"""Who is asked about a quota, and when."""

import asyncio
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from support.account_kinds import BADGE, with_badges
from support.clock import Clock
from support.leases import an_account

from codex_proapi.commons.accounts.cooldowns import CooldownStore, Opening
from codex_proapi.commons.accounts.model import AccountState, Cooldown, CooldownReason
from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.quota.poller import LONGEST_PAUSE, POLL_SECONDS, QuotaPoller
from codex_proapi.gateway.upstream.account_api import ApiResponse


def usage(used: Any, *, reached: Any = False) -> Any:
    window = {"used_percent": used, "limit_window_seconds": 18000, "reset_at": 1_795_009_000}
    limit = {"allowed": not reached, "limit_reached": reached, "primary_window": window}
    return msgspec.json.encode({"plan_type": "plus", "rate_limit": limit})


class View:
    def __init__(self, *accounts: Any) -> None:
        self.accounts = {account.id: account for account in accounts}


class Calls:
    def __init__(self) -> None:
        self.bodies: dict[Any, Any] = {}
        self.asked: list[Any] = []

    async def usage(self, account: Any) -> Any:
        self.asked.append(account.id)
        body = self.bodies.get(account.id, usage(3))
        return None if body is None else ApiResponse(body)


class Scene:
    def __init__(self, redis: Any, *accounts: Any) -> None:
        self.redis, self.clock, self.calls = redis, Clock(), Calls()
        self.cooldowns = CooldownStore(redis)
        self.accounts = accounts or tuple(an_account(f"acc_{name}") for name in "abc")
        self.dice = 0.5
        self.poll = self.replica()

    def replica(self) -> Any:
        parts: dict[str, Any] = {"calls": self.calls, "view": View(*self.accounts)}
        parts |= {"cooldowns": self.cooldowns, "clock": self.clock, "dice": lambda: self.dice}
        return QuotaPoller(self.redis, **parts)

    async def spend(self, account_id: str, reason: Any = CooldownReason.QUOTA) -> None:
        now = self.clock()
        await self.cooldowns.cool(account_id, Cooldown(until=now + 9000, reason=reason, since=now))

    async def cooling(self) -> Any:
        ids = [account.id for account in self.accounts]
        return sorted(await self.cooldowns.all(ids, now=self.clock()))

    async def pause_of(self, account_id: str) -> int:
        return int(await self.redis.ttl(keyspace.quota_poll(account_id)))


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client)


async def test_who_was_not_heard_of_for_longest_is_asked_first(scene: Any) -> None:
    now = scene.clock()
    scene.poll.plan({"acc_a": now - POLL_SECONDS - 1, "acc_b": now - POLL_SECONDS + 1})

    assert list(await scene.poll.ask(POLL_SECONDS)) == ["acc_c", "acc_a"]
    assert scene.calls.asked == ["acc_c", "acc_a"]


async def test_the_accounts_are_spread_over_the_interval(redis_client: Redis) -> None:
    scene = Scene(redis_client, *(an_account(f"acc_{number:03}") for number in range(120)))
    scene.poll.plan({})

    assert len(await scene.poll.ask(5.0)) == 2
    assert len(await scene.poll.ask(5.0)) == 2
    assert scene.calls.asked == ["acc_000", "acc_001", "acc_002", "acc_003"]


async def test_one_replica_asks_in_an_interval(scene: Any) -> None:
    polls = [scene.replica() for _ in range(3)]
    for poll in polls:
        poll.plan({})

    await asyncio.gather(*(poll.ask(POLL_SECONDS) for poll in polls))

    assert sorted(scene.calls.asked) == ["acc_a", "acc_b", "acc_c"]


@pytest.mark.parametrize(("dice", "seconds"), [(0.0, 270), (0.5, 300), (1.0, 330)])
async def test_questions_are_set_apart_by_chance(scene: Any, dice: float, seconds: int) -> None:
    scene.dice = dice
    scene.poll.plan({})
    await scene.poll.ask(5.0)

    assert seconds - 29 <= await scene.pause_of("acc_a") <= seconds


async def test_the_interval_may_change_while_running(scene: Any) -> None:
    scene.poll.interval = 60
    scene.poll.plan(dict.fromkeys(("acc_b", "acc_c"), scene.clock() - 59))
    await scene.poll.ask(60)

    assert scene.calls.asked == ["acc_a"]
    assert await scene.pause_of("acc_a") <= 60


@pytest.mark.parametrize("body", [None, b"no json"])
async def test_an_account_that_cannot_be_asked_is_left_alone_for_longer_each_time(
    scene: Any, body: Any
) -> None:
    scene.calls.bodies = {"acc_a": body}
    pauses = []
    for _ in range(6):
        scene.poll.plan(dict.fromkeys(("acc_b", "acc_c"), scene.clock()))
        assert await scene.poll.ask(POLL_SECONDS) == {}
        pauses.append(await scene.pause_of("acc_a"))
        await scene.redis.delete(keyspace.quota_poll("acc_a"))

    expected = [600, 1200, 2400, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert all(wanted - 2 <= p <= wanted for p, wanted in zip(pauses, expected, strict=True))

    scene.calls.bodies = {}
    scene.poll.plan({})
    await scene.poll.ask(POLL_SECONDS)
    assert await scene.pause_of("acc_a") <= POLL_SECONDS


async def test_an_account_that_is_paused_dead_or_gone_is_not_asked(redis_client: Redis) -> None:
    scene = Scene(
        redis_client,
        an_account("acc_paused", paused=True),
        an_account("acc_dead", state=AccountState.DEACTIVATED),
        an_account("acc_gone"),
        an_account("acc_a"),
    )
    scene.poll.plan({})
    scene.accounts = scene.accounts[-1:]
    scene.poll._view = View(*scene.accounts)

    await scene.poll.ask(POLL_SECONDS)

    assert scene.calls.asked == ["acc_a"]


async def test_a_spent_account_whose_quota_has_begun_anew_is_back_before_its_time(
    scene: Any,
) -> None:
    scene.calls.bodies = {"acc_b": usage(100), "acc_c": usage(50, reached=True)}
    for account in scene.accounts:
        await scene.spend(account.id)
    scene.poll.plan({})

    await scene.poll.ask(POLL_SECONDS)

    assert await scene.cooling() == ["acc_b", "acc_c"]


async def test_an_answer_that_tells_no_quota_brings_nobody_back(scene: Any) -> None:
    scene.calls.bodies = dict.fromkeys(("acc_a", "acc_b", "acc_c"), b'{"plan_type": "plus"}')
    await scene.spend("acc_a")
    scene.poll.plan({})

    await scene.poll.ask(POLL_SECONDS)

    assert await scene.cooling() == ["acc_a"]


async def test_only_a_quota_ends_so_and_faults_in_a_row_are_not_forgotten(scene: Any) -> None:
    await scene.spend("acc_a", CooldownReason.ENTITLEMENT)
    opening = Opening(now=1.0, faults=2, first_seconds=30.0, most_seconds=300.0)
    assert await scene.cooldowns.fault("acc_b", opening) is None
    scene.poll.plan({})

    await scene.poll.ask(POLL_SECONDS)

    assert await scene.cooling() == ["acc_a"]
    assert await scene.cooldowns.fault("acc_b", opening) == 30.0


async def test_accounts_without_a_quota_to_ask_for_are_not_asked(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_badges(monkeypatch)
    kinds = {"acc_a": BADGE, "acc_b": "bedrock", "acc_c": "chatgpt"}
    scene = Scene(redis_client, *(an_account(id_, kind=kind) for id_, kind in kinds.items()))
    scene.poll.plan({})

    await scene.poll.ask(POLL_SECONDS)

    assert scene.calls.asked == ["acc_c"]


async def test_an_account_in_a_state_that_is_not_known_is_not_asked(redis_client: Redis) -> None:
    scene = Scene(redis_client, an_account("acc_a", state=AccountState.UNKNOWN))
    scene.poll.plan({})

    assert await scene.poll.ask(POLL_SECONDS) == {}
    assert scene.calls.asked == []


async def test_a_poll_under_way_does_not_end_a_cooldown_that_begins_meanwhile(scene: Any) -> None:
    answer = scene.calls.usage

    async def spent_meanwhile(account: Any) -> Any:
        scene.clock.now += 1
        await scene.spend(account.id)
        return await answer(account)

    scene.calls.usage = spent_meanwhile
    scene.poll.plan({})
    await scene.poll.ask(POLL_SECONDS)
    assert await scene.cooling() == ["acc_a", "acc_b", "acc_c"]

    scene.calls.usage = answer
    scene.clock.now += POLL_SECONDS
    await scene.redis.delete(*(keyspace.quota_poll(account.id) for account in scene.accounts))
    scene.poll.plan({})
    await scene.poll.ask(POLL_SECONDS)
    assert await scene.cooling() == []
