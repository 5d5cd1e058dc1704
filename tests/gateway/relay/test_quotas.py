import asyncio
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.leases import an_account

from commons import redis_keys
from commons.accounts.cooldowns import CooldownStore
from commons.accounts.model import Cooldown, CooldownReason
from commons.accounts.quota import QuotaStore, SeenWindow
from commons.errors import StoreUnavailable
from gateway.choice.ballot import Window
from gateway.dialects.quota import Credits, Quota, QuotaFamily, QuotaWindow
from gateway.relay.account_calls import Told
from gateway.relay.quotas import RECHECK_SECONDS, STALE_SECONDS, Quotas, seen

HEADERS = {
    "x-codex-plan-type": "plus",
    "x-codex-primary-used-percent": "42",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-after-seconds": "60",
}


def usage(used: Any, *, reached: Any = False) -> Any:
    window = {"used_percent": used, "limit_window_seconds": 18000, "reset_at": 1_795_009_000}
    limit = {"allowed": not reached, "limit_reached": reached, "primary_window": window}
    return msgspec.json.encode({"plan_type": "plus", "rate_limit": limit})


class View:
    def __init__(self, *ids: Any, **fields: Any) -> None:
        self.accounts = {account_id: an_account(account_id, **fields) for account_id in ids}


class Calls:
    def __init__(self) -> None:
        self.bodies: dict[Any, Any] = {}
        self.asked: list[Any] = []

    async def usage(self, account: Any) -> Any:
        self.asked.append(account.id)
        body = self.bodies.get(account.id)
        return None if body is None else Told(body)


class Scene:
    def __init__(self, redis: Any, *ids: Any, **fields: Any) -> None:
        self.redis = redis
        self.clock, self.calls = Clock(), Calls()
        self.cooldowns, self.store = CooldownStore(redis), QuotaStore(redis)
        self.shown: list[Any] = []
        parts: dict[str, Any] = {"calls": self.calls, "view": View(*ids, **fields)}
        self.quotas = Quotas(
            redis,
            cooldowns=self.cooldowns,
            clock=self.clock,
            show=self.shown.append,
            **parts,
        )

    async def spend(self, account_id: Any, reason: Any = CooldownReason.QUOTA) -> None:
        now = self.clock()
        cooldown = Cooldown(until=now + 9000, reason=reason, since=now)
        await self.cooldowns.cool(account_id, cooldown)

    async def cooling(self) -> Any:
        return set(await self.cooldowns.all(["acc_a", "acc_b"], now=self.clock()))

    async def kept(self) -> Any:
        return await self.store.all(["acc_a", "acc_b"])


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client, "acc_a", "acc_b")


async def test_what_answers_tell_is_kept_for_the_console(scene: Any) -> None:
    scene.quotas.saw_headers("acc_a", HEADERS)
    scene.quotas.saw_headers("acc_b", {"content-type": "text/event-stream"})
    assert await scene.kept() == {}

    await scene.quotas.keep()

    kept = await scene.kept()
    assert list(kept) == ["acc_a"]
    assert kept["acc_a"].windows == (
        SeenWindow(minutes=300, used_percent=42, resets_at=round(scene.clock()) + 60),
    )
    window = Window(minutes=300, used=42.0, resets_at=scene.clock() + 60)
    assert scene.quotas.windows("acc_a", "gpt-5.5") == (window,)
    assert scene.quotas.windows("acc_b", "gpt-5.5") == ()
    assert not scene.quotas.credits("acc_a")


async def test_a_quota_that_has_not_changed_is_not_written_again_for_a_minute(scene: Any) -> None:
    fixed = Quota(
        families=(QuotaFamily(id="codex", windows=(QuotaWindow(minutes=300, used_percent=5),)),)
    )
    scene.quotas.saw_quota("acc_a", fixed)
    await scene.quotas.keep()
    first = (await scene.kept())["acc_a"].seen_at
    for _ in range(2):
        scene.clock.pass_(40)
        scene.quotas.saw_quota("acc_a", fixed)
        await scene.quotas.keep()

    assert (await scene.kept())["acc_a"].seen_at == first + 80


async def test_what_cannot_be_read_is_not_kept(scene: Any) -> None:
    scene.quotas.saw_headers("acc_a", {"x-codex-primary-used-percent": "much"})

    await scene.quotas.keep()

    assert await scene.kept() == {}


async def test_an_account_nobody_has_heard_of_is_asked_once_in_a_while(scene: Any) -> None:
    scene.calls.bodies = {"acc_a": usage(10), "acc_b": b"no json"}

    await scene.quotas.look()
    await scene.quotas.look()
    assert sorted(scene.calls.asked) == ["acc_a", "acc_b"]
    assert list(await scene.kept()) == ["acc_a"]

    scene.clock.pass_(STALE_SECONDS + 1)
    await scene.redis.delete(redis_keys.quota_poll("acc_a"))
    await scene.quotas.look()
    assert scene.calls.asked[2:] == ["acc_a"]


async def test_a_spent_account_whose_quota_has_begun_anew_is_back_before_its_time(
    scene: Any,
) -> None:
    scene.calls.bodies = {"acc_a": usage(3), "acc_b": usage(100)}
    await scene.spend("acc_a")
    await scene.spend("acc_b")

    await scene.quotas.look()

    assert await scene.cooling() == {"acc_b"}


async def test_a_limit_that_is_said_to_be_reached_is_believed_whatever_its_windows_say(
    scene: Any,
) -> None:
    scene.calls.bodies = {"acc_a": usage(50, reached=True)}
    await scene.spend("acc_a")

    await scene.quotas.look()

    assert await scene.cooling() == {"acc_a"}


async def test_only_a_quota_ends_so(scene: Any) -> None:
    scene.calls.bodies = {"acc_a": usage(3)}
    await scene.spend("acc_a", CooldownReason.ENTITLEMENT)

    await scene.quotas.look()

    assert await scene.cooling() == {"acc_a"}


async def test_one_replica_asks_every_five_minutes(scene: Any) -> None:
    await scene.spend("acc_a")

    await asyncio.gather(*(scene.quotas.look() for _ in range(3)))

    assert scene.calls.asked.count("acc_a") == 1
    left = await scene.redis.ttl(redis_keys.quota_poll("acc_a"))
    assert 0 < left <= RECHECK_SECONDS


async def test_a_paused_account_is_left_alone(redis_client: Redis) -> None:
    scene = Scene(redis_client, "acc_a", paused=True)

    await scene.quotas.look()

    assert scene.calls.asked == []


async def test_its_rounds_write_look_show_and_survive_a_redis_that_is_away(scene: Any) -> None:
    scene.quotas.saw_headers("acc_a", HEADERS)
    rounds: list[Any] = []

    async def sleep(seconds: Any) -> None:
        rounds.append(seconds)
        if len(rounds) == 1:
            scene.quotas.keep = away
        if len(rounds) == 3:
            raise asyncio.CancelledError

    async def away() -> None:
        raise StoreUnavailable("away")

    with pytest.raises(asyncio.CancelledError):
        await scene.quotas.run(sleep)

    assert list(scene.shown[-1]) == ["acc_a"]
    assert scene.calls.asked == ["acc_b"]


def test_a_reading_is_kept_as_it_is() -> None:
    quota = Quota(
        plan="team",
        active_limit="codex",
        families=(
            QuotaFamily(
                id="codex", windows=(QuotaWindow(minutes=300, used_percent=1, resets_at=99),)
            ),
        ),
        credits=Credits(has_credits=True, balance="7"),
        spending=QuotaWindow(minutes=0, used_percent=5),
        reached=True,
        reached_type="rate_limit_reached",
    )

    kept = seen(quota, 50.0)

    assert (kept.plan, kept.seen_at, kept.reached) == ("team", 50.0, True)
    assert kept.windows[0].resets_at == 99
    assert kept.credits is not None
    assert kept.credits.balance == "7"
    assert kept.spending == SeenWindow(minutes=0, used_percent=5)
    assert seen(Quota(), 1.0).credits is None
