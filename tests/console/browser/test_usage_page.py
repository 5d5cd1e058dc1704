"""Usage: other days are asked for by a form, a key is told apart by a click."""

import pytest
from playwright.async_api import expect
from support.browsers import Tab

pytestmark = pytest.mark.browser


async def test_other_days_are_shown_and_a_key_is_told_apart_in_them(visitor: Tab) -> None:
    await visitor.open("/usage")
    first = await visitor.page.input_value("[name=since]")
    await visitor.page.fill("[name=until]", first)
    await visitor.click(".usage-days [type=submit]")
    await visitor.page.wait_for_url(f"**/usage?by=key&since={first}&until={first}")
    await visitor.open(f"/usage?by=key&since={first}")

    await visitor.page.get_by_role("link", name="CI", exact=True).click()
    await visitor.see(".usage-only", "Models that were used with the key CI")
    await expect(visitor.page.locator("[name=since]")).to_have_value(first)
    await visitor.see("#row-total", "Total")
    await visitor.click(".usage-only a")
    await visitor.gone(".usage-only")
    await visitor.see("#row-total", "Total")


@pytest.mark.parametrize("width", [900, 1280])
async def test_the_widest_table_stays_in_its_card(visitor: Tab, width: int) -> None:
    """Ten columns: on a small laptop the last of them stood beside the card, and the page scrolled."""
    await visitor.page.set_viewport_size({"width": width, "height": 800})
    await visitor.open("/usage")
    await visitor.see("#row-total", "Total")

    over = await visitor.eval("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0
