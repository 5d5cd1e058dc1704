"""Each page in both languages: nothing refused, nothing from outside, and light on the wire."""

import functools

import pytest
from playwright.async_api import Browser, Response, expect
from support.browsers import Tab, tab
from support.consoles import PASSWORD
from support.served import Served, served

from codex_proapi.console.server.error_responses import SIGN_IN_PAGE

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
MOST_BYTES = 150_000


@pytest.mark.parametrize(
    ("language", "first"), [("en", "Dashboard"), ("zh-CN", "仪表盘")], ids=["en", "zh-CN"]
)
async def test_each_page_renders_without_a_complaint(
    browser: Browser, site: Served, language: str, first: str
) -> None:
    async with tab(browser, site.base, locale=language) as visitor:
        for path in (*PAGES, f"/accounts/{site.scene.ids[0]}"):
            await visitor.open(path)
            assert await visitor.eval("document.documentElement.lang") == language
            assert await visitor.eval("document.title.includes('· Codex Pro API')")
            assert "<" not in await visitor.text("main"), "markup is never shown as text"
        await visitor.open("/")
        assert await visitor.text("h1") == first
        assert visitor.problems == []


async def test_no_english_word_is_left_on_a_chinese_page(browser: Browser, site: Served) -> None:
    """Names of products, models, codes and what people typed are the same in every language."""
    async with tab(browser, site.base, locale="zh-CN") as visitor:
        left = set()
        for path in PAGES:
            await visitor.open(path)
            words = await visitor.eval(PLAIN_WORDS)
            left |= {word for word in words if word.lower() not in SAME}

    assert left == set()


PLAIN_WORDS = r"""() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const words = [];
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!parent.checkVisibility() || parent.closest("code, pre, var, kbd, .mono, [lang=en], .clip, select, .u-legend")) continue;
    words.push(...(walker.currentNode.nodeValue.match(/[A-Za-z]{3,}/g) || []));
  }
  return words;
}"""
SAME = {
    *("alert_networks", "webhook", "lark", "proapi", "backup"),
    *("codex", "pro", "api", "openai", "redis", "token", "url", "base", "csv", "chatgpt", "json"),
    *(
        "claude",
        "code",
        "cli",
        "cline",
        "cursor",
        "continue",
        "aider",
        "opencode",
        "anthropic",
        "zed",
        "python",
        "node",
        "curl",
        "bash",
    ),
    *(
        "powershell",
        "gpt",
        "sol",
        "luna",
        "astra",
        "openapi",
        "com",
        "example",
        "ada",
        "grace",
        "team",
    ),
    *("build", "low", "medium", "high", "xhigh", "fast", "plus", "free", "responses", "chat"),
    *("completions", "the", "laptop", "auth", "oauth", "http", "localhost", "callback", "edsger"),
    *("alan", "barbara", "utc", "old", "environment", "claude", "code"),
}


def _gather(seen: list[Response], response: Response) -> None:
    seen.append(response)


async def test_a_page_stays_under_its_weight_on_the_wire(browser: Browser, site: Served) -> None:
    weights = {}
    for path in PAGES:
        async with tab(browser, site.base) as visitor:
            seen: list[Response] = []
            visitor.page.on("response", functools.partial(_gather, seen))
            await visitor.open(path)
            sizes = [
                await response.request.sizes()
                for response in seen
                if "event-stream" not in response.headers.get("content-type", "")
            ]
            weights[path] = sum(s["responseBodySize"] + s["responseHeadersSize"] for s in sizes)

    assert max(weights.values()) < MOST_BYTES, weights


async def test_a_page_that_is_there_already_fetches_nothing_but_itself(visitor: Tab) -> None:
    await visitor.open("/keys")
    seen: list[str] = []
    visitor.page.on("response", lambda r: None if r.from_service_worker else seen.append(r.url))
    await visitor.open("/keys")
    fetched = await visitor.eval(
        "performance.getEntriesByType('resource').filter((e) => e.transferSize > 300 && "
        "e.name.includes('/static/')).map((e) => e.name)"
    )

    assert fetched == []


async def test_charts_are_drawn_and_told_as_tables(visitor: Tab) -> None:
    await visitor.open("/")
    await visitor.page.wait_for_selector("#charts canvas")

    await expect(visitor.page.locator("#charts canvas")).to_have_count(4)
    await visitor.click('[data-chart="requests"] [data-table]')
    assert await visitor.page.locator("#table-requests tbody tr").count() > 3
    await visitor.click('[data-span="7d"]')
    assert "span=7d" in visitor.page.url


async def test_uplot_is_fetched_only_where_a_chart_is(visitor: Tab) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    await visitor.open("/accounts")
    assert not any("uPlot" in url for url in asked)

    await visitor.open("/")
    await visitor.page.wait_for_selector("#charts canvas")
    assert any("uPlot" in url for url in asked)


async def test_the_door_and_the_missing_page_are_as_clean(browser: Browser, redis_url: str) -> None:
    async with (
        served(redis_url, empty=True, admin_password=PASSWORD) as site,
        tab(browser, site.base) as visitor,
    ):
        await visitor.open("/keys")
        assert visitor.page.url.startswith(f"{site.base}{SIGN_IN_PAGE}")
        assert visitor.problems == []
        await visitor.open("/nowhere")
        await visitor.see("h1", "There is no such page or object.")
