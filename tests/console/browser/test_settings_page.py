"""Settings: what is changed reaches Redis; tokens are shown once."""

import pytest
from playwright.async_api import expect
from support.browsers import Tab
from support.served import Served

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import HistoryMode, KeyPolicy, LiveSettingsStore

pytestmark = pytest.mark.browser


async def test_settings_are_changed_and_set_back(site: Served, visitor: Tab) -> None:
    await visitor.open("/settings")
    await visitor.page.check('[name=routing][value="round_robin"]')
    await visitor.page.check('[name=history_mode][value="transcript"]')
    await visitor.page.check('[name=api_key_policy][value="open"]')
    await visitor.page.select_option("[name=default_model]", "gpt-5.5")
    await visitor.page.fill("[name=model_aliases]", "gpt-4o = gpt-5.5\nhouse=gpt-6-sol")
    await visitor.page.select_option("[name=reasoning_summary]", "concise")
    await visitor.click("[data-settings] [type=submit]")
    await visitor.told("Saved.")
    live = await site.console.parts.live_settings.read()

    assert live.routing is Routing.ROUND_ROBIN
    assert live.history_mode is HistoryMode.TRANSCRIPT
    assert live.api_key_policy is KeyPolicy.OPEN
    assert (live.default_model, live.reasoning_summary) == ("gpt-5.5", "concise")
    assert live.model_aliases == {"gpt-4o": "gpt-5.5", "house": "gpt-6-sol"}

    await visitor.page.check('[name=routing][value=""]')
    await visitor.page.fill("[name=model_aliases]", "")
    await visitor.click("[data-settings] [type=submit]")
    await visitor.see("[data-live=audit]", "Which account is asked: round_robin →")
    live = await site.console.parts.live_settings.read()
    assert (live.routing, live.model_aliases) == (None, None)


async def test_what_is_held_back_limited_and_shared_is_set_and_set_back(
    site: Served, visitor: Tab
) -> None:
    async def kept() -> tuple[float | None, int | None, float | None]:
        live = await site.console.parts.live_settings.read()
        return live.quota_reserve, live.account_streams, live.fair_share_below

    await visitor.open("/settings")
    await visitor.page.fill("[name=quota_reserve]", "7.5")
    await visitor.page.fill("[name=account_streams]", "0")
    await visitor.page.fill("[name=fair_share_below]", "20")
    await visitor.click("[data-settings] [type=submit]")
    await visitor.told("Saved.")
    assert await kept() == (7.5, 0, 20.0)

    await visitor.open("/settings")
    await expect(visitor.page.locator("[name=quota_reserve]")).to_have_value("7.5")
    await expect(visitor.page.locator("[name=account_streams]")).to_have_value("0")
    for name in ("quota_reserve", "account_streams", "fair_share_below"):
        await visitor.page.fill(f"[name={name}]", "")
    await visitor.click("[data-settings] [type=submit]")
    await visitor.see("[data-live=audit]", "Reserve: 7.5 →")
    assert await kept() == (None, None, None)


async def test_a_value_out_of_bounds_is_not_sent(site: Served, visitor: Tab) -> None:
    await visitor.open("/settings")
    await visitor.page.fill("[name=fair_share_below]", "101")
    await visitor.click("[data-settings] [type=submit]")

    await expect(visitor.page.locator("[name=fair_share_below]:invalid")).to_have_count(1)
    assert (await site.console.parts.live_settings.read()).fair_share_below is None


async def test_an_admin_token_is_shown_once_and_can_be_revoked(site: Served, visitor: Tab) -> None:
    await visitor.open("/settings")
    await visitor.click("[data-open=new-token]")
    await visitor.page.fill("#new-token [name=name]", "Backup script")
    await visitor.click("#new-token [type=submit]")
    await visitor.see("#made-key", "it is shown this once only")
    secret = await visitor.text("#made-secret")
    assert await site.console.parts.script_tokens.find(secret)
    await visitor.click("#made-key [data-close].primary")
    await expect(visitor.page.locator("#made-secret")).to_have_text("")
    assert secret not in await visitor.page.content()

    await visitor.see("#tokens li", "Backup script")
    await visitor.click("#tokens li button")
    await visitor.see("#confirm", "Revoke Backup script?")
    await visitor.click("[data-confirm-do]")
    await visitor.see("#tokens", "No tokens yet.")
    assert await site.console.parts.script_tokens.find(secret) is None


async def test_a_model_is_withheld_by_its_switch(site: Served, visitor: Tab) -> None:
    await visitor.open("/catalogue")
    await visitor.click("[id='row-gpt-6-sol'] [role=switch]")
    await visitor.see("[id='row-gpt-6-sol'] [role=switch][aria-checked=false]")
    assert (await site.console.parts.live_settings.read()).disabled_models == ("gpt-6-sol",)

    await visitor.click("[id='row-gpt-6-sol'] [role=switch]")
    await visitor.see("[id='row-gpt-6-sol'] [role=switch][aria-checked=true]")
    assert not (await site.console.parts.live_settings.read()).disabled_models


async def test_snippets_follow_the_model_and_the_key(visitor: Tab) -> None:
    await visitor.open("/connect?client=aider")
    await visitor.see("#client-aider")
    await visitor.page.select_option("#model", "gpt-5.5")
    await visitor.page.fill("#key", "cpa-typed")
    text = await visitor.page.inner_text("#client-aider pre")

    assert "aider --model openai/gpt-5.5" in text
    assert "OPENAI_API_KEY=cpa-typed" in text
    await visitor.click("#tab-cline")
    await visitor.see("#client-cline", "gpt-5.5")
    assert visitor.page.url.endswith("/connect?client=cline")


async def test_a_model_alias_that_cannot_be_read_is_not_dropped(site: Served, visitor: Tab) -> None:
    await visitor.open("/settings")
    await visitor.page.fill("[name=model_aliases]", "gpt-4o = gpt-5.5\nhouse gpt-5.5")
    await visitor.click("[data-settings] [type=submit]")
    await visitor.see("#requests [data-error]", "“house gpt-5.5” is not “name = model”.")
    await visitor.page.fill("[name=model_aliases]", "gpt-4o = gpt-5.5\nGPT-4o = gpt-6-sol")
    await visitor.click("[data-settings] [type=submit]")
    await visitor.see("#requests [data-error]", "“GPT-4o” stands in two lines.")
    assert not (await LiveSettingsStore(site.scene.redis).read()).model_aliases

    await visitor.page.fill("[name=model_aliases]", "gpt-4o = nope-model")
    await visitor.click("[data-settings] [type=submit]")
    await visitor.see("#requests [data-error]", "model_aliases.gpt-4o")
    assert not (await LiveSettingsStore(site.scene.redis).read()).model_aliases
    visitor.problems.clear()


async def test_a_password_is_asked_from_now_on_also_on_loopback(visitor: Tab) -> None:
    await visitor.open("/settings")
    await visitor.page.fill("#security [name=password]", "correct mule battery clip")
    await visitor.click("#security [type=submit]")
    await visitor.see("#security", "Signed in now")


async def test_the_way_to_openai_is_tested_step_by_step(site: Served, visitor: Tab) -> None:
    await visitor.open("/settings")
    await visitor.page.locator("#test-connection").scroll_into_view_if_needed()
    await visitor.click("#test-connection")
    await visitor.see("#connection-steps", "Authorization server")
    await visitor.see("#connection-steps", "DNS")
    await visitor.see("#connection-steps", "ms")

    steps = visitor.page.locator("#connection-steps li")
    assert await steps.count() >= 2
