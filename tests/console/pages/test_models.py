from typing import Any

import pytest
from support.console_pages import filled_console
from support.console_scene import a_catalogue

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.accounts.model_names import NamesInForce
from codex_proapi.console.accounts.models_seen import ALWAYS, unite
from codex_proapi.console.pages.models import default_of, offered_models
from codex_proapi.console.views.account_list import load_accounts


async def test_each_model_tells_who_serves_it_and_what_is_left(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/catalogue")

    first = text.partition("gpt-6.1-sol")[2].partition("gpt-6-astra")[0]
    assert "default" in first
    assert "6 accounts (3 ready)" in first
    assert "272K" in first
    assert "gpt-5-codex" in first, "names that stand for the default are told"


async def test_a_model_with_a_limit_of_its_own_shows_what_is_left_of_that(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        await site.console.redis.set(
            keyspace.catalogue(site.scene.ids[0]), a_catalogue("gpt-6-astra", "gpt-solo")
        )
        for account_id in site.scene.ids[1:]:
            await site.console.redis.delete(keyspace.catalogue(account_id))
        text = await site.read("/catalogue")

    own, _, general = text.partition("gpt-solo")
    assert "Week 10% left" in own
    assert "Week 69% left" in general


async def test_a_model_somebody_holds_alone_lists_that_account(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        name = keyspace.catalogue(site.scene.ids[1])
        await site.console.redis.set(name, a_catalogue("gpt-solo"))
        text = await site.read("/catalogue")

    assert "1 account grace@example.com" in text.partition("gpt-solo")[2]


async def test_a_model_can_be_withheld_and_offered_again(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        await site.browser.learn()
        body = {"disabled_models": ["gpt-6-sol"]}
        changed = await site.browser.patch("/api/settings", json=body)
        html = (await site.get("/catalogue")).text

    assert changed.is_success
    row = html.partition('id="row-gpt-6-sol"')[2].partition("</tr>")[0]
    assert 'aria-checked="false"' in row
    assert "&#34;disabled_models&#34;: []" in row or '"disabled_models": []' in row


async def test_other_names_are_told_beside_their_model(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        await site.browser.learn()
        body = {"model_aliases": {"house-model": "gpt-5.5"}, "default_model": "gpt-5.5"}
        await site.browser.patch("/api/settings", json=body)
        text = await site.read("/catalogue")

    row = text.partition("GPT-5.5")[2]
    assert "house-model" in row
    assert text.count("default") == 1


async def test_without_accounts_the_page_says_what_to_do(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        assert "Models appear once the first account is added." in await site.read("/catalogue")


async def test_accounts_that_have_not_reported_yet_are_waited_for(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        await site.scene.people()
        await site.console.redis.delete(*map(keyspace.catalogue, site.scene.ids))

        assert "No model reported yet" in await site.read("/catalogue")


@pytest.mark.parametrize(
    ("wanted", "disabled", "chosen"),
    [
        ("", (), "a"),
        ("b", (), "b"),
        ("b", ("b",), "a"),
        ("none", (), "a"),
        ("mine", (), "b"),
        ("MINE-high", (), "b"),
        ("B", (), "b"),
        ("mine", ("b",), "a"),
        ("", ("a",), "b"),
        ("", ("a", "b"), ""),
    ],
)
def test_the_default_is_what_is_set_else_the_best_offered(
    wanted: Any, disabled: Any, chosen: Any
) -> None:
    models = unite({"acc": [{"slug": "a", "priority": 1}, {"slug": "b", "priority": 2}]})
    known = NamesInForce(default_model=wanted, aliases={"mine": "b"})

    assert default_of(models, disabled=disabled, known=known) == chosen


async def test_elsewhere_the_default_comes_first_and_there_is_always_a_name(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        sources = site.console.parts.sources
        nobody = await offered_models(sources, await load_accounts(sources))
        await site.scene.people()
        await sources.live_settings.change(
            {"default_model": "gpt-5.5", "disabled_models": ["gpt-6-sol"]}
        )
        somebody = await offered_models(sources, await load_accounts(sources))

    assert nobody == list(ALWAYS)
    assert somebody == ["gpt-5.5", "gpt-6.1-sol", "gpt-6-astra"]


async def test_a_default_that_is_an_alias_is_shown_with_its_model_and_stays_when_saved(
    redis_url: str,
) -> None:
    async with filled_console(redis_url) as site:
        await site.console.parts.live_settings.change(
            {"default_model": "house", "model_aliases": {"house": "GPT-5.5", "old": "house"}}
        )
        page = (await site.get("/catalogue")).text
        settings = (await site.get("/settings")).text

    row = page[page.index('id="row-gpt-5.5"') :]
    row = row[: row.index("</tr>")]
    assert ">default<" in row
    assert page.count(">default<") == 1
    assert "<code>house</code>" in row
    assert "<code>old</code>" in row
    assert '<option value="house" selected>' in settings
