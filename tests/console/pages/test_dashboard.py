import re
from typing import Any

import msgspec
import pytest
from support.console_pages import NOW, PageClient, filled_console

from codex_proapi.commons.accounts.model import AccountState
from codex_proapi.commons.redis import keyspace
from codex_proapi.console.pages.dashboard import verdict_of
from codex_proapi.console.views.account_list import AccountOverview, load_accounts
from codex_proapi.console.views.figures import figures_of
from codex_proapi.console.views.quota_windows import Tone


async def test_an_empty_console_shows_the_three_steps_alone(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        html = (await site.get("/")).text

    assert "Three steps to the first answer" in html
    assert '<div data-live="dashboard" class="stack" hidden>' in html


async def test_the_steps_tick_themselves_and_then_go(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        await site.scene.people()
        with_accounts = await site.read("/")
        await site.scene.make_keys()
        with_keys = await site.read("/")
        await site.scene.traffic(5)
        with_answers = await site.read("/")

    assert "Add an account – done" in with_accounts
    assert "Create an API key – done" in with_keys
    assert "Three steps" not in with_answers


async def test_one_screen_answers_the_daily_questions(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/")

    assert "1 account needs attention" in text
    assert "3 of 6 accounts ready" in text
    assert "5 answers under way" in text
    assert "barbara@example.com Sign in again" in text
    assert "All accounts" not in text, "labels of meters are not shown"
    assert "5 hours 41% left" in text
    assert "about 1.2 accounts' worth left of 3" in text
    assert "At this pace all accounts are spent by" in text
    assert "Codex on the laptop" in text
    assert "OpenAI&#39;s servers are overloaded." in text


async def test_who_shares_and_who_waits_is_told(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        calm = await site.read("/")
        for key_id in ("key_a", "key_b"):
            share = f"10.000 {NOW - 1} req_1"
            await site.console.redis.hset(keyspace.fair_shares(), key_id, share)  # type: ignore[misc]
        position = f"{NOW - 1} {NOW + 30} 1 key_a g1 acc_a"
        await site.console.redis.hset(keyspace.queue(), "req_1", position)  # type: ignore[misc]
        scarce = await site.read("/")

    assert "Little is left of the pool." not in calm
    assert "wait for a slot" not in calm
    assert "Little is left of the pool. 2 keys share it by their weights" in scarce
    assert "1 request waits for a slot" in scarce


async def test_the_pool_is_no_minimum_of_its_accounts(redis_url: str) -> None:
    """One spent account must not make the whole pool look empty."""
    async with filled_console(redis_url) as site:
        text = await site.read("/")

    assert "0% left" not in text.partition("Needs attention")[0]


@pytest.mark.parametrize(
    ("span", "pressed"), [("7d", "7d"), ("1h", "1h"), ("<b>", "24h"), ("", "24h")]
)
async def test_the_span_of_the_charts_stands_in_the_address(
    redis_url: str, span: Any, pressed: Any
) -> None:
    async with filled_console(redis_url) as site:
        html = (await site.get(f"/?span={span}")).text

    assert f'data-span="{pressed}" aria-pressed="true"' in html


async def test_a_refresh_brings_the_live_regions_alone(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        whole = (await site.get("/")).text
        live = (await site.get("/", **{"x-live": "1"})).text

    assert "<!doctype html>" in whole
    assert "<!doctype html>" not in live
    assert 'data-live="dashboard"' in live
    assert 'data-live="pulse"' in live


async def test_a_page_says_what_it_depends_on(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        answer = await site.get("/")

    assert answer.headers["vary"] == "cookie, accept-language,Accept-Encoding"
    assert answer.headers["cache-control"] == "no-store"


async def _overview(site: PageClient) -> AccountOverview:
    return await load_accounts(site.console.parts.sources)


async def test_the_verdict_is_the_worst_that_is_true(redis_url: str) -> None:
    quiet = figures_of(series={}, today=[], entries=[], now=0)
    async with filled_console(redis_url, empty=True) as site:
        await site.scene.people()
        overview = await _overview(site)
        for account_id in site.scene.ids[:5]:
            await site.scene.accounts.pause(account_id)
        none_left = await _overview(site)
        await site.scene.accounts.mark(site.scene.ids[5], AccountState.ACTIVE, "")
        steady = await _overview(site)
    failing = msgspec.structs.replace(quiet, requests=10, error_share=20.0)

    assert verdict_of(overview, quiet) == ("attention", Tone.WARN)
    assert verdict_of(overview, failing) == ("failing", Tone.BAD)
    assert verdict_of(none_left, failing) == ("down", Tone.BAD)
    assert verdict_of(steady, quiet) == ("steady", Tone.OK)
    assert verdict_of(steady, msgspec.structs.replace(failing, requests=4)) == ("steady", Tone.OK)


async def test_of_many_accounts_that_need_attention_some_are_shown_and_all_counted(
    redis_url: str,
) -> None:
    async with filled_console(redis_url) as site:
        for account_id in site.scene.ids:
            await site.scene.accounts.mark(account_id, AccountState.REVOKED, "refresh_token_reused")
        page = (await site.get("/")).text

    attention = page[page.index("rows attention") :]
    assert attention[: attention.index("</ul>")].count("<li>") == 4
    assert re.search(r'href="/accounts">all 6<', page)
