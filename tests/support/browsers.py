"""A real Chromium for the page tests, and tabs that remember everything that went wrong."""

import contextlib
import pathlib
import shutil
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Request,
    async_playwright,
    expect,
)
from playwright.async_api import TimeoutError as PlaywrightTimeout

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
NAMES = (
    *("chromium-headless-shell", "chrome-headless-shell"),
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
)
"""Programs to look for. A headless shell opens a context in a fifth of the time: it draws no window."""
PATIENCE_MILLISECONDS = 60_000.0
"""How long a tab waits for what must come about: a busy machine is no fault of it."""
expect.set_options(timeout=PATIENCE_MILLISECONDS)
DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
AXE = (pathlib.Path(__file__).parents[1] / "vendor/axe-4.14.1.min.js").read_text()
TAGS = {
    "type": "tag",
    "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}
COLOUR_RULES = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules of these tags that look at colours: a theme changes nothing else of a page."""
AT_REST = """() => Promise.allSettled(
    document.getAnimations()
        .filter(each => each.effect.getComputedTiming().endTime !== Infinity)
        .map(each => each.finished))"""
"""What moves has come to rest, but for what goes on moving: half faded in is no colour to judge."""


PASSING = """window.passing = [];
new MutationObserver((changes) => changes.forEach(({ target, addedNodes }) => addedNodes.forEach((node) => {
  if (target.id === "toasts" || node.nodeType === Node.TEXT_NODE) window.passing.push(node.textContent);
}))).observe(document, { subtree: true, childList: true });"""
"""Remembers what is shown for a few seconds only: a busy machine looks later."""


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser process; the one of the machine, else Playwright's own."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    async with async_playwright() as playwright:
        browser = await _launch(playwright, path)
        try:
            yield browser
        finally:
            await browser.close()


async def _launch(playwright: Playwright, path: str | None) -> Browser:
    try:
        return await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
    except Exception as error:  # whatever is missing, the cure is the same
        raise RuntimeError("No Chromium: apt-get install chromium-headless-shell") from error


class Tab:
    """One tab of a visitor, on one console."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.problems: list[str] = []
        """Console errors, refused resources, uncaught faults, dialogs, requests to elsewhere."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        page.on("request", self._request)

    async def open(self, path: str, *, ready: bool = True) -> "Tab":
        """Go to a page and wait until its scripts are there."""
        await self.page.goto(f"{self.base}{path}")
        if ready:
            try:
                await self.page.wait_for_selector("html[data-ready]", state="attached")
            except PlaywrightTimeout:
                raise AssertionError(f"{path} never became ready: {self.problems}") from None
        return self

    async def click(self, selector: str) -> None:
        """Click what is shown."""
        await self.page.click(selector)

    async def text(self, selector: str) -> str:
        """What an element shows."""
        return " ".join((await self.page.inner_text(selector)).split())

    async def see(
        self, selector: str, words: str = "", *, timeout: float = PATIENCE_MILLISECONDS
    ) -> None:
        """Wait until something is shown that stays."""
        assert ".toast" not in selector, "it passes: `told` waits for what was shown"
        found = (
            self.page.locator(selector, has_text=words) if words else self.page.locator(selector)
        )
        await found.first.wait_for(state="visible", timeout=timeout)

    async def told(self, words: str) -> None:
        """Wait until a message was shown, on this page, that passes after some seconds."""
        await self.page.wait_for_function(
            "words => window.passing.some((text) => text.includes(words))", arg=words
        )

    async def gone(self, selector: str) -> None:
        """Wait until something is shown no more."""
        await self.page.locator(selector).first.wait_for(state="hidden")

    async def eval(self, script: str, argument: Any = None) -> Any:
        """What an expression gives in the page."""
        return await self.page.evaluate(script, argument)

    async def axe(self, *, without: tuple[str, ...] = ()) -> list[str]:
        """What axe finds against WCAG 2.2 AA, one line each; some rules may be left out."""
        await self.page.evaluate(AXE)
        return await self._axe(TAGS, without)

    async def axe_of_both_themes(self, *, without: tuple[str, ...] = ()) -> list[str]:
        """The same in the light theme, and what the dark one changes of it: its colours."""
        found = await self.axe(without=without)
        await self.page.emulate_media(color_scheme="dark")
        found += [f"dark: {problem}" for problem in await self._axe(COLOUR_RULES, without)]
        await self.page.emulate_media(color_scheme="light")
        return found

    async def _axe(self, only: dict[str, Any], without: tuple[str, ...]) -> list[str]:
        await self.page.evaluate(AT_REST)
        found = await self.page.evaluate(
            "only => axe.run(document, {runOnly: only, resultTypes: ['violations']})", only
        )
        return [
            f"{violation['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
            for violation in found["violations"]
            if violation["id"] not in without
            for node in violation["nodes"]
        ]

    def _console(self, message: Any) -> None:
        # Chromium breaks connections off when another process of this machine adds an interface.
        if message.type in {"error", "warning"} and "ERR_NETWORK_CHANGED" not in message.text:
            self.problems.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).scheme in {"http", "https"} and not request.url.startswith(
            self.base
        ):
            self.problems.append(f"elsewhere: {request.url}")


@contextlib.asynccontextmanager
async def tab(
    browser: Browser, base: str, *, phone: bool = False, **provided: Any
) -> AsyncIterator[Tab]:
    """A fresh visitor with one tab; `given` goes to Playwright's context."""
    shape: dict[str, Any] = (
        {"viewport": PHONE, "has_touch": True, "is_mobile": True}
        if phone
        else {"viewport": DESKTOP}
    )
    context: BrowserContext = await browser.new_context(
        **(shape | {"locale": "en-US", "timezone_id": "Europe/Berlin"} | provided)
    )
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    await context.add_init_script(PASSING)
    try:
        yield Tab(await context.new_page(), base)
    finally:
        await context.close()
