"""Signing in and out; a session that ends while a page is open; two consoles with one Redis."""

import pytest
from playwright.async_api import Browser
from support.browsers import tab
from support.consoles import PASSWORD
from support.served import served

from codex_proapi.console.server.error_responses import SIGN_IN_PAGE

pytestmark = pytest.mark.browser


async def test_signing_in_leads_where_one_was_going(browser: Browser, redis_url: str) -> None:
    async with (
        served(redis_url, admin_password=PASSWORD) as site,
        tab(browser, site.base) as page,
    ):
        await page.open("/logs?level=error")
        await page.see("h1", "Sign in")
        await page.page.fill("[name=password]", "not the password")
        await page.click("[type=submit]")
        await page.see("[data-error]", "That password is not right.")
        await page.page.fill("[name=password]", PASSWORD)
        await page.click("[type=submit]")
        await page.see("h1", "Logs")

        assert page.page.url == f"{site.base}/logs?level=error"
        await page.page.wait_for_selector("html[data-ready]", state="attached")
        await page.click("#sign-out")
        await page.see("h1", "Sign in")
        assert page.page.url.startswith(f"{site.base}{SIGN_IN_PAGE}")


async def test_a_session_that_ends_keeps_the_page_and_asks_again(
    browser: Browser, redis_url: str
) -> None:
    async with (
        served(redis_url, admin_password=PASSWORD) as site,
        tab(browser, site.base) as page,
    ):
        await page.open("/keys")
        await page.page.fill("[name=password]", PASSWORD)
        await page.click("[type=submit]")
        await page.see("h1", "API keys")
        await page.page.wait_for_selector("html[data-ready]", state="attached")
        await page.click("[data-open=new-key]")
        await page.page.fill("#new-key [name=name]", "Half done")
        await site.console.parts.sessions.end_all()

        await page.click("#new-key [type=submit]")
        await page.see("#sign-in-again", "This page stays as it is.")
        await page.page.fill("#sign-in-again [name=password]", "wrong one")
        await page.click("#sign-in-again [type=submit]")
        await page.see("#sign-in-again [data-error]", "That password is not right.")
        await page.page.fill("#sign-in-again [name=password]", PASSWORD)
        await page.click("#sign-in-again [type=submit]")

        await page.see("#made-key")
        assert [key.name for key in await site.scene.keys.list()].count("Half done") == 1


async def test_who_tried_too_often_is_told_how_long_to_wait(
    browser: Browser, redis_url: str
) -> None:
    async with (
        served(redis_url, admin_password=PASSWORD) as site,
        tab(browser, site.base) as visitor,
    ):
        await visitor.open("/accounts")
        for _ in range(11):
            await visitor.page.fill("[name=password]", "not the password")
            async with visitor.page.expect_response("**/api/session") as answer:
                await visitor.click("[type=submit]")
            if (await answer.value).status == 429:
                break

        await visitor.see("[data-error]", "Try again in")
        told = await visitor.text("[data-error]")
        assert "Retry-After" not in told
        assert "too_many_attempts" in told


async def test_signing_out_everywhere_ends_the_streams_of_other_browsers(
    browser: Browser, redis_url: str
) -> None:
    async with (
        served(redis_url, admin_password=PASSWORD) as site,
        tab(browser, site.base) as here,
        tab(browser, site.base) as there,
    ):
        for each in (here, there):
            await each.open("/settings")
            await each.page.fill("[name=password]", PASSWORD)
            await each.click("[type=submit]")
            await each.see("h1", "Settings")
            await each.page.wait_for_selector("html[data-ready]", state="attached")
        await here.click("button:has-text('Sign out everywhere')")
        await here.click("[data-confirm-do]")
        await here.see("h1", "Sign in")

        await there.see("#sign-in-again")


async def test_two_consoles_show_the_same_and_tell_each_other(
    browser: Browser, redis_url: str
) -> None:
    async with (
        served(redis_url) as one,
        served(redis_url, empty=True) as two,
        tab(browser, one.base) as first,
        tab(browser, two.base) as second,
    ):
        await first.open("/accounts")
        await second.open("/accounts")
        await second.see("#live-state", "live")
        row = f"#row-{one.scene.ids[0]}"
        await first.click(f"{row} details.menu summary")
        await first.click(f"{row} .menu-list button:has-text('Pause')")

        await second.see(f"{row} .pill", "Paused")
