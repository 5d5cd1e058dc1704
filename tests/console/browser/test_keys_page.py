"""API keys: made and shown this once, changed, rotated, revoked, deleted."""

import pytest
from playwright.async_api import Browser, expect
from support.browsers import Tab, tab
from support.logins import a_login
from support.served import Served

from codex_proapi.commons.api_keys.limits import Limits

pytestmark = pytest.mark.browser


async def test_a_key_is_shown_this_once_and_works(site: Served, visitor: Tab) -> None:
    await visitor.open("/keys")
    await visitor.page.keyboard.press("n")
    await visitor.page.fill("#new-key [name=name]", "My laptop")
    await visitor.page.select_option("#new-key [name=ends]", "604800")
    await visitor.click("#new-key summary")
    await visitor.page.fill('#new-key [name="limits.rpm"]', "30")
    await visitor.click("#new-key [value='gpt-5.5']")
    await visitor.click("#new-key [type=submit]")
    await visitor.see("#made-key", "it is shown this once only")
    secret = await visitor.text("#made-secret")
    key = await site.scene.keys.find(secret)

    assert key
    assert (key.name, key.limits.rpm, key.allowed_models) == ("My laptop", 30, ("gpt-5.5",))
    assert key.expires_at > site.scene.now + 600_000

    await visitor.click("#made-key [data-close].button:not(.icon-only)")
    await visitor.see("#key-list", "My laptop")
    await expect(visitor.page.locator("#made-secret")).to_have_text("")
    assert secret not in await visitor.page.content()
    await visitor.open("/keys")
    assert secret not in await visitor.page.content()
    assert secret[:12] in await visitor.page.content()


async def test_all_a_key_may_be_is_changed_and_what_the_form_cannot_show_stays(
    site: Served, visitor: Tab
) -> None:
    account = (await site.scene.accounts.list())[0].id
    key, _ = await site.scene.keys.create(
        "Odd",
        default_effort="ultra",
        reasoning_summary="detailed",
        allowed_models=("gpt-of-old",),
        expires_at=4_000_000_000,
    )
    await visitor.open("/keys")
    await visitor.click(f"#row-{key.id} summary")
    await visitor.click(f"#row-{key.id} [data-open=edit-key]")
    await visitor.page.fill("#edit-key [name=weight]", "2.5")
    await visitor.page.select_option("#edit-key [name=default_model]", "gpt-5.5")
    await visitor.click(f"#edit-key [value='{account}']")
    await visitor.click("#edit-key [type=submit]")
    await visitor.see("#row-" + key.id, "2.5")

    changed = await site.scene.keys.get(key.id)
    assert changed
    assert (changed.weight, changed.default_model) == (2.5, "gpt-5.5")
    assert changed.allowed_accounts == (account,)
    assert (changed.default_effort, changed.allowed_models) == ("ultra", ("gpt-of-old",))
    assert (changed.expires_at, changed.reasoning_summary) == (4_000_000_000, "detailed")


async def test_a_click_beside_does_not_close_what_is_shown_once(visitor: Tab) -> None:
    await visitor.open("/keys?new")
    await visitor.page.fill("#new-key [name=name]", "Kept")
    await visitor.click("#new-key [type=submit]")
    await visitor.see("#made-key")
    await visitor.page.mouse.click(5, 5)

    await expect(visitor.page.locator("#made-key").first).to_be_visible()


async def test_a_new_key_goes_along_to_the_snippets_once(visitor: Tab) -> None:
    await visitor.open("/keys?new")
    await visitor.page.fill("#new-key [name=name]", "Carried")
    await visitor.click("#new-key [type=submit]")
    await visitor.see("#made-key")
    secret = await visitor.text("#made-secret")
    await visitor.click("[data-carry-key]")
    await visitor.page.wait_for_selector("html[data-ready]", state="attached")
    await visitor.page.wait_for_url("**/connect")
    await visitor.see("#client-codex pre", secret)

    assert await visitor.eval("sessionStorage.length") == 0
    await visitor.open("/connect")
    assert secret not in await visitor.page.content()


async def test_a_key_is_copied_with_a_word_of_success(browser: Browser, site: Served) -> None:
    async with tab(
        browser, site.base, permissions=["clipboard-read", "clipboard-write"]
    ) as visitor:
        await visitor.open("/keys?new")
        await visitor.page.fill("#new-key [name=name]", "To be had")
        await visitor.click("#new-key [type=submit]")
        await visitor.see("#made-key")
        await visitor.click("#made-key [data-copy]")
        await visitor.told("Copied")

        assert await visitor.eval("navigator.clipboard.readText()") == await visitor.text(
            "#made-secret"
        )


async def test_where_the_browser_has_no_clipboard_copying_works_too(visitor: Tab) -> None:
    """Plain http on another host: navigator.clipboard is not there."""
    await visitor.page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
    )
    await visitor.open("/connect")
    await visitor.eval(
        "document.addEventListener('copy', () => (window.copied = getSelection().toString() || document.activeElement.value))"
    )
    await visitor.click('[data-copy="#base-url"]')
    await visitor.told("Copied")

    assert await visitor.eval("window.copied") == f"{visitor.base}/v1"


async def test_name_and_limits_are_changed(site: Served, visitor: Tab) -> None:
    (laptop, *_) = site.scene.key_names
    row = f"#row-{laptop}"
    await visitor.open("/keys")
    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} [data-open=edit-key]")
    await expect(visitor.page.locator("#edit-key [name=name]")).to_have_value("Codex on the laptop")
    await visitor.page.fill("#edit-key [name=name]", "Desk")
    await visitor.page.fill('#edit-key [name="limits.tokens_day"]', "1000000")
    await visitor.page.fill('#edit-key [name="limits.micro_usd_day"]', "12.34")
    await visitor.click("#edit-key [type=submit]")
    await visitor.see(row, "1M tokens a day")

    key = await site.scene.keys.get(laptop)
    assert key
    assert (key.name, key.limits.tokens_day, key.owner) == ("Desk", 1_000_000, "Ada")
    assert key.limits.micro_usd_day == 12_340_000


async def test_rotating_gives_another_secret_and_lets_the_old_one_go_on(
    site: Served, visitor: Tab
) -> None:
    key, old = await site.scene.keys.create("Turning", created_at=1)
    row = f"#row-{key.id}"
    await visitor.open("/keys")
    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} [data-open=rotate-key]")
    await visitor.see("#rotate-key", "Turning")
    await visitor.click("#rotate-key [type=submit]")
    await visitor.see("#made-key")
    secret = await visitor.text("#made-secret")

    assert secret != old
    for each in (secret, old):
        found = await site.scene.keys.find(each)
        assert found
        assert found.id == key.id


async def test_revoking_names_the_key_and_its_effect(site: Served, visitor: Tab) -> None:
    (laptop, *_) = site.scene.key_names
    row = f"#row-{laptop}"
    await visitor.open("/keys")
    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} .danger-text:has-text('Revoke')")
    await visitor.see("#confirm", "Revoke Codex on the laptop?")
    await visitor.see("#confirm", "refused within two seconds")
    await visitor.click("[data-confirm-do]")
    await visitor.see(f"{row} .pill", "Revoked")

    key = await site.scene.keys.get(laptop)
    assert key
    assert key.revoked


async def test_deleting_forgets_the_key(site: Served, visitor: Tab) -> None:
    old = list(site.scene.key_names)[2]
    row = f"#row-{old}"
    await visitor.open("/keys")
    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} .danger-text:has-text('Delete')")
    await visitor.click("[data-confirm-do]")
    await visitor.gone(row)

    assert await site.scene.keys.get(old) is None


async def test_what_the_server_refuses_is_told_in_the_dialog(visitor: Tab) -> None:
    await visitor.open("/keys?new")
    await visitor.page.fill("#new-key [name=name]", "   x   ")
    await visitor.eval(
        "document.querySelector('#new-key [name=owner]').removeAttribute('maxlength')"
    )
    await visitor.page.fill("#new-key [name=owner]", "y" * 400)
    await visitor.click("#new-key [type=submit]")
    await visitor.see("#new-key [data-error]", "A value is not valid.")
    await visitor.see("#new-key [data-error]", "req_")
    visitor.problems.clear()


async def test_escape_does_not_close_what_is_shown_once(visitor: Tab) -> None:
    await visitor.open("/keys")
    await visitor.page.keyboard.press("n")
    await visitor.page.fill("#new-key [name=name]", "My laptop")
    await visitor.click("#new-key [type=submit]")
    await visitor.see("#made-key", "it is shown this once only")

    for _ in range(3):
        await visitor.page.keyboard.press("Escape")

    assert (await visitor.text("#made-secret")).startswith("cpa-")
    await expect(visitor.page.locator("#made-key").first).to_be_visible()
    await expect(visitor.page.locator("#made-key .dialog-head [data-close]")).not_to_be_visible()
    await visitor.click("#made-key .dialog-foot [data-close]")
    await visitor.gone("#made-key")


async def test_those_selected_and_shown_are_changed_at_once_and_no_others(
    site: Served, visitor: Tab
) -> None:
    keys = site.scene.keys
    first, second, third = [
        (await keys.create(f"Many {n}", limits=Limits(rpm=n, tpm=5), created_at=1))[0].id
        for n in (1, 2, 3)
    ]
    await visitor.open("/keys")
    for key in (first, second, third):
        await visitor.page.check(f"#row-{key} [data-pick]")
    await visitor.page.fill("#search", "Many")
    await visitor.page.fill("#search", "Many 1")
    await visitor.see("[data-bulk-count]", "1 key selected")
    await visitor.page.fill("#search", "Many")
    await visitor.page.check("[data-pick-all]")
    await visitor.see("[data-bulk-count]", "3 keys selected")
    await visitor.page.uncheck(f"#row-{third} [data-pick]")
    await visitor.click("#bulk [data-open=bulk-limits]")
    await visitor.page.fill("#bulk-limits [name=concurrent]", "4")
    await visitor.page.fill("#bulk-limits [name=tpm]", "0")
    await visitor.page.fill("#bulk-limits [name=micro_usd_month]", "0.5")
    await visitor.click("#bulk-limits [type=submit]")
    await visitor.told("Done for 2 keys.")

    changed = [await keys.get(key) for key in (first, second, third)]
    limits = [(key.limits.rpm, key.limits.tpm, key.limits.concurrent) for key in changed if key]
    assert limits == [(1, 0, 4), (2, 0, 4), (3, 5, 0)]
    assert [key.limits.micro_usd_month for key in changed if key] == [500_000, 500_000, 0]

    await visitor.click("[data-bulk=revoke]")
    await visitor.see("#confirm", "Revoke 2 keys?")
    await visitor.see("#confirm", "Many 1, Many 2.")
    await visitor.click("[data-confirm-do]")
    await visitor.see(f"#row-{second} .pill", "Revoked")
    revoked = [await keys.get(key) for key in (first, second, third)]
    assert [key.revoked for key in revoked if key] == [True, True, False]


async def test_a_new_key_takes_the_limits_of_another(site: Served, visitor: Tab) -> None:
    like, _ = await site.scene.keys.create(
        "Pattern",
        owner="Ada",
        limits=Limits(tokens_day=77),
        weight=3.0,
        allowed_models=("gpt-5.5",),
        default_effort="high",
        reasoning_summary="auto",
    )
    await visitor.open("/keys")
    await visitor.click(f"#row-{like.id} details.menu summary")
    await visitor.click(f"#row-{like.id} [data-like]")
    await visitor.page.fill("#new-key [name=name]", "Copy")
    await visitor.click("#new-key [type=submit]")
    await visitor.see("#made-key")
    made = await site.scene.keys.find(await visitor.text("#made-secret"))

    assert made
    assert (made.name, made.owner, made.limits.tokens_day, made.weight) == ("Copy", "", 77, 3.0)
    assert (made.allowed_models, made.default_effort) == (("gpt-5.5",), "high")
    assert made.reasoning_summary == "auto"
    await visitor.click("#made-key .dialog-foot [data-close]")
    await expect(visitor.page.locator("#made-secret")).to_have_text("")
    await visitor.page.keyboard.press("n")
    await visitor.see("#new-key")
    await expect(visitor.page.locator('#new-key [name="limits.tokens_day"]')).to_have_value("")


async def test_accounts_of_a_key_are_searched_where_there_are_many(
    site: Served, visitor: Tab
) -> None:
    for number in range(10):
        await site.scene.accounts.add(
            a_login(
                exp=4_000_000_000,
                workspace=f"ws-more-{number}",
                email=f"more-{number}@example.com",
                refresh_token=f"rt_more_{number}",
            )
        )
    await visitor.open("/keys?new")
    await visitor.click("#new-key summary")
    await visitor.page.fill("#new-key [data-narrow]", "MORE-7")

    options = visitor.page.locator("#new-key .checks > label:visible", has_text="@example.com")
    assert [each.strip() for each in await options.all_inner_texts()] == ["more-7@example.com"]


async def test_keys_are_put_into_groups_one_by_one_and_together(site: Served, visitor: Tab) -> None:
    keys = [(await site.scene.keys.create(f"Group {number}"))[0].id for number in range(3)]
    await visitor.open("/keys")
    await visitor.click(f"#row-{keys[0]} summary")
    await visitor.click(f"#row-{keys[0]} [data-open=edit-key]")
    await visitor.page.fill("#edit-key [name=group]", " night shift ")
    await visitor.click("#edit-key [type=submit]")
    await visitor.see(f"#row-{keys[0]}", "night shift")

    for key in keys[1:]:
        await visitor.click(f"#row-{key} [data-pick]")
    await visitor.click("#bulk [data-open=bulk-limits]")
    await visitor.page.fill("#bulk-limits [name=group]", "night shift")
    await visitor.click("#bulk-limits [type=submit]")
    await visitor.see(f"#row-{keys[2]}", "night shift")
    found = {key.id: key for key in await site.scene.keys.list()}
    assert [found[key].group for key in keys] == ["night shift"] * 3

    await visitor.open("/keys?group=night+shift")
    await expect(visitor.page.locator("#key-list > tr")).to_have_count(3)
    await visitor.click(f"#row-{keys[1]} [data-pick]")
    await visitor.click("#bulk [data-open=bulk-limits]")
    await visitor.page.fill("#bulk-limits [name=group]", "-")
    await visitor.click("#bulk-limits [type=submit]")
    await visitor.page.wait_for_selector(f"#row-{keys[1]}", state="detached")
    changed = await site.scene.keys.get(keys[1])
    assert changed
    assert changed.group == ""
