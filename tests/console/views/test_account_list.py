from support.console_pages import NOW, filled_console

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.accounts.quota_store import SeenFamily, SeenQuota, SeenWindow
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.console.views.account_list import (
    limits_of,
    load_accounts,
    min_reset,
    readings_of,
    sort_of,
    sort_rows,
)
from codex_proapi.console.views.account_status import Word


async def test_every_account_with_what_it_is_up_to(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        overview = await load_accounts(site.console.parts.sources)

    assert {row.name.partition("@")[0]: row.condition.word for row in overview.rows} == {
        "ada": Word.READY,
        "grace": Word.READY,
        "team-build": Word.SPENT,
        "alan": Word.PAUSED,
        "edsger": Word.READY,
        "barbara": Word.SIGN_IN,
    }
    assert (overview.ready, len(overview.attention), overview.in_flight) == (3, 1, 5)
    assert overview.recovers_at == int(NOW + 2.5 * 3600)
    assert overview.quota_seen_at == int(NOW - 40)
    ada = next(row for row in overview.rows if row.name.startswith("ada"))
    assert (ada.in_flight, ada.ready, ada.left) == (5, True, 69.0)
    assert ada.tokens_today > 0


async def test_a_paused_account_is_no_part_of_the_pool(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        before = (await load_accounts(site.console.parts.sources)).pool
        await site.scene.accounts.resume(site.scene.ids[3])
        after = (await load_accounts(site.console.parts.sources)).pool

    assert (before[0].known, after[0].known) == (3, 4)


async def test_the_pool_counts_nothing_that_cannot_be_spent(redis_url: str) -> None:
    """Not what must sign in again, nor the window of an account that was refused for its quota."""
    async with filled_console(redis_url) as site:
        sources, scene = site.console.parts.sources, site.scene
        before = (await load_accounts(sources)).pool[0]
        refused = Cooldown(
            until=scene.now + 3600,
            since=scene.now,
            reason=CooldownReason.QUOTA,
            code="usage_limit_reached",
        )
        await sources.cooldowns.cool(scene.ids[0], refused)  # its windows said 88 % and 69 % left
        after = (await load_accounts(sources)).pool[0]

    assert before.left is not None
    assert after.left is not None
    assert round(before.left - after.left) == round(88 / 3)
    assert before.known == after.known == 3, "the one that must sign in again is not among them"


async def test_without_a_gateway_nobody_knows_what_is_under_way(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        await site.scene.people()
        draining = Replica(id="g1", service="gateway", draining=True)
        await ReplicaStore(site.console.redis).beat(draining)
        overview = await load_accounts(site.console.parts.sources)

    assert overview.in_flight is None
    assert {row.in_flight for row in overview.rows} == {None}


async def test_rows_come_in_the_order_that_was_asked_for(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        rows = (await load_accounts(site.console.parts.sources)).rows

    def order(sort: str) -> list[str]:
        return [row.name.partition("@")[0] for row in sort_rows(rows, sort)]

    assert order("attention")[0] == "barbara"
    assert order("name") == ["ada", "alan", "barbara", "edsger", "grace", "team-build"]
    assert order("left")[0] == "alan"
    assert order("left")[-1] == "team-build"
    assert order("recovery")[-1] == "edsger"
    assert order("used")[0] in {"ada", "grace", "edsger"}
    assert order("nonsense") == order("attention")
    assert (sort_of("name"), sort_of("nonsense")) == ("name", "attention")


def test_an_account_never_seen_has_no_windows() -> None:
    assert readings_of(None) == ()
    assert min_reset([]) > NOW


def test_a_spending_limit_stands_in_for_windows() -> None:
    limit = SeenWindow(minutes=43_200, used_percent=30, resets_at=7)

    (reading,) = readings_of(SeenQuota(seen_at=5.0, spending=limit))

    assert (reading.minutes, reading.used, reading.resets_at, reading.seen_at) == (43_200, 30, 7, 5)


async def test_a_model_with_a_limit_of_its_own_is_measured_by_that(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        rows = (await load_accounts(site.console.parts.sources)).rows
    ada = next(row for row in rows if row.name.startswith("ada"))
    grace = next(row for row in rows if row.name.startswith("grace"))

    assert [bar.left for bar in ada.bars_for("gpt-6-astra")] == [10.0]
    assert ada.bars_for("gpt-6-sol") == ada.bars
    assert grace.bars_for("gpt-6-astra") == grace.bars
    assert (ada.credits and ada.credits.balance, ada.spending and ada.spending.left) == (
        "42.50",
        70.0,
    )
    assert (grace.limits, grace.credits, grace.spending) == ((), None, None)


def test_a_limit_without_windows_is_none() -> None:
    families = (SeenFamily(id="codex"), SeenFamily(id="codex_x", name="X"))

    assert limits_of(SeenQuota(seen_at=5.0, families=families), now=6.0) == ()
