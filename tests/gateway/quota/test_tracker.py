import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.leases import an_account

from codex_proapi.commons.accounts.quota_merge import seen
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenWindow
from codex_proapi.commons.balancing.candidates import Window
from codex_proapi.commons.codex.quota_parser import Credits, Quota, QuotaFamily, QuotaWindow
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.quota.tracker import KEEP_SECONDS, QuotaTracker

HEADERS = {
    "x-codex-plan-type": "plus",
    "x-codex-primary-used-percent": "42",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-after-seconds": "60",
}


class View:
    def __init__(self, *ids: Any, **fields: Any) -> None:
        self.accounts = {account_id: an_account(account_id, **fields) for account_id in ids}


class Poll:
    """Plans nothing; tells what a test gives it."""

    def __init__(self) -> None:
        self.planned: list[Any] = []
        self.told: dict[str, Any] = {}

    def plan(self, seen_at: Any) -> None:
        self.planned.append(dict(seen_at))

    async def ask(self, seconds: float) -> Any:
        assert seconds == KEEP_SECONDS
        told, self.told = self.told, {}
        return told


class Scene:
    def __init__(self, redis: Any, *ids: Any) -> None:
        self.redis, self.clock = redis, Clock()
        self.store = QuotaStore(redis)
        self.shown: list[Any] = []
        self.quotas, self.poll = self.replica(*ids)

    def replica(self, *ids: Any) -> Any:
        poll = Poll()
        parts: dict[str, Any] = {"poll": poll, "view": View(*ids), "clock": self.clock}
        parts["figures"] = self
        return QuotaTracker(self.redis, **parts), poll

    def show(self, quotas: Any, *, serving: Any, now: Any) -> None:
        self.shown.append((sorted(quotas), sorted(serving), now))

    async def kept(self) -> Any:
        return await self.store.all(["acc_a", "acc_b"])


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client, "acc_a", "acc_b")


def five_hours(used: float, family: str = "codex", **fields: Any) -> Quota:
    windows = (QuotaWindow(minutes=300, used_percent=used),)
    return Quota(families=(QuotaFamily(id=family, windows=windows),), **fields)


async def test_what_answers_tell_is_kept_for_the_console(scene: Any) -> None:
    scene.quotas.observe_headers("acc_a", HEADERS)
    scene.quotas.observe_headers("acc_b", {"content-type": "text/event-stream"})
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


async def test_what_an_answer_said_steers_the_very_next_selection(scene: Any) -> None:
    scene.quotas.observe_headers("acc_a", HEADERS)
    assert [window.used for window in scene.quotas.windows("acc_a", "gpt-5.5")] == [42.0]

    revision = scene.quotas.changes.material
    scene.quotas.observe_quota("acc_a", five_hours(100))
    assert [window.used for window in scene.quotas.windows("acc_a", "gpt-5.5")] == [100.0]
    assert scene.quotas.changes.material != revision

    await scene.quotas.keep()
    assert (await scene.kept())["acc_a"].windows[0].used_percent == 100
    assert [window.used for window in scene.quotas.windows("acc_a", "gpt-5.5")] == [100.0]


async def test_a_quota_that_has_not_changed_is_not_written_again_for_a_minute(scene: Any) -> None:
    fixed = five_hours(5)
    scene.quotas.observe_quota("acc_a", fixed)
    await scene.quotas.keep()
    first = (await scene.kept())["acc_a"].seen_at
    for _ in range(2):
        scene.clock.pass_(40)
        scene.quotas.observe_quota("acc_a", fixed)
        await scene.quotas.keep()

    assert (await scene.kept())["acc_a"].seen_at == first + 80


async def test_headers_of_one_limit_do_not_hide_those_of_another(scene: Any) -> None:
    spark = {
        "x-codex-active-limit": "codex_spark",
        "x-codex-spark-primary-used-percent": "9",
        "x-codex-spark-primary-window-minutes": "300",
    }
    scene.quotas.observe_headers("acc_a", HEADERS)
    scene.quotas.observe_headers("acc_a", spark)

    await scene.quotas.keep()

    kept = (await scene.kept())["acc_a"]
    assert [w.used_percent for w in kept.windows] == [42]
    assert [w.used_percent for w in kept.windows_for("codex-spark")] == [9]


async def test_events_of_two_limits_are_kept_together(scene: Any) -> None:
    scene.quotas.observe_quota("acc_a", five_hours(5))
    scene.quotas.observe_quota("acc_a", five_hours(9, "codex_spark"))
    scene.quotas.observe_quota("acc_a", five_hours(6))

    await scene.quotas.keep()

    kept = (await scene.kept())["acc_a"]
    assert [(f.id, f.windows[0].used_percent) for f in kept.families] == [
        ("codex", 6),
        ("codex_spark", 9),
    ]


async def test_a_replica_that_heard_earlier_does_not_overwrite_a_later_figure(scene: Any) -> None:
    slow, _ = scene.replica("acc_a")
    slow.observe_quota("acc_a", five_hours(40))
    scene.clock.pass_(2)
    scene.quotas.observe_quota("acc_a", five_hours(42))

    await scene.quotas.keep()
    await slow.keep()

    assert [w.used_percent for w in (await scene.kept())["acc_a"].windows] == [42]
    assert [w.used for w in slow.windows("acc_a", "gpt-5.5")] == [42]


async def test_an_answer_of_the_usage_endpoint_is_the_whole_truth(scene: Any) -> None:
    scene.quotas.observe_quota("acc_a", five_hours(9, "codex_spark"))
    await scene.quotas.keep()
    scene.clock.pass_(1)
    scene.poll.told = {"acc_a": five_hours(5)}

    await scene.quotas.ask()

    assert [f.id for f in (await scene.kept())["acc_a"].families] == ["codex"]


async def test_who_is_to_be_asked_is_planned_by_the_age_of_the_general_windows(scene: Any) -> None:
    scene.quotas.observe_quota("acc_a", five_hours(5))
    await scene.quotas.keep()
    began = scene.clock()
    scene.clock.pass_(50)
    scene.quotas.observe_quota("acc_a", five_hours(9, "codex_spark"))
    await scene.quotas.keep()

    await scene.quotas.check()

    assert scene.poll.planned == [{"acc_a": began}]


async def test_what_cannot_be_read_is_not_kept(scene: Any) -> None:
    scene.quotas.observe_headers("acc_a", {"x-codex-primary-used-percent": "much"})

    await scene.quotas.keep()

    assert await scene.kept() == {}


async def test_its_rounds_write_look_show_and_survive_a_redis_that_is_away(scene: Any) -> None:
    scene.quotas.observe_headers("acc_a", HEADERS)
    scene.poll.told = {"acc_b": five_hours(7)}
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

    assert scene.shown[-1] == (["acc_a", "acc_b"], ["acc_a", "acc_b"], scene.clock())
    assert scene.poll.planned == [{"acc_a": scene.clock()}]


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
