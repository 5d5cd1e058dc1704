"""Every page in both themes against WCAG 2.2 AA, as axe-core sees it."""

import pytest
from playwright.async_api import Browser
from support.browsers import tab
from support.consoles import PASSWORD
from support.served import Served, served

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


async def test_every_page_is_accessible(browser: Browser, site: Served) -> None:
    async with tab(browser, site.base, color_scheme="light") as visitor:
        found = {}
        for path in (*PAGES, f"/accounts/{site.scene.ids[0]}"):
            await visitor.open(path)
            if problems := await visitor.axe_of_both_themes():
                found[path] = problems

    assert found == {}, "\n".join(map(str, found.items()))


async def test_every_page_is_accessible_on_a_phone(browser: Browser, site: Served) -> None:
    async with tab(browser, site.base, phone=True, color_scheme="dark") as visitor:
        found = {}
        for path in (*PAGES, f"/accounts/{site.scene.ids[0]}"):
            await visitor.open(path)
            if problems := await visitor.axe():
                found[path] = problems

    assert found == {}, "\n".join(map(str, found.items()))


async def test_what_opens_is_accessible_too(browser: Browser, site: Served) -> None:
    async with tab(browser, site.base, color_scheme="light") as visitor:
        found = {}
        for path, opener in (
            ("/accounts", "[data-open=add-account]"),
            ("/accounts", "details.menu summary"),
            ("/keys", "[data-open=new-key]"),
            ("/logs", ".log-line"),
            ("/logs", ".filters summary"),
            ("/", "#open-help"),
            ("/", "[data-table]"),
        ):
            await visitor.open(path)
            await visitor.click(opener)
            # An open menu covers the buttons of the rows below it, as menus do.
            covering = ("target-size",) if "menu" in opener else ()
            if problems := await visitor.axe_of_both_themes(without=covering):
                found[path, opener] = problems

    assert found == {}, "\n".join(map(str, found.items()))


async def test_empty_pages_and_the_sign_in_page_are_accessible(
    browser: Browser, redis_url: str
) -> None:
    found = {}
    async with (
        served(redis_url, empty=True) as site,
        tab(browser, site.base, color_scheme="light") as visitor,
    ):
        for path in (*PAGES, "/nowhere"):
            await visitor.open(path)
            if problems := await visitor.axe_of_both_themes():
                found[path] = problems
    async with (
        served(redis_url, empty=True, admin_password=PASSWORD) as site,
        tab(browser, site.base, color_scheme="light") as visitor,
    ):
        await visitor.open("/")
        if problems := await visitor.axe_of_both_themes():
            found["sign in"] = problems

    assert found == {}, "\n".join(map(str, found.items()))
