"""The live log: a line within a second, what happens when the stream breaks, and its tools."""

import re
import time
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser, Route, expect
from support.browsers import Tab, tab
from support.served import Served

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

pytestmark = pytest.mark.browser

STATE = "#stream-state"


async def _settle(site: Served, number: int, **facts: Any) -> str:
    """One more settled request; gives its id."""
    record = site.scene.record(number, **{"at": time.time(), **facts})
    await SettlementWriter(site.console.redis).add([record])
    return record.request_id


async def layouts(visitor: Tab) -> int:
    """How often the page has been laid out."""
    session = await visitor.page.context.new_cdp_session(visitor.page)
    await session.send("Performance.enable")
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    await session.detach()
    return next(int(each["value"]) for each in metrics if each["name"] == "LayoutCount")


async def test_a_request_comes_to_the_page_by_the_stream(site: Served, visitor: Tab) -> None:
    await visitor.open("/logs")
    await visitor.see(STATE, "Live")

    polls: list[str] = []
    visitor.page.on("request", lambda request: polls.append(request.url))
    await _settle(site, 50_000, asked_model="the-new-one")
    await visitor.see(".log-row:first-child", "the-new-one")

    assert await visitor.text(STATE) == "Live"
    assert polls == [], "it came by the stream"


async def test_a_row_of_another_day_has_its_date(site: Served, visitor: Tab) -> None:
    await _settle(site, 50_002, asked_model="long-ago", at=1_700_000_000.0)
    await visitor.open("/logs")
    await visitor.see(".log-row:has-text('long-ago') .log-time", "Nov 14 23:13:20")
    # The date stands above the time, in the column's width.
    written = visitor.page.locator(".log-row:has-text('long-ago') .log-time")
    assert await written.evaluate("time => time.scrollWidth <= time.clientWidth")


async def test_pausing_holds_lines_back_and_resuming_shows_them(site: Served, visitor: Tab) -> None:
    await visitor.open("/logs")
    await visitor.see(STATE, "Live")
    await visitor.page.keyboard.press("p")
    await visitor.see(STATE, "Paused")
    await _settle(site, 50_001, asked_model="held-back")
    await visitor.see("#log-new", "1 new entry")
    assert await visitor.page.locator(".log-row", has_text="held-back").count() == 0

    await visitor.click("#log-pause")

    await visitor.see(".log-row:first-child", "held-back")
    await visitor.see(STATE, "Live")


async def test_who_has_scrolled_down_is_not_disturbed(site: Served, visitor: Tab) -> None:
    await visitor.open("/logs")
    await visitor.see(STATE, "Live")
    await visitor.eval("scrollTo(0, 800)")
    await _settle(site, 50_002, asked_model="waits-above")
    await visitor.see("#log-new", "1 new entry")

    await visitor.click("#log-new")

    await visitor.see(".log-row:first-child", "waits-above")
    assert await visitor.eval("scrollY") == 0


async def test_without_a_stream_the_page_polls_and_comes_back(
    browser: Browser, site: Served
) -> None:
    async with tab(browser, site.base) as visitor:
        broken = True

        async def stream(route: Route) -> None:
            await (route.abort() if broken else route.continue_())

        await visitor.page.route("**/api/logs/stream*", stream)
        await visitor.open("/logs")
        await visitor.see(STATE, "Polling every 5 s")
        await _settle(site, 50_003, asked_model="by-polling")
        await visitor.see(".log-row:first-child", "by-polling")

        broken = False

        await visitor.see(STATE, "Live")
        await _settle(site, 50_004, asked_model="live-again")
        await visitor.see(".log-row:first-child", "live-again")
        await expect(visitor.page.locator(".log-row", has_text="by-polling")).to_have_count(1)


async def test_without_the_console_the_page_says_since_when(browser: Browser, site: Served) -> None:
    async with tab(browser, site.base) as visitor:
        await visitor.open("/logs")
        await visitor.see(STATE, "Live")
        await visitor.page.route("**/api/**", lambda route: route.abort())
        site.console.begin_drain()

        await visitor.see(STATE, "Disconnected since")


async def test_the_sidebar_does_not_go_on_saying_that_redis_is_connected(
    browser: Browser, site: Served
) -> None:
    async with tab(browser, site.base) as visitor:
        await visitor.open("/accounts")
        await visitor.see(".pulse [data-live-word]", "live")
        await visitor.see(".pulse", "connected")
        await visitor.page.route("**/accounts", lambda route: route.fulfill(status=503))
        await visitor.page.route("**/api/**", lambda route: route.abort())
        site.console.begin_drain()

        await visitor.see(".pulse", "disconnected since")
        assert "connected" not in (await visitor.text(".pulse")).replace("disconnected", "")


async def test_filters_narrow_the_page_and_the_stream_and_stand_in_the_address(
    site: Served, visitor: Tab
) -> None:
    await visitor.open("/logs")
    await visitor.page.select_option("[name=level]", "warning")
    await visitor.page.wait_for_url("**/logs?level=warning")
    await visitor.page.wait_for_function(
        "() => document.querySelector('.log-row') && !document.querySelector('.log-row.info')"
    )
    await visitor.see(STATE, "Live")
    await _settle(site, 50_005, asked_model="all-well", ending=Ending.WHOLE)
    await _settle(site, 50_006, asked_model="gone-wrong", ending=Ending.REFUSED)

    await visitor.see(".log-row:first-child", "gone-wrong")
    assert await visitor.page.locator(".log-row", has_text="all-well").count() == 0


async def test_nothing_matching_is_said_as_such(visitor: Tab) -> None:
    await visitor.open("/logs?request_id=req_nothing")
    await visitor.see("#log-empty", "No entry matches")
    await visitor.see("#filter-count", "1")

    await visitor.click(".filters summary")
    await visitor.click("#log-reset")
    await visitor.see(".log-row")


async def test_a_line_opens_to_every_try_with_its_reason(site: Served, visitor: Tab) -> None:
    request_id = await _settle(site, 50_007, asked_model="looked-at")
    await visitor.open(f"/logs?request_id={request_id}")
    await visitor.click(".log-line")
    text = await visitor.text(".log-detail")

    assert request_id in text
    assert "answered" in text
    assert "chosen because" in text
    assert "OpenAI's request id" in text
    assert "5 h window 12 % used, weekly 31 %; team-build@example.com cooling until" in text


async def test_an_answer_without_a_count_shows_its_estimate(site: Served, visitor: Tab) -> None:
    request_id = await _settle(site, 50_009, tokens=Tokens(), estimated=1_234)
    await visitor.open(f"/logs?request_id={request_id}")
    await visitor.see(".log-row [data-tokens]", "≈ 1.2K")
    await visitor.click(".log-line")

    assert "about 1,234, estimated" in await visitor.text(".log-detail")


async def test_a_line_is_copied_as_json(browser: Browser, site: Served) -> None:
    async with tab(
        browser, site.base, permissions=["clipboard-read", "clipboard-write"]
    ) as visitor:
        request_id = await _settle(site, 50_008)
        await visitor.open(f"/logs?request_id={request_id}")
        await visitor.click(".log-line")
        await visitor.click("[data-copy-json]")
        await visitor.told("Copied")
        copied = msgspec.json.decode(await visitor.eval("navigator.clipboard.readText()"))

    assert copied["entry"]["request_id"] == request_id


async def test_the_page_never_holds_more_than_five_hundred_rows(site: Served, visitor: Tab) -> None:
    await visitor.open("/logs")
    await visitor.see(STATE, "Live")
    records = [site.scene.record(60_000 + n, at=time.time()) for n in range(700)]
    for begin in range(0, 700, 100):
        await SettlementWriter(site.console.redis).add(records[begin : begin + 100])
    last = records[-1].request_id
    newest = (await LogStream(site.console.redis).page(count=1))[0]
    assert newest.entry.request_id == last
    await visitor.page.wait_for_selector(f"#log-{newest.id}")

    await expect(visitor.page.locator(".log-row")).to_have_count(500)


async def test_a_burst_does_not_freeze_the_page(site: Served, visitor: Tab) -> None:
    await visitor.open("/logs")
    await visitor.see(STATE, "Live")
    before = await layouts(visitor)
    records = [site.scene.record(70_000 + n, at=time.time()) for n in range(300)]
    await SettlementWriter(site.console.redis).add(records)
    newest = (await LogStream(site.console.redis).page(count=1))[0]
    await visitor.page.wait_for_selector(f"#log-{newest.id}")

    assert await layouts(visitor) - before < len(records) / 3, "not one for each"


async def test_clearing_asks_first_and_can_be_undone(site: Served, visitor: Tab) -> None:
    await visitor.open("/logs")
    await visitor.see(".log-row")
    before = await visitor.page.locator(".log-row").count()
    await visitor.click("#log-clear")
    await visitor.see("#confirm", "Clear the log?")
    await visitor.click("[data-confirm-do]")
    await visitor.told("The log is cleared.")
    assert await visitor.page.locator(".log-row", has_text="gpt").count() == 0

    await visitor.click(".toast .button")

    await visitor.see(".log-row:has-text('gpt')")
    assert await visitor.page.locator(".log-row").count() >= before


async def test_older_entries_are_fetched_when_asked(visitor: Tab) -> None:
    await visitor.open("/logs")
    before = await visitor.page.locator(".log-row").count()
    await visitor.click("#log-older")
    await visitor.page.wait_for_function(
        "(n) => document.querySelectorAll('.log-row').length > n", arg=before
    )


async def test_hidden_tabs_hold_no_connections_and_catch_up_when_seen(
    site: Served, visitor: Tab
) -> None:
    await visitor.page.add_init_script(
        "window.setTimeoutReal = setTimeout; window.setTimeout = (f, ms, ...a) => setTimeoutReal(f, ms === 15000 ? 50 : ms, ...a)"
    )
    await visitor.open("/logs")
    await visitor.see(STATE, "Live")
    hide = "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); }"
    await visitor.eval(hide, True)
    for _ in range(600):
        if not site.console.parts.gate._open:
            break
        await visitor.page.wait_for_timeout(100)
    assert not site.console.parts.gate._open
    await _settle(site, 50_020, asked_model="while-away")

    await visitor.eval(hide, False)

    await visitor.see(".log-row:first-child", "while-away")
    await visitor.see(STATE, "Live")
    await visitor.see("#live-state", "live")


async def test_shown_and_total_are_counted(site: Served, visitor: Tab) -> None:
    await visitor.open("/logs")
    await visitor.see("#log-count", "60 of 900")
    await visitor.see(STATE, "Live")
    await _settle(site, 50_030)
    await visitor.see("#log-count", "61 of 901")
    await visitor.open("/logs?request_id=req_none")

    await visitor.see("#log-count", "0 match")


async def test_the_detail_of_a_line_has_seconds_and_24_hours(site: Served, visitor: Tab) -> None:
    request_id = await _settle(site, 50_100, asked_model="to-the-second")
    await visitor.open(f"/logs?request_id={request_id}")
    await visitor.click(".log-line")
    await visitor.see(".log-detail", "Time")
    told = await visitor.text(".log-detail")

    assert re.search(r"Time .{6,20}[ ,]+[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\b", told), told


async def test_what_an_administrator_did_is_told_in_words(site: Served, visitor: Tab) -> None:
    await visitor.open("/accounts")
    row = f"#row-{site.scene.ids[0]}"
    await visitor.click(f"{row} details.menu summary")
    await visitor.click(f"{row} .menu-list button:has-text('Pause')")
    await visitor.see(row, "Paused")
    await visitor.open("/logs")
    await visitor.see(".log-row", "paused")
    told = await visitor.text(".log-row >> nth=0")

    assert "actor=" not in told
    assert "ip=" not in told


async def test_what_is_downloaded_is_what_the_filters_let_through(visitor: Tab) -> None:
    await visitor.open("/logs?status=5xx")
    await visitor.see("#log .log-row")
    await visitor.click(".log-state details.menu summary")
    async with visitor.page.expect_download() as started:
        await visitor.click('[data-download][href^="/api/logs.ndjson"]')
    file = await (await started.value).path()
    found = {msgspec.json.decode(line)["entry"]["status"] for line in file.read_text().splitlines()}

    assert found == {503}
    assert (await started.value).suggested_filename == "codex-proapi-log.ndjson"
