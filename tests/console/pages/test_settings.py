from typing import Any

import pytest
from support.console_pages import NOW, filled_console
from support.consoles import PASSWORD

from codex_proapi.console.auth.audit import AuditEvent
from codex_proapi.console.auth.sessions import Session
from codex_proapi.console.pages.settings import (
    AuditEventRow,
    SessionRow,
    audit_event_row,
    browser_of,
    session_row,
)

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Safari/604.1"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0"
)


async def test_settings_show_what_is_set_and_where_the_rest_comes_from(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        await site.browser.learn()
        body = {"routing": "least_used", "model_aliases": {"house": "gpt-5.5"}}
        await site.browser.patch("/api/settings", json=body)
        page = (await site.get("/settings")).text

    assert 'name="routing" value="least_used" checked' in page
    assert 'name="history_mode" value="" data-null checked' in page
    assert "house = gpt-5.5</textarea>" in page
    assert "http://localhost:1455/auth/callback" in page
    assert "CODEX_BASE_URL" in page


async def test_a_model_that_has_gone_is_named(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        live = site.console.parts.live_settings
        await live.change({"model_aliases": {"house": "gone-model", "codex": "gpt-6-sol"}})
        text = await site.read("/settings")

    assert "No account serves gone-model: requests for it are refused." in text


async def test_the_reasoning_summary_can_be_chosen(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        await site.browser.learn()
        await site.browser.patch("/api/settings", json={"reasoning_summary": "concise"})
        settings = (await site.get("/settings")).text
        keys = (await site.get("/keys")).text

    assert '<option value="concise" selected>concise</option>' in settings
    assert keys.count('<select name="reasoning_summary">') == 2
    assert keys.count('<option value="detailed">') == 2


async def test_every_action_is_in_the_audit_by_its_words(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        await site.browser.learn()
        await site.browser.patch(f"/api/accounts/{site.scene.ids[0]}", json={"paused": True})
        text = await site.read("/settings")

    assert "Account paused ada@example.com · Paused: no → yes this machine 127.0.0.1" in text


async def test_terms_are_said_plainly(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/settings")

    assert "Pooling accounts must fit OpenAI's terms of use" in text
    assert "This product is not made by OpenAI." in text


async def test_passwords_and_sessions_are_there_where_a_login_is_asked(redis_url: str) -> None:
    async with filled_console(redis_url, admin_password=PASSWORD) as site:
        await site.browser.sign_in()
        guarded = await site.read("/settings")
    assert "Sign out everywhere" in guarded
    assert "this browser" in guarded


async def test_where_no_login_is_asked_there_are_no_sessions(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        assert "Sign out everywhere" not in await site.read("/settings")


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox · Linux"),
        (SAFARI, "Safari · iPhone"),
        (EDGE, "Edge · Windows"),
        ("curl/8.1", ""),
        ("<script>", ""),
    ],
)
def test_a_browser_in_two_words(agent: Any, words: Any) -> None:
    assert browser_of(agent) == words


def test_a_session_knows_whether_it_is_this_one() -> None:
    session = Session(id="s1", created_at=NOW, seen_at=NOW + 5, ip="10.0.0.1", agent=FIREFOX)

    row = session_row(session, own=session)

    assert row == SessionRow(
        id="s1", agent="Firefox · Linux", ip="10.0.0.1", seen_at=NOW + 5, current=True
    )
    assert not session_row(session, own=None).current


def test_a_deed_names_its_target_and_what_changed() -> None:
    event = AuditEvent(
        at=NOW,
        action="key.changed",
        actor="token:CI",
        ip="10.0.0.1",
        key_id="key_1",
        before={"name": "a", "owner": "x", "weight": 1.0, "odd": ""},
        after={"name": "b", "weight": 2.5, "odd": "y"},
    )

    assert audit_event_row(event, {"key_1": "Laptop"}) == AuditEventRow(
        at=NOW,
        label="API key changed",
        action="key.changed",
        target="Laptop",
        changes=(("Name", "a", "b"), ("Share", "1", "2.5"), ("odd", "–", "y")),
        actor="token:CI",
        ip="10.0.0.1",
        code="",
        fault="",
    )


def test_a_deed_on_something_that_is_gone_uses_the_name_it_had() -> None:
    event = AuditEvent(
        action="odd.deed", actor="local", ip="", key_id="key_1", before={"name": "Laptop"}
    )

    row = audit_event_row(event, {})

    assert (row.target, row.label, row.action) == ("Laptop", "", "odd.deed")
