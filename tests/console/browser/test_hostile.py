"""Names, models and errors from outside are shown as text and never run."""

import time

import pytest
import pytest_asyncio
from support.browsers import Tab
from support.served import Served

from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel, LogStream
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'>&{{7*7}}"


@pytest_asyncio.fixture(loop_scope="session")
async def infested(site: Served) -> Served:
    """A console where everything that comes from outside is hostile."""
    for account_id in site.scene.ids:
        await site.scene.accounts.rename(account_id, HOSTILE)
    await site.scene.keys.create(HOSTILE, owner=HOSTILE, created_at=1)
    attempt = AttemptRecord(account=HOSTILE, verdict=HOSTILE, choice=HOSTILE, code=HOSTILE)
    record = site.scene.record(
        77_000,
        at=time.time(),
        asked_model=HOSTILE,
        sent_model=HOSTILE,
        answered_model=HOSTILE,
        code=HOSTILE,
        ending=Ending.REFUSED,
        attempts=(attempt,),
        upstream_request_id=HOSTILE,
        dropped=(HOSTILE,),
        endpoint=HOSTILE,
    )
    await SettlementWriter(site.console.redis).add([record])
    entry = LogEntry(
        at=time.time(),
        kind=LogKind.SYSTEM,
        level=LogLevel.ERROR,
        event=HOSTILE,
        code=HOSTILE,
        detail={HOSTILE: HOSTILE},
    )
    await LogStream(site.console.redis).append(entry)
    return site


async def test_hostile_words_run_nothing_on_any_page(infested: Served, visitor: Tab) -> None:
    for path in (
        *(
            "/",
            "/accounts",
            "/catalogue",
            "/keys",
            "/usage",
            "/usage?by=account",
            "/connect",
            "/settings",
        ),
        f"/accounts/{infested.scene.ids[0]}",
        "/accounts?login_error=%3Cimg+src%3Dx%3E&signed_in=%3Cimg%3E",
        "/connect?client=%22%3E%3Cimg+src%3Dx%3E",
    ):
        await visitor.open(path)
        assert await visitor.page.locator("img").count() == 0, path
        assert "49" not in await visitor.text("h1")


async def test_hostile_entries_run_nothing_in_the_log(infested: Served, visitor: Tab) -> None:
    await visitor.open("/logs?q=%3Cimg%20src%3Dx%3E")
    await visitor.open("/logs")
    await visitor.see(".log-row", "onerror=alert(1)")
    for line in (await visitor.page.locator(".log-line").all())[:2]:
        await line.click()
    await visitor.see(".log-detail", "onerror=alert(1)")

    assert await visitor.page.locator("img").count() == 0


async def test_hostile_names_run_nothing_in_menus_and_questions(
    infested: Served, visitor: Tab
) -> None:
    await visitor.open("/accounts")
    await visitor.click("#account-list > li details.menu summary")
    await visitor.click("#account-list > li .danger-text")
    await visitor.see("#confirm", "onerror=alert(1)")

    assert await visitor.page.locator("img").count() == 0
