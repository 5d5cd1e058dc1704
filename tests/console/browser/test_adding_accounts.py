"""An account is added in five ways, against the simulated authorization server."""

import json
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from support.browsers import Tab, tab
from support.served import Served, listening, served

from codex_proapi.commons.accounts.model import AccountState
from codex_proapi.simulator import Simulator

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as started:
        started.world.device_interval = "1"
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
async def page(browser: Browser, bare: Served) -> AsyncIterator[Tab]:
    async with tab(browser, bare.base) as opened:
        await opened.open("/accounts?add")
        await opened.see("#add-account")
        yield opened


async def _consent(url: str, *, login: str) -> str:
    """What a person does at the authorization server; gives the address the browser lands on."""
    asked = httpx.URL(url).params
    decide = str(httpx.URL(url).copy_with(path="/oauth/authorize/decide", query=None))
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.get(decide, params={**asked, "login": login})
    return answer.headers["location"]


async def test_an_auth_json_is_looked_at_before_it_is_saved(
    page: Tab, bare: Served, simulator: Simulator
) -> None:
    await page.click("#tab-auth_json")
    await page.page.fill("textarea[name=auth_json]", json.dumps(simulator.auth_json("ada")))
    await page.click("#way-auth_json [data-look]")
    await page.see("#way-auth_json [data-preview]", simulator.account("ada").email)
    assert simulator.account("ada").workspace in await page.text("#way-auth_json [data-preview]")
    assert await bare.scene.accounts.list() == []

    await page.page.fill("#way-auth_json [data-preview-name] input", "Ada's pool")
    await page.click("#way-auth_json [data-save]")

    await page.see(".account", "Ada's pool")
    await page.told("Ada's pool is signed in and ready.")
    assert page.problems == []


async def test_a_file_can_be_chosen_or_dropped(
    page: Tab, simulator: Simulator, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "auth.json"
    file.write_text(json.dumps(simulator.auth_json("ben")))
    await page.click("#tab-auth_json")
    await page.page.set_input_files("[data-file]", str(file))
    await page.see("#way-auth_json [data-preview]", simulator.account("ben").email)

    await page.page.fill("textarea[name=auth_json]", "")
    await expect(page.page.locator("#way-auth_json [data-preview]")).not_to_be_visible()
    drop = """([text]) => {
      const data = new DataTransfer();
      data.items.add(new File([text], "auth.json", { type: "application/json" }));
      document.querySelector("[data-drop]").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }"""
    await page.eval(drop, [file.read_text()])
    await page.see("#way-auth_json [data-preview]", simulator.account("ben").email)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "That is not the content of a Codex auth.json file."),
        ("[1]", "That is not the content of a Codex auth.json file."),
        ('{"OPENAI_API_KEY": "sk-x"}', "This auth.json holds an API key"),
    ],
)
async def test_a_wrong_file_is_told_where_the_visitor_is(
    page: Tab, content: str, said: str
) -> None:
    await page.click("#tab-auth_json")
    await page.page.fill("textarea[name=auth_json]", content)
    await page.click("#way-auth_json [data-look]")

    await page.see("#way-auth_json [data-error]", said)
    await expect(page.page.locator("#add-account").first).to_be_visible()


async def test_a_device_code_is_shown_waited_for_and_finished(
    page: Tab, bare: Served, simulator: Simulator
) -> None:
    await page.click("#tab-device")
    await page.click('[data-begin="device"]')
    await page.see("#device-code", "-")
    code = await page.text("#device-code")
    assert await page.page.get_attribute("[data-device-link]", "href")
    await page.see("#way-device .waiting", "in 1")

    async with httpx.AsyncClient(trust_env=False, timeout=60) as person:
        form = {"user_code": code, "login": "cleo"}
        await person.post(f"{simulator.auth_url}/codex/device", data=form)

    await page.see(".account", simulator.account("cleo").email)
    assert len(await bare.scene.accounts.list()) == 1
    await page.page.wait_for_selector("#add-account", state="hidden")


async def test_a_refused_device_login_says_why_and_may_be_tried_again(
    page: Tab, simulator: Simulator
) -> None:
    await page.click("#tab-device")
    await page.click('[data-begin="device"]')
    await page.see("#device-code", "-")
    code = await page.text("#device-code")
    async with httpx.AsyncClient(trust_env=False, timeout=60) as person:
        await person.post(
            f"{simulator.auth_url}/codex/device", data={"user_code": code, "login": "deny"}
        )

    await page.see("#way-device [data-way-error]")
    await page.see('[data-begin="device"]')


async def test_a_pasted_address_finishes_the_login(
    page: Tab, bare: Served, simulator: Simulator
) -> None:
    await page.click("#tab-pasted")
    await page.eval("window.open = () => null")
    await page.click('[data-begin="pasted"]')
    await page.see("[data-login-link]")
    link = await page.page.get_attribute("[data-login-link]", "href")
    assert link
    landed = await _consent(link, login="ada")
    assert landed.startswith("http://localhost:1455/auth/callback?")

    await page.page.fill("[name=url]", landed)
    await page.click('[data-way="pasted"] [type=submit]')

    await page.see(".account", simulator.account("ada").email)
    assert len(await bare.scene.accounts.list()) == 1


async def test_a_pasted_address_that_is_none_is_told_with_the_cure(page: Tab) -> None:
    await page.click("#tab-pasted")
    await page.page.fill("[name=url]", "https://chatgpt.com/")
    await page.click('[data-way="pasted"] [type=submit]')

    await page.see('[data-way="pasted"] [data-error]', "Copy the whole address")


async def test_a_refusal_at_openai_is_told_in_the_visitors_language(
    browser: Browser, bare: Served, simulator: Simulator
) -> None:
    async with tab(browser, bare.base, locale="zh-CN") as page:
        await page.open("/accounts?add")
        await page.click("#tab-pasted")
        await page.eval("window.open = () => null")
        await page.click('[data-begin="pasted"]')
        await page.see("[data-login-link]")
        link = await page.page.get_attribute("[data-login-link]", "href")
        assert link
        await page.page.fill("[name=url]", await _consent(link, login="deny"))
        await page.click('[data-way="pasted"] [type=submit]')

        await page.see('[data-way="pasted"] [data-error]', "不能使用 Codex")


async def test_the_browser_goes_away_and_comes_back(
    browser: Browser, redis_url: str, simulator: Simulator
) -> None:
    """Where the console's own address is a registered one, nothing has to be copied."""
    listener, base = listening()
    callback = f"{base}/auth/callback"
    simulator.world.redirects = frozenset({callback})
    provided: dict[str, Any] = {
        "codex_auth_url": simulator.auth_url,
        "codex_base_url": simulator.base_url,
    }
    console = served(
        redis_url, empty=True, at=(listener, base), oauth_redirect_uri=callback, **provided
    )
    async with console as site, tab(browser, site.base) as page:
        await page.open("/accounts?add")
        await page.click("#tab-browser")
        await page.click("[data-browser-login]")
        await page.click('button[value="ben"]')

        await page.see(".notice.ok", "is signed in and ready.")
        await page.see(".account", simulator.account("ben").email)
        await page.page.wait_for_selector("html[data-ready]", state="attached")
        assert "signed_in" not in page.page.url, "the address forgets what was said once"


async def test_signing_in_again_keeps_the_account(
    page: Tab, bare: Served, simulator: Simulator
) -> None:
    await page.click("#tab-auth_json")
    await page.page.fill("textarea[name=auth_json]", json.dumps(simulator.auth_json("ada")))
    await page.click("#way-auth_json [data-look]")
    await page.click("#way-auth_json [data-save]")
    await page.see(".account", simulator.account("ada").email)
    (before,) = await bare.scene.accounts.list()

    await page.click(".account details.menu summary")
    await page.click(".menu-list [data-login-account]")
    await page.see("[data-again]", simulator.account("ada").email)
    await page.click("#tab-auth_json")
    await page.page.fill("textarea[name=auth_json]", json.dumps(simulator.auth_json("ben")))
    await page.click("#way-auth_json [data-look]")
    await page.click("#way-auth_json [data-save]")
    await page.see("#way-auth_json [data-error]", "You signed in to a different account")
    await page.page.fill("textarea[name=auth_json]", json.dumps(simulator.auth_json("ada")))
    await page.click("#way-auth_json [data-look]")
    await page.see("#way-auth_json [data-preview-exists]")
    await page.click("#way-auth_json [data-save]")

    await page.gone("#add-account")
    (after,) = await bare.scene.accounts.list()
    assert (after.id, after.created_at) == (before.id, before.created_at)


async def test_an_account_is_tested_step_by_step(
    page: Tab, bare: Served, simulator: Simulator
) -> None:
    await page.click("#tab-auth_json")
    await page.page.fill("textarea[name=auth_json]", json.dumps(simulator.auth_json("ada")))
    await page.click("#way-auth_json [data-look]")
    await page.click("#way-auth_json [data-save]")
    await page.see(".account", simulator.account("ada").email)
    (account,) = await bare.scene.accounts.list()
    await page.open(f"/accounts/{account.id}")
    await page.click("#test-answer")

    await page.see("#test-steps li.good", "A short answer")
    await expect(page.page.locator("#test-steps li.good")).to_have_count(5)
    assert "ms" in await page.text("#test-steps")


async def test_the_list_of_ways_ends_where_terms_are_named(page: Tab) -> None:
    await page.see("#add-account .terms", "Add only accounts whose owner has agreed")


async def test_a_personal_token_is_looked_at_saved_and_replaced(
    page: Tab, bare: Served, simulator: Simulator
) -> None:
    cleo = simulator.account("cleo")
    await page.click("#tab-access_token")
    await page.page.fill("[name=access_token]", "sk-no-token")
    await page.click("#way-access_token [data-look]")
    await page.see("#way-access_token [data-error]", "no personal access token")

    await page.page.fill("[name=access_token]", cleo.access_key)
    await page.click("#way-access_token [data-look]")
    await page.see("#way-access_token [data-preview]", cleo.email)
    await expect(
        page.page.locator("#way-access_token [data-preview-no-refresh]")
    ).not_to_be_visible()
    assert await bare.scene.accounts.list() == []
    await page.page.fill("#way-access_token [name=name]", "Team")
    await page.click("#way-access_token [data-save]")
    await page.see(".account", "Team")

    [account] = await bare.scene.accounts.list()
    await bare.scene.accounts.mark(account.id, AccountState.REVOKED, "access_token_refused")
    await page.open(f"/accounts/{account.id}")
    await page.see(".account-top", "Needs a new token")
    await page.click("[data-login-way=access_token]")
    await page.see("#add-account[open] #way-access_token")
    cleo.access_key_number += 1
    await page.page.fill("[name=access_token]", cleo.access_key)
    await page.click("#way-access_token [data-look]")
    await page.see("#way-access_token [data-preview]", cleo.email)
    await page.click("#way-access_token [data-save]")
    await page.see(".account-top", "Ready")
    held = await bare.scene.accounts.credential(account.id)
    assert held is not None
    assert held.access_token == cleo.access_key
    assert [problem for problem in page.problems if "400" not in problem] == []
