"""Whoever has an API key signs in with it, looks at its figures and receipts, and signs out."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect
from support.browsers import Tab, tab
from support.served import Served

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

pytestmark = pytest.mark.browser

LIMITS = Limits(rpm=60, tokens_day=2_000_000, micro_usd_month=50_000_000)


async def key_with_traffic(site: Served) -> str:
    """A key that has made some requests; gives its secret."""
    scene = site.scene
    key, secret = await scene.keys.create("A key of mine with a long name " * 2, limits=LIMITS)
    scene.key_names[key.id] = key.name
    records = [
        scene.record(
            9000 + n, at=scene.now - 60 * n, key_id=key.id, dropped=("seed",), fallback=n == 0
        )
        for n in range(14)
    ]
    await SettlementWriter(scene.redis).add(records)
    return secret


async def sign_in(visitor: Tab, secret: str) -> None:
    await visitor.open("/key")
    await visitor.page.fill("[name=key]", secret)
    await visitor.click("[type=submit]")
    await visitor.see("#window-7d")


async def over(visitor: Tab) -> int:
    """Pixels that a page is wider than the screen."""
    return int(await visitor.eval("document.documentElement.scrollWidth - innerWidth"))


async def test_signing_in_looking_and_signing_out(site: Served, visitor: Tab) -> None:
    secret = await key_with_traffic(site)
    await sign_in(visitor, secret)

    assert secret not in visitor.page.url
    await expect(visitor.page.locator("tr[id^=row-]")).to_have_count(12)
    await visitor.click("#tab-claude")
    await visitor.see("#client-claude", "KEY_A_KEY_OF_MINE")
    await visitor.click("tr[id^=row-] a")
    await visitor.see(".receipt", "seed")
    await visitor.see(".receipt", "A fallback")
    await visitor.click(".crumb a")
    await visitor.see("#window-1h")
    await visitor.page.get_by_role("button", name="Sign out").click()
    await visitor.see("[name=key]")
    assert await visitor.page.locator("#window-1h").count() == 0


async def test_a_wrong_key_is_told_where_it_was_typed(browser: Browser, site: Served) -> None:
    async with tab(browser, site.base) as visitor:
        await visitor.open("/key")
        await visitor.page.fill("[name=key]", "cpa-wrong")
        await visitor.click("[type=submit]")

        await visitor.see("[data-error]", "This API key is unknown, was revoked, or has expired.")
        assert visitor.page.url.endswith("/key")


@pytest.mark.parametrize("how", [{"locale": "en-US"}, {"locale": "zh-CN"}])
async def test_on_a_phone_nothing_is_wider_than_the_screen(
    browser: Browser, site: Served, how: dict[str, Any]
) -> None:
    secret = await key_with_traffic(site)
    async with tab(browser, site.base, phone=True, **how) as visitor:
        await visitor.page.set_viewport_size({"width": 320, "height": 640})
        await visitor.open("/key")
        found = {"sign-in": await over(visitor)}
        await sign_in(visitor, secret)
        found["page"] = await over(visitor)
        await visitor.click("tr[id^=row-] a")
        await visitor.see(".receipt")
        found["receipt"] = await over(visitor)

    assert found == {"sign-in": 0, "page": 0, "receipt": 0}


async def test_the_pages_are_accessible_in_both_themes(browser: Browser, site: Served) -> None:
    secret = await key_with_traffic(site)
    async with tab(browser, site.base, color_scheme="light") as visitor:
        await visitor.open("/key")
        found = {"sign-in": await visitor.axe_of_both_themes()}
        await sign_in(visitor, secret)
        found["page"] = await visitor.axe_of_both_themes()
        await visitor.click("tr[id^=row-] a")
        await visitor.see(".receipt")
        found["receipt"] = await visitor.axe_of_both_themes()

    assert found == {"sign-in": [], "page": [], "receipt": []}
