"""What a key's client is told: its own budgets, or what the accounts it may spend have left."""

from typing import Any, cast

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.leases import an_account

from codex_proapi.commons.accounts.model import AccountState
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenFamily, SeenQuota, SeenWindow
from codex_proapi.commons.api_keys.budgets import Spent
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.codex.quota_parser import Quota
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.prices.price_table import PriceView
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.gateway.limits.limit_charge import Allowance, LimitCharge
from codex_proapi.gateway.limits.visible_quota import (
    KeyQuota,
    share_of_budgets,
    share_of_charge,
    share_of_pool,
)

NOW = 1_795_000_000
MIDNIGHT = 1_795_046_400
FIVE_HOURS, WEEK = 300, 10_080


def an_account_seen(*windows: tuple[int, float, int]) -> SeenQuota:
    told = tuple(
        SeenWindow(minutes=minutes, used_percent=used, resets_at=resets_at)
        for minutes, used, resets_at in windows
    )
    return SeenQuota(seen_at=NOW, plan="pro", families=(SeenFamily(id="codex", windows=told),))


def told(quota: Quota) -> list[tuple[int, float, int]]:
    windows = [window for family in quota.families for window in family.windows]
    assert all(window.resets_in == window.resets_at - NOW for window in windows)
    return [(w.minutes, w.used_percent, w.resets_at) for w in windows]


def test_budgets_become_windows() -> None:
    limits = Limits(tokens_day=1000, tokens_week=4000)

    share = share_of_budgets(limits, Spent(day=250, week=400), NOW)

    assert told(share) == [
        (1440, 25, MIDNIGHT),
        (WEEK, 10, MIDNIGHT + 6 * 86_400),
    ]
    assert share_of_budgets(Limits(rpm=9), Spent(), NOW) == Quota()


def a_draw(allowance: Allowance | None, **limits: int) -> LimitCharge:
    charge = LimitCharge(
        key_id="key_1", limits=Limits(**limits), request_id="r", version=0, tokens=0
    )
    charge.allowance = allowance
    return charge


def test_a_draw_tells_what_its_survey_has_seen() -> None:
    allowance = Allowance(spent=Spent(day=700), at=NOW)

    assert told(share_of_charge(a_draw(allowance, tokens_day=1000))) == [(1440, 70, MIDNIGHT)]
    assert share_of_charge(a_draw(allowance, rpm=5)) == Quota()
    assert share_of_charge(a_draw(None, tokens_day=1000)) == Quota()
    assert share_of_charge(None) == Quota()


def test_the_pool_is_told_as_the_mean_of_each_length_of_window() -> None:
    share = share_of_pool(
        [
            an_account_seen((FIVE_HOURS, 10, NOW + 900), (WEEK, 60, NOW + 5000)),
            an_account_seen((299, 30, NOW + 700), (WEEK, 150, NOW + 90_000)),
            an_account_seen((WEEK, 20, NOW + 4000)),
        ],
        NOW,
    )

    assert told(share) == [(FIVE_HOURS, 20, NOW + 700), (WEEK, 60, NOW + 4000)]
    assert not share.reached


def test_a_window_whose_end_has_passed_is_empty_again() -> None:
    share = share_of_pool(
        [an_account_seen((WEEK, 90, NOW - 5)), an_account_seen((WEEK, 50, NOW + 5))], NOW
    )

    assert told(share) == [(WEEK, 25, NOW + 5)]


@pytest.mark.parametrize("window", [(WEEK, 0, NOW + 60), (WEEK, 40, 0), (WEEK, 40, NOW)])
def test_where_no_end_is_known_it_is_a_whole_window_away(window: Any) -> None:
    [(_, _, resets_at)] = told(share_of_pool([an_account_seen(window)], NOW))

    assert resets_at == NOW + WEEK * 60


def test_the_pool_is_spent_when_every_account_is() -> None:
    spent, half = an_account_seen((WEEK, 100, NOW + 9)), an_account_seen((WEEK, 50, NOW + 9))

    assert share_of_pool([spent, spent], NOW).reached
    assert not share_of_pool([spent, half], NOW).reached


def test_of_a_pool_of_which_nothing_is_known_no_window_is_told() -> None:
    assert told(share_of_pool([], NOW)) == []
    assert told(share_of_pool([an_account_seen((0, 50, NOW + 9))], NOW)) == []


class Scene:
    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.quotas = QuotaStore(redis)
        self.accounts: dict[str, Any] = {}
        view: Any = self
        self.shares = KeyQuota(
            prices=PriceView(PriceStore(redis)),
            usage=UsageStore(redis),
            quotas=self.quotas,
            view=view,
            clock=Clock(NOW),
        )

    async def account(self, name: str, used: float, **fields: Any) -> None:
        self.accounts[name] = an_account(name, **fields)
        seen = an_account_seen((WEEK, used, NOW + 9))
        await self.quotas.keep({name: lambda _: seen})

    async def spend(self, day: str, **counts: Any) -> None:
        await self.redis.hset(keyspace.usage(day, "key", "key_1"), mapping=cast("Any", counts))

    async def told(self, **fields: Any) -> list[tuple[int, float, int]]:
        return told(await self.shares.of(ApiKey(id="key_1", name="test", **fields)))


@pytest.fixture
def scene(redis_client: Redis) -> Scene:
    return Scene(redis_client)


async def test_a_key_with_budgets_is_told_them_by_its_counters(scene: Scene) -> None:
    await scene.account("a", 90)
    await scene.spend("2026-11-18", input=200, output=50, cached=9999)
    await scene.spend("2026-11-13", output=350)
    await scene.spend("2026-11-01", input=1000)

    limits = Limits(tokens_day=1000, tokens_week=1000, tokens_month=3200)
    assert await scene.told(limits=limits) == [
        (1440, 25, MIDNIGHT),
        (WEEK, 60, MIDNIGHT + 6 * 86_400),
        (43_200, 50, 1_796_083_200),
    ]


async def test_a_key_without_budgets_is_told_of_the_accounts_it_may_spend(scene: Scene) -> None:
    await scene.account("a", 10)
    await scene.account("b", 30)
    await scene.account("c", 100, paused=True)
    await scene.account("d", 100, state=AccountState.REVOKED)
    await scene.account("e", 80, state=AccountState.REVOKED, token_expires_at=NOW + 60)
    await scene.account("f", 100, state=AccountState.DEACTIVATED)
    scene.accounts["g"] = an_account("g")

    assert await scene.told(limits=Limits(rpm=5)) == [(WEEK, 40, NOW + 9)]
    assert await scene.told(allowed_accounts=("b", "c")) == [(WEEK, 30, NOW + 9)]
    assert await scene.told(allowed_accounts=("nobody",)) == []
    assert told(await scene.shares.of(None)) == [(WEEK, 40, NOW + 9)]
    assert "KeyQuota" in repr(scene.shares)
