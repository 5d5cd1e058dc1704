"""Everything by keyboard: shortcuts, the skip link, dialogs that keep and give back the focus."""

import pytest
from playwright.async_api import expect
from support.browsers import Tab

pytestmark = pytest.mark.browser

FOCUS = "document.activeElement.id || document.activeElement.className"


async def test_a_slash_goes_to_the_search(visitor: Tab) -> None:
    await visitor.open("/accounts")
    await visitor.page.keyboard.press("/")
    await visitor.page.keyboard.type("grace")

    await expect(visitor.page.locator("#search")).to_have_value("grace")
    await expect(visitor.page.locator("#account-list > li:visible")).to_have_count(1)


async def test_a_search_without_a_match_says_so(visitor: Tab) -> None:
    await visitor.open("/accounts")
    await visitor.page.fill("#search", "nobody at all")

    await visitor.see("[data-nothing]", "No account matches the search.")


@pytest.mark.parametrize(
    ("key", "title"),
    [("k", "API keys"), ("a", "Accounts"), ("m", "Models"), ("l", "Logs"), ("s", "Settings")],
)
async def test_g_and_a_letter_go_to_a_page(visitor: Tab, key: str, title: str) -> None:
    await visitor.open("/connect")
    await visitor.eval(
        "now => { Date.now = () => now; }", 1_795_000_000_000
    )  # not too slow for one
    await visitor.page.keyboard.press("g")
    await visitor.page.keyboard.press(key)

    await visitor.see("h1", title)


async def test_letters_typed_into_a_field_are_only_letters(visitor: Tab) -> None:
    await visitor.open("/accounts")
    await visitor.click("#search")
    await visitor.page.keyboard.type("g k?n/")

    await expect(visitor.page.locator("#search")).to_have_value("g k?n/")
    await expect(visitor.page.locator("dialog[open]")).not_to_be_visible()


async def test_the_help_opens_closes_and_gives_the_focus_back(visitor: Tab) -> None:
    await visitor.open("/accounts")
    await visitor.page.focus("#open-help")
    await visitor.page.keyboard.press("?")
    await visitor.see("#help", "Keyboard shortcuts")
    await visitor.page.keyboard.press("Escape")
    await visitor.gone("#help")

    assert await visitor.eval("document.activeElement.id") == "open-help"


async def test_n_is_the_pages_main_action(visitor: Tab) -> None:
    await visitor.open("/keys")
    await visitor.page.keyboard.press("n")

    await visitor.see("#new-key")
    assert await visitor.eval("document.activeElement.name") == "name"


async def test_the_first_tab_skips_to_the_content(visitor: Tab) -> None:
    await visitor.open("/keys")
    await visitor.page.keyboard.press("Tab")
    await visitor.see(".skip")
    await visitor.page.keyboard.press("Enter")

    assert await visitor.eval("document.activeElement.id") == "main"


async def test_a_dialog_keeps_the_focus_inside(visitor: Tab) -> None:
    await visitor.open("/accounts")
    await visitor.click("[data-open=add-account]")
    for _ in range(12):
        await visitor.page.keyboard.press("Tab")
        inside = (
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
        assert await visitor.eval(inside), await visitor.eval(FOCUS)


async def test_the_submit_button_of_a_dialog_is_on_the_screen(visitor: Tab) -> None:
    await visitor.open("/accounts")
    await visitor.click("[data-open=add-account]")
    await visitor.click("#tab-auth_json")
    box = await visitor.page.locator("#way-auth_json [data-look]").bounding_box()

    assert box
    assert box["y"] + box["height"] < 900


async def test_tabs_are_chosen_with_arrows(visitor: Tab) -> None:
    await visitor.open("/accounts")
    await visitor.click("[data-open=add-account]")
    await visitor.page.focus('#add-account [role="tab"]')
    first = await visitor.eval("document.activeElement.id")
    await visitor.page.keyboard.press("ArrowRight")
    second = await visitor.eval("document.activeElement.id")
    await visitor.page.keyboard.press("End")
    last = await visitor.eval("document.activeElement.id")

    assert (first, second, last) == ("tab-device", "tab-pasted", "tab-access_token")
    await visitor.see("#way-access_token")


async def test_escape_closes_a_menu_and_gives_the_focus_back(visitor: Tab) -> None:
    await visitor.open("/accounts")
    summary = visitor.page.locator("details.menu summary").first
    await summary.focus()
    await visitor.page.keyboard.press("Enter")
    await visitor.see(".menu-list")
    await visitor.page.keyboard.press("Escape")
    await visitor.gone(".menu-list")

    assert await summary.evaluate("(e) => e === document.activeElement")


async def test_log_lines_are_walked_with_arrows(visitor: Tab) -> None:
    await visitor.open("/logs")
    await visitor.page.focus(".log-row:nth-child(1) .log-line")
    await visitor.page.keyboard.press("ArrowDown")
    await visitor.page.keyboard.press("Enter")

    await visitor.see(".log-row:nth-child(2) .log-detail")


async def test_single_letters_can_be_switched_off(visitor: Tab) -> None:
    """WCAG 2.1.4: for speech input, where a spoken word is many keys."""
    await visitor.open("/settings")
    await visitor.click("[data-shortcuts-choice=off]")
    await visitor.open("/keys")
    await visitor.page.keyboard.press("n")
    await visitor.page.keyboard.press("?")
    await expect(visitor.page.locator("dialog[open]")).not_to_be_visible()

    await visitor.open("/settings")
    assert await visitor.page.get_attribute("[data-shortcuts-choice=off]", "aria-pressed") == "true"
    await visitor.click("[data-shortcuts-choice=on]")
    await visitor.open("/keys")
    await visitor.page.keyboard.press("n")
    await visitor.see("#new-key", "Create an API key")
