"""What is done to an account: paused and resumed, renamed, weighed, removed by its name."""

import pytest
from playwright.async_api import expect
from support.browsers import Tab
from support.served import Served

pytestmark = pytest.mark.browser


async def _state(site: Served, number: int) -> tuple[bool, str, float]:
    account = await site.scene.accounts.get(site.scene.ids[number])
    assert account
    return account.paused, account.name, account.weight


async def test_pause_and_resume(site: Served, visitor: Tab) -> None:
    row = f"#row-{site.scene.ids[0]}"
    await visitor.open("/accounts")
    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} .menu-list button:has-text('Pause')")
    await visitor.see(f"{row} .pill", "Paused")
    assert (await _state(site, 0))[0]

    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} .menu-list button:has-text('Resume')")
    await visitor.see(f"{row} .pill", "Ready")
    assert not (await _state(site, 0))[0]


async def test_rename_and_weigh(site: Served, visitor: Tab) -> None:
    await visitor.open(f"/accounts/{site.scene.ids[0]}")
    await visitor.page.fill("#rename [name=name]", "Ada L.")
    await visitor.page.fill("#rename [name=weight]", "2.5")
    await visitor.click("#rename [type=submit]")
    await visitor.told("Saved.")

    assert await _state(site, 0) == (False, "Ada L.", 2.5)
    await visitor.see("h1", "ada@example.com")


async def test_an_account_with_traffic_goes_only_by_its_name(site: Served, visitor: Tab) -> None:
    row = f"#row-{site.scene.ids[0]}"
    await visitor.open("/accounts")
    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} .danger-text")
    await visitor.see("#confirm", "Remove ada@example.com?")
    await visitor.see("#confirm", "Conversations move to the other accounts.")
    assert await visitor.page.is_disabled("[data-confirm-do]")
    await visitor.page.keyboard.press("Escape")
    assert await site.scene.accounts.get(site.scene.ids[0])

    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} .danger-text")
    await visitor.page.fill("[data-confirm-name]", "ada@example.com")
    await visitor.click("[data-confirm-do]")
    await visitor.gone(row)

    assert await site.scene.accounts.get(site.scene.ids[0]) is None
    assert await site.scene.accounts.get(site.scene.ids[1])


async def test_the_order_stands_in_the_address(visitor: Tab) -> None:
    await visitor.open("/accounts")
    assert "barbara" in await visitor.text("#account-list > li:first-child")
    await visitor.page.select_option("[data-sort]", "name")
    await visitor.see("#account-list > li:first-child", "ada")

    assert visitor.page.url.endswith("/accounts?sort=name")


async def test_a_refresh_leaves_what_somebody_types_alone(site: Served, visitor: Tab) -> None:
    await visitor.open(f"/accounts/{site.scene.ids[0]}")
    await visitor.see("#live-state", "live")
    await visitor.page.fill("#rename [name=name]", "half a na")
    await site.scene.accounts.pause(site.scene.ids[0])
    await visitor.see(".account-top .pill", "Paused")

    await expect(visitor.page.locator("#rename [name=name]")).to_have_value("half a na")


async def test_a_change_elsewhere_is_here_by_itself(site: Served, visitor: Tab) -> None:
    await visitor.open("/accounts")
    await visitor.see("#live-state", "live")
    await visitor.page.fill("#search", "ada")
    await visitor.click(f"#row-{site.scene.ids[0]} details.menu summary")
    await site.scene.accounts.rename(site.scene.ids[0], "Ada of elsewhere")
    await visitor.see(".account-name", "Ada of elsewhere")

    await expect(visitor.page.locator("#search")).to_have_value("ada")
    assert await visitor.page.is_visible(f"#row-{site.scene.ids[0]} .menu-list"), (
        "an open menu stays"
    )
    await expect(visitor.page.locator("#account-list > li:visible")).to_have_count(1)


async def test_without_events_the_page_polls(site: Served, visitor: Tab) -> None:
    await visitor.page.route("**/api/events", lambda route: route.abort())
    await visitor.open("/accounts")
    await visitor.see("#live-state", "every 5 s")
    await site.scene.accounts.rename(site.scene.ids[0], "Ada by poll")
    await visitor.see(".account-name", "Ada by poll")
    visitor.problems.clear()
