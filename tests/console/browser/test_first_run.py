"""From the first start to the first answered request, as a newcomer does it."""

import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from support.browsers import tab
from support.one_port_site import one_port_site

from codex_proapi.console.accounts.auth_json import read_auth_json
from codex_proapi.simulator import Simulator

pytestmark = pytest.mark.browser

PASSWORD = "correct mule battery clip"


async def test_from_the_setup_token_to_the_first_answer(browser: Browser, redis_url: str) -> None:
    announced: list[str] = []
    # A public address makes the console ask for an administrator, as it does on a server.
    provided = {"allowed_hosts": ("localhost",), "host": "0.0.0.0"}
    async with (
        Simulator() as simulator,
        one_port_site(redis_url, simulator, announced=announced, **provided) as site,
        tab(browser, site.base) as page,
    ):
        token = next(line.rpartition(" ")[2] for line in announced if "token" in line)

        await page.open("/")
        await page.see("h1", "Welcome")
        await page.page.fill("[name=token]", "wrong")
        await page.page.fill("[name=password]", PASSWORD)
        await page.click("[type=submit]")
        await page.see("[data-error]", "That setup token is not right")
        await page.page.fill("[name=token]", token)
        await page.page.fill("[name=password]", "password1234")
        await page.click("[type=submit]")
        await page.see("[data-error]", "That password is too easy to guess.")
        await page.page.fill("[name=password]", PASSWORD)
        await page.click("[type=submit]")

        await page.see(".checklist .next", "Add an account")
        await page.click(".checklist .next a")
        await page.page.wait_for_selector("html[data-page=accounts][data-ready]", state="attached")
        await page.click("#tab-auth_json")
        await page.page.fill("[name=auth_json]", json.dumps(simulator.auth_json("ada")))
        await page.click("#way-auth_json [data-look]")
        await page.click("#way-auth_json [data-save]")
        await page.see(".account", simulator.account("ada").email)

        await page.open("/")
        await page.see(".checklist .done", "Add an account")
        await page.click(".checklist .next a")
        await page.page.wait_for_selector("html[data-page=keys][data-ready]", state="attached")
        await page.page.fill("#new-key [name=name]", "My laptop")
        await page.click("#new-key [type=submit]")
        await page.see("#made-key")
        await page.click("[data-carry-key]")
        await page.page.wait_for_selector("html[data-page=connect][data-ready]", state="attached")

        await page.click("#run-test")
        await page.see("#test-steps li.good", "Answer")
        await expect(page.page.locator("#test-steps li.good")).to_have_count(3)

        await page.page.fill("#chat-text", "say pineapple")
        await page.page.keyboard.press("Enter")
        await page.see(".chat-line:not(.mine)", "pineapple")

        await page.open("/logs")
        await page.see(".log-row", simulator.account("ada").email)
        await page.open("/")
        await page.see(".verdict", "All systems steady")
        await expect(page.page.locator(".checklist")).not_to_be_visible()
        refused = [p for p in page.problems if "status of 40" not in p]
        assert refused == []


@contextlib.asynccontextmanager
async def an_open_site(browser: Browser, redis_url: str) -> AsyncIterator[tuple[Any, Any, Any]]:
    """A simulated backend, a console and gateway before it that ask for no password, and a tab."""
    async with (
        Simulator() as simulator,
        one_port_site(redis_url, simulator) as site,
        tab(browser, site.base) as page,
    ):
        yield simulator, site, page


async def test_a_test_request_tells_which_step_failed_and_why(
    browser: Browser, redis_url: str
) -> None:
    async with an_open_site(browser, redis_url) as (_, site, page):
        await page.open("/connect")
        await page.click("#run-test")
        await page.see("#test-steps li.failed", "No API key is filled in.")

        await page.page.fill("#key", "cpa-made-up")
        await page.click("#run-test")
        await page.see("#test-steps li.failed", "The gateway does not accept this API key.")
        await page.see("#test-steps li.failed", "Create a key on the page API keys")

        _, secret = await site.scene.keys.create("CI", created_at=1)
        await page.page.fill("#key", secret)
        await page.click("#run-test")
        await page.see("#test-steps li.failed", "There is no account that could answer.")


async def test_the_small_chat_tells_that_no_account_has_quota_left(
    browser: Browser, redis_url: str
) -> None:
    async with an_open_site(browser, redis_url) as (simulator, site, page):
        read = read_auth_json(simulator.auth_json("ada"), now=time.time())
        await site.scene.accounts.add(read.account)
        _, secret = await site.scene.keys.create("CI", created_at=1)
        simulator.script("usage_limit_reached", times=None)

        await page.open("/connect")
        await page.page.fill("#key", secret)
        await page.page.fill("#chat-text", "say pineapple")
        await page.page.keyboard.press("Enter")

        await page.see(".chat-line.failed", "No account had quota left or was free just then.")
