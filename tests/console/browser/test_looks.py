"""Language and theme: chosen once, kept, and without a flash."""

import pytest
from playwright.async_api import Browser, expect
from support.browsers import Tab, tab
from support.served import Served

pytestmark = pytest.mark.browser

GROUND = "getComputedStyle(document.body.parentElement).backgroundColor"
DARK, LIGHT = "rgb(15, 16, 20)", "rgb(247, 247, 249)"


@pytest.mark.parametrize(("scheme", "ground"), [("light", LIGHT), ("dark", DARK)])
async def test_without_a_choice_the_system_decides(
    browser: Browser, site: Served, scheme: str, ground: str
) -> None:
    async with tab(browser, site.base, color_scheme=scheme) as visitor:
        await visitor.open("/keys")

        assert await visitor.eval(GROUND) == ground


async def test_a_chosen_theme_is_in_the_first_bytes_of_the_next_page(visitor: Tab) -> None:
    await visitor.open("/keys")
    await visitor.click('.sidebar [data-theme-choice="dark"]')
    assert await visitor.eval(GROUND) == DARK

    response = await visitor.page.goto(f"{visitor.base}/accounts", wait_until="commit")

    assert response
    assert 'data-theme="dark"' in (await response.text())[:300]
    assert await visitor.eval(GROUND) == DARK


async def test_charts_follow_the_theme(visitor: Tab) -> None:
    await visitor.open("/")
    await visitor.page.wait_for_selector("#charts canvas")
    await visitor.eval("document.querySelector('#charts canvas').dataset.old = '1'")
    await visitor.click('.sidebar [data-theme-choice="dark"]')

    await visitor.page.wait_for_selector("#charts canvas:not([data-old])")


async def test_the_language_switch_keeps_the_page_and_its_filters(visitor: Tab) -> None:
    await visitor.open("/logs?level=error&status=5xx")
    await visitor.click(".topbar [data-language-choice]")
    await visitor.see("h1", "日志")

    assert visitor.page.url == f"{visitor.base}/logs?level=error&status=5xx"
    await expect(visitor.page.locator("[name=status]")).to_have_value("5xx")
    await visitor.click(".topbar [data-language-choice]")
    await visitor.see("h1", "Logs")


async def test_times_and_numbers_are_the_readers(browser: Browser, site: Served) -> None:
    async with tab(browser, site.base, locale="zh-CN") as chinese:
        await chinese.open("/accounts")
        await chinese.see(".bar-foot", "小时")
    async with tab(browser, site.base) as english:
        await english.open("/accounts")
        await english.see(".bar-foot", "in 2 hr")


async def test_a_reset_shows_its_moment_to_pointer_and_keyboard(visitor: Tab) -> None:
    await visitor.open("/accounts")
    time = visitor.page.locator(".bar-foot time").first
    await time.focus()

    tip = await time.evaluate("(e) => getComputedStyle(e, '::after').content")
    assert "20" in tip, "the year of the whole date"


async def test_who_wants_no_motion_gets_none(browser: Browser, site: Served) -> None:
    async with tab(browser, site.base, reduced_motion="reduce") as visitor:
        await visitor.open("/logs")
        length = await visitor.eval(
            "getComputedStyle(document.querySelector('.stream-state .dot')).animationDuration"
        )

        assert length in {"1e-05s", "0.00001s", "0s"}
