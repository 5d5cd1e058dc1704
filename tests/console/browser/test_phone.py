"""390 pixels: nothing wider than the screen, everything large enough for a thumb, a drawer."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from support.browsers import Tab, tab
from support.served import Served

from codex_proapi.commons.accounts.one_line import MOST_NAME

pytestmark = pytest.mark.browser

PAGES = (
    "/",
    "/accounts",
    "/catalogue",
    "/keys",
    "/usage",
    "/what-if",
    "/connect",
    "/logs",
    "/alerts",
    "/owners",
    "/settings",
)
SMALL = """() => [...document.querySelectorAll("a.button, button, summary, input, select, [role=tab], .nav a")]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".unseen, [inert]") && e.type !== "file")
  .map((e) => {
    const whole = e.closest("label.check, label.option, .switch") || e;
    const box = whole.getBoundingClientRect();
    const after = parseFloat(getComputedStyle(e, "::before").top) || 0;
    return [e.outerHTML.slice(0, 90), Math.round(box.width), Math.round(box.height - Math.min(0, after) * 2)];
  })
  .filter(([, width, height]) => height < 43.5 && width > 0)"""


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser, site: Served) -> AsyncIterator[Tab]:
    """A phone on the console with data."""
    async with tab(browser, site.base, phone=True) as opened:
        yield opened
        assert opened.problems == []


async def test_no_page_scrolls_sideways(phone: Tab, site: Served) -> None:
    wide = {}
    for path in (*PAGES, f"/accounts/{site.scene.ids[0]}"):
        await phone.open(path)
        over = await phone.eval("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            wide[path] = over

    assert wide == {}


LABELS = """() => [...document.querySelectorAll(".cards-on-phone td[data-label]")].flatMap((cell) => {
  const style = getComputedStyle(cell, "::before");
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const words = style.whiteSpace === "nowrap" ? [cell.dataset.label] : cell.dataset.label.split(" ");
  const widest = Math.max(...words.map((word) => pen.measureText(word).width));
  return widest > parseFloat(getComputedStyle(cell).gridTemplateColumns) ? [`${cell.dataset.label}: ${widest}`] : [];
})"""


async def test_no_label_of_a_card_runs_into_its_value(phone: Tab) -> None:
    for path in ("/catalogue", "/keys", "/usage"):
        await phone.open(path)
        assert await phone.eval(LABELS) == []


async def test_targets_are_large_enough_for_a_thumb(phone: Tab) -> None:
    small = {}
    for path in PAGES:
        await phone.open(path)
        if found := await phone.eval(SMALL):
            small[path] = found

    assert small == {}, small


async def test_both_days_of_the_usage_and_their_button_stand_in_one_row(
    browser: Browser, site: Served
) -> None:
    async with tab(browser, site.base, phone=True, viewport={"width": 360, "height": 740}) as page:
        await page.open("/usage")
        tops = await page.eval(
            "[...document.querySelectorAll('.usage-days :is(input[type=date], button)')]"
            ".map((each) => Math.round(each.getBoundingClientRect().top))"
        )

    assert len(tops) == 3
    assert len(set(tops)) == 1


async def test_the_menu_is_a_drawer_that_gives_the_focus_back(phone: Tab) -> None:
    await phone.open("/accounts")
    await expect(phone.page.locator(".nav")).not_to_be_visible()

    await phone.click("#open-drawer")
    await phone.see(".nav")
    assert await phone.eval("document.activeElement.closest('.nav') !== null")
    await phone.page.keyboard.press("Escape")
    await phone.gone(".nav")
    assert await phone.eval("document.activeElement.id") == "open-drawer"


async def test_the_drawer_leads_to_other_pages(phone: Tab) -> None:
    await phone.open("/accounts")
    await phone.click("#open-drawer")
    await phone.click('.nav a[href="/keys"]')

    await phone.see("h1", "API keys")


async def test_tables_become_cards(phone: Tab) -> None:
    await phone.open("/keys")

    assert (
        await phone.eval("getComputedStyle(document.querySelector('#key-list > tr')).display")
        == "grid"
    )
    assert (
        await phone.eval(
            "getComputedStyle(document.querySelector('#key-list td[data-label]'), '::before').content"
        )
        == '"Key"'
    )


async def test_the_dialog_fits_with_its_button_on_the_screen(phone: Tab) -> None:
    await phone.open("/accounts")
    for way in ("device", "pasted", "auth_json"):  # no browser: another address is registered
        await phone.click("[data-open=add-account]")
        await phone.click(f"#tab-{way}")
        box = await phone.page.locator("#add-account").bounding_box()
        assert box
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 844
        await phone.page.keyboard.press("Escape")


@pytest.mark.parametrize("width", [1280, 900, 390, 320])
async def test_nothing_that_is_long_makes_a_page_scroll_sideways(
    browser: Browser, site: Served, width: int
) -> None:
    """320 px is also what a desktop shows at 400 %, WCAG 1.4.10."""
    words, letters = "Department of Research " * 4 + "North", "x" * MOST_NAME
    await site.scene.keys.create(letters, owner=words)
    await site.scene.accounts.rename(site.scene.ids[0], letters)
    async with httpx.AsyncClient(base_url=site.base, trust_env=False, timeout=60) as api:
        for routing in ("least_used", "round_robin"):
            change = {"routing": routing, "model_aliases": {letters[:60]: "gpt-6-sol"}}
            assert (await api.patch("/api/settings", json=change)).is_success

    async with tab(browser, site.base, viewport={"width": width, "height": 700}) as page:
        for path in ("/", "/accounts", "/keys", "/usage", "/logs", "/settings"):
            await page.open(path)
            over = await page.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert (path, over) <= (path, 0)
