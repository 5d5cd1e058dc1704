"""An owner comes in by the administrator's link, on a phone and in Chinese, and rules his account."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, ViewportSize, expect
from support.browsers import Tab, tab
from support.owner_scene import token_in
from support.served import Served, served

from codex_proapi.commons.owner_terms.terms import HoursSpan
from codex_proapi.console.owners.consent import CURRENT
from codex_proapi.simulator import Simulator
from codex_proapi.simulator.state.accounts import SavedReset

pytestmark = pytest.mark.browser

WIDE = "document.documentElement.scrollWidth - innerWidth"
NARROW: ViewportSize = {"width": 320, "height": 700}


@pytest_asyncio.fixture(loop_scope="session")
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def bare(redis_url: str, simulator: Simulator) -> AsyncIterator[Served]:
    """A console without accounts, whose OpenAI is the simulator."""
    provided: dict[str, Any] = {
        "codex_auth_url": simulator.auth_url,
        "codex_base_url": simulator.base_url,
    }
    async with served(redis_url, empty=True, **provided) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def administrator(browser: Browser, bare: Served) -> AsyncIterator[Tab]:
    async with tab(browser, bare.base) as opened:
        yield opened
        assert opened.problems == []


@pytest_asyncio.fixture(loop_scope="session")
async def phone(browser: Browser, bare: Served) -> AsyncIterator[Tab]:
    async with tab(browser, bare.base, phone=True, locale="zh-CN") as opened:
        yield opened
        assert opened.problems == []


async def invited(administrator: Tab, name: str = "Ada") -> str:
    """Add an owner on the page; gives the path of the link it shows."""
    await administrator.open("/owners")
    await administrator.click("[data-primary]")
    await administrator.page.fill("#new-owner [name=name]", name)
    await administrator.click("#new-owner [type=submit]")
    await administrator.see("#made-secret", "/owner/enter?link=")
    link = await administrator.text("#made-secret")
    await administrator.click("#made-key [data-close].primary")
    await expect(administrator.page.locator("#made-secret")).to_have_text("")
    assert link.startswith(administrator.base)
    return link.removeprefix(administrator.base)


async def enter(phone: Tab, path: str) -> None:
    await phone.open(path)
    await phone.click("form button")
    await phone.page.wait_for_selector("html[data-page=owner][data-ready]", state="attached")


async def sign_in(phone: Tab, simulator: Simulator, login: str = "ada") -> None:
    """Agree, and sign an account in with a pasted address."""
    await phone.page.evaluate("window.open = () => null")
    await phone.click(".topbar [data-open=add-account]")
    await expect(phone.page.locator("#tab-device")).to_be_hidden()
    await phone.page.check("[data-consent]")
    await phone.click("#tab-pasted")
    await phone.click("#way-pasted [data-begin]")
    await phone.see("[data-login-link]")
    address = await phone.page.get_attribute("[data-login-link]", "href")
    assert address is not None
    await phone.page.fill("#way-pasted textarea", simulator.authorize(address, login))
    await phone.click("#way-pasted [type=submit]")
    await phone.see(".own-account", simulator.account(login).email)


async def test_an_owner_s_way_from_the_link_to_leaving_the_pool(
    administrator: Tab, phone: Tab, bare: Served, simulator: Simulator
) -> None:
    accounts = bare.console.parts.accounts
    path = await invited(administrator)
    await enter(phone, path)
    await phone.see("h1", "您的账号")
    await sign_in(phone, simulator)
    (account,) = await accounts.list()
    assert account.terms.consent.wording == CURRENT

    await phone.click("[data-open=edit-terms]")
    await phone.click("[data-nights]")
    await phone.page.fill("#edit-terms [name=time_zone]", "Asia/Shanghai")
    await phone.page.fill("#edit-terms [name='reserved_percent.weekly']", "40")
    await phone.click("#edit-terms [type=submit]")
    await phone.see(".own-account .facts", "周一–周五 19:00–07:00")
    kept = (await accounts.list())[0].terms
    assert kept.hours == (
        HoursSpan(days=("mon", "tue", "wed", "thu", "fri"), begin="19:00", end="07:00"),
        HoursSpan(days=("sat", "sun"), begin="00:00", end="24:00"),
    )
    assert (kept.time_zone, kept.reserved_percent.weekly) == ("Asia/Shanghai", 40)
    assert kept.consent == account.terms.consent

    await phone.click(".own-account .card-head button")
    await phone.see(".own-account .card-head button", "恢复")
    assert (await accounts.list())[0].terms.paused

    await phone.click("[data-leave]")
    await phone.page.fill("[data-confirm-name]", simulator.account("ada").email)
    await phone.click("[data-confirm-do]")
    await phone.told("登录已吊销")
    await phone.see(".empty")
    assert await accounts.list() == []


async def test_an_owner_reads_his_saved_resets_and_redeems_one(
    administrator: Tab, phone: Tab, simulator: Simulator
) -> None:
    ada = simulator.account("ada")
    ends = time.time() + 9 * 86_400
    ada.saved_resets = [SavedReset(id="saved-1", expires_at=ends)]
    await enter(phone, await invited(administrator))
    await sign_in(phone, simulator)
    reset = phone.page.locator(".reset-row")
    await expect(reset).to_have_count(0)

    await phone.page.get_by_role("button", name="从 OpenAI 读取").click()
    await expect(reset).to_contain_text("可用")
    assert await phone.eval(WIDE) == 0
    await reset.get_by_role("button").click()
    await phone.see("#confirm", "无法撤销")
    assert ada.resets_redeemed == 0
    await phone.click("[data-confirm-do]")

    await expect(reset).to_contain_text("owner:Ada")
    await expect(reset.get_by_role("button")).to_have_count(0)
    assert ada.resets_redeemed == 1


async def test_the_administrator_sees_whose_an_account_is_and_on_which_terms(
    administrator: Tab, phone: Tab, simulator: Simulator, bare: Served
) -> None:
    await enter(phone, await invited(administrator))
    await sign_in(phone, simulator)
    (account,) = await bare.console.parts.accounts.list()

    await administrator.open("/owners")
    await administrator.see(".row-line", simulator.account("ada").email)
    await administrator.open("/accounts?owner=none")
    await administrator.see("[data-nothing]")
    await administrator.page.select_option("[data-owner]", account.owner)
    await administrator.see(".account", "Owner: Ada")
    await administrator.open(f"/accounts/{account.id}")
    await administrator.see(".card", "Owner and terms")
    assert f"wording {CURRENT}" in await administrator.text("main")


async def test_a_link_that_was_used_and_one_that_was_replaced_say_so(
    administrator: Tab, phone: Tab, bare: Served, browser: Browser
) -> None:
    path = await invited(administrator)
    await enter(phone, path)
    async with tab(browser, bare.base) as late:
        await late.open(path)
        await late.click("form button")
        await late.see("[data-error]", "Ask your administrator for a new one.")
    administrator.page.on("dialog", lambda dialog: dialog.dismiss())
    await administrator.open("/owners")
    await administrator.click("[data-invite]")
    await administrator.see("#confirm", "signed out")
    await administrator.click("[data-confirm-do]")
    await administrator.see("#made-secret", "/owner/enter?link=")
    await administrator.click("#made-key [data-close].primary")

    await phone.page.reload()
    await phone.see("h1", "这个浏览器无法进入")
    phone.problems.clear()  # the browser tells of the page's 401


async def test_an_owner_who_opens_another_page_is_back_on_his_own(
    administrator: Tab, phone: Tab
) -> None:
    """Without a password the console on this machine asks nobody: so it has one here."""
    path = await invited(administrator)
    answer = await administrator.page.request.put(
        f"{administrator.base}/api/password",
        data={"password": "correct mule battery clip"},
        headers={
            "x-csrf-token": await administrator.eval(
                "document.querySelector('[name=csrf]').content"
            )
        },
    )
    assert answer.status == httpx.codes.CREATED
    await enter(phone, path)
    for elsewhere in ("/", "/keys", "/accounts", "/logs"):
        await phone.open(elsewhere)
        assert phone.page.url == f"{phone.base}/owner"


async def test_the_pages_of_owners_fit_a_small_phone_and_pass_axe(
    administrator: Tab, phone: Tab, simulator: Simulator
) -> None:
    path = await invited(administrator, "Ada Augusta King, Countess of Lovelace " + "x" * 40)
    await phone.page.set_viewport_size(NARROW)
    await phone.open(path)
    assert (await phone.eval(WIDE), await phone.axe_of_both_themes()) == (0, [])
    await enter(phone, path)
    await sign_in(phone, simulator)
    assert (await phone.eval(WIDE), await phone.axe_of_both_themes()) == (0, [])
    await phone.click("[data-open=edit-terms]")
    await phone.click("[data-nights]")
    body = "(() => { const b = document.querySelector('#edit-terms .dialog-body'); return b.scrollWidth - b.clientWidth; })()"
    assert (await phone.eval(body), await phone.axe_of_both_themes()) == (0, [])
    await administrator.page.set_viewport_size(NARROW)
    await administrator.open("/owners")
    assert (await administrator.eval(WIDE), await administrator.axe_of_both_themes()) == (0, [])


async def test_what_a_span_of_hours_lacks_is_told_in_the_dialog(
    administrator: Tab, phone: Tab, simulator: Simulator
) -> None:
    await enter(phone, await invited(administrator))
    await sign_in(phone, simulator)
    await phone.click("[data-open=edit-terms]")
    await phone.click("[data-add-span]")
    for day in await phone.page.locator(".day input").all():
        await day.uncheck()
    await phone.click("#edit-terms [type=submit]")
    await phone.see("#edit-terms [data-error]", "hours[0].days")
    problems, phone.problems = phone.problems, []
    assert all("400" in each for each in problems)


def test_the_token_is_all_of_the_link_that_matters() -> None:
    assert re.fullmatch(r"own_\w+\.x", token_in("https://a.example/owner/enter?link=own_1.x"))
