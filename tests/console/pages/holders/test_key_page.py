"""The page of a key: its own figures, and nothing of accounts and other keys."""

import contextlib
import html
import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.console_pages import NOW, PageClient, filled_console
from support.console_scene import PEOPLE
from support.consoles import PASSWORD

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.console.pages.holders.key_page import placeholder_of
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

CHINESE = {"accept-language": "zh-CN"}


class Holder:
    """One who has signed in with a key, among others that have used the pool."""

    def __init__(self, site: PageClient, key_id: str) -> None:
        self.site = site
        self.key_id = key_id

    async def settle(self, number: int, **fields: Any) -> str:
        """One request of the key; gives its id."""
        scene = self.site.scene
        scene.key_names[self.key_id] = "Ada's laptop"
        record = scene.record(number, at=NOW - 60, key_id=self.key_id, **fields)
        await SettlementWriter(scene.redis).add([record])
        return record.request_id


@contextlib.asynccontextmanager
async def signed_in(redis_url: str, **facts: Any) -> AsyncIterator[Holder]:
    async with filled_console(redis_url, admin_password=PASSWORD) as site:
        key, secret = await site.console.parts.keys.create("Ada's laptop", owner="Ada", **facts)
        await site.browser.learn()
        answer = await site.browser.post("/api/key/session", json={"key": secret})
        assert answer.status_code == 201
        yield Holder(site, key.id)


async def test_without_a_session_the_page_asks_for_the_key(redis_url: str) -> None:
    async with filled_console(redis_url, admin_password=PASSWORD) as site:
        page = await site.get("/key")
        receipt = await site.get("/key/requests/req_1")

    assert '<form method="post" action="/api/key/session"' in page.text
    assert 'type="password" name="key"' in page.text
    assert (receipt.status_code, receipt.headers["location"]) == (303, "/key")


async def test_windows_limits_and_latest_requests_are_those_of_the_key(redis_url: str) -> None:
    limits = Limits(rpm=60, tokens_day=1_000_000, tokens_month=10_000_000)
    async with signed_in(redis_url, limits=limits) as holder:
        request_id = await holder.settle(5001, first_byte_ms=1234)
        words = await holder.site.read("/key")
        page = (await holder.site.get("/key")).text

    assert "Ada's laptop" in html.unescape(words)
    assert page.count('<tr id="row-req_') == 1
    assert f'href="/key/requests/{request_id}"' in page
    for span in ("1h", "5h", "24h", "7d"):
        row = re.search(rf'<tr id="window-{span}">(.*?)</tr>', page, re.DOTALL)
        assert row is not None
        assert 'data-label="Requests" class="num">1<' in row[1]
    assert "Requests a minute 60 of 60 left" in words
    assert "Tokens a day" in words


async def test_nothing_of_accounts_or_other_keys_is_on_it(redis_url: str) -> None:
    async with signed_in(redis_url) as holder:
        scene = holder.site.scene
        bad = AttemptRecord(
            account=scene.ids[2],
            verdict="next_account",
            status=429,
            code="usage_limit_reached",
            message="ada@example.com is out of quota",
            why=scene.sentence(),
            cause="dns canary.example",
        )
        request_id = await holder.settle(
            5002, attempts=(bad,), ending=Ending.REFUSED, transport_why=f"socket of {scene.ids[0]}"
        )
        pages = [
            (await holder.site.get(path, **more)).text
            for path in ("/key", f"/key/requests/{request_id}")
            for more in ({}, CHINESE)
        ]
        told = [
            *scene.ids,
            *(email for email, *_ in PEOPLE),
            *(name for key_id, name in scene.key_names.items() if key_id != holder.key_id),
            *(key_id for key_id in scene.key_names if key_id != holder.key_id),
            *("ws-", "oai-", "canary", "out of quota", "gw-0"),
        ]

    assert all(request_id in page for page in pages)
    assert not [word for page in pages for word in told if word in page]


async def test_a_receipt_tells_what_became_of_the_request(redis_url: str) -> None:
    async with signed_in(redis_url) as holder:
        request_id = await holder.settle(
            5003,
            asked_model="gpt-6-astra",
            sent_model="gpt-6-sol",
            answered_model="gpt-6-sol",
            fallback=True,
            effort="high",
            service_tier="priority",
            transport="websocket",
            dropped=("seed",),
            ending=Ending.WHOLE,
            code="",
            waited_ms=1500,
            first_byte_ms=2500,
            total_ms=9000,
            attempts=(
                AttemptRecord(account="a", verdict="same_account_again", repair="without_tier"),
                AttemptRecord(account="a", verdict="committed", status=200),
            ),
        )
        words = await holder.site.read(f"/key/requests/{request_id}")
        chinese = await holder.site.read(f"/key/requests/{request_id}", **CHINESE)

    for part in (
        "A fallback: no account could serve the model asked for.",
        *(
            "gpt-6-astra",
            "gpt-6-sol",
            "high",
            "priority",
            "WebSocket",
            "seed",
            "1.5 sec",
            "2.5 sec",
        ),
        "sent again without a service tier",
        "developers.openai.com",
    ):
        assert part in words
    assert "备用模型" in chinese


async def test_the_price_of_a_receipt_is_exact(redis_url: str) -> None:
    async with signed_in(redis_url) as holder:
        request_id = await holder.settle(
            5004,
            answered_model="gpt-6-sol",
            tokens=Tokens(input=1001, cached=1, output=3),
            ending=Ending.WHOLE,
        )
        words = await holder.site.read(f"/key/requests/{request_id}")

    cost = (1000 * 2 + Decimal("0.2") + 30) / 10**6
    assert f"${cost:.6f}".rstrip("0")[:9] in words


async def test_what_people_and_clients_wrote_is_text_on_it(redis_url: str) -> None:
    hostile = "<script>alert(1)</script>\"'"
    async with filled_console(redis_url, admin_password=PASSWORD) as site:
        key, secret = await site.console.parts.keys.create(hostile, owner=hostile)
        await site.browser.learn()
        await site.browser.post("/api/key/session", json={"key": secret})
        holder = Holder(site, key.id)
        request_id = await holder.settle(
            5006, asked_model=hostile, answered_model=hostile, dropped=(hostile,), code=hostile
        )
        pages = [(await site.get(path)).text for path in ("/key", f"/key/requests/{request_id}")]

    assert all("alert(1)" in page for page in pages)
    assert not [page for page in pages if "<script>alert" in page]


async def test_another_keys_receipt_is_not_found(redis_url: str) -> None:
    async with signed_in(redis_url) as holder:
        other = next(iter(holder.site.scene.key_names))
        record = holder.site.scene.record(5005, at=NOW, key_id=other)
        await SettlementWriter(holder.site.scene.redis).add([record])

        answer = await holder.site.get(f"/key/requests/{record.request_id}")

    assert answer.status_code == 404
    assert "The log has no such request of this key." in answer.text


@pytest.mark.parametrize(
    "request_id", ["%00", "x" * 300, "..%2f..%2fkeys", "req_'--", "%F0%9F%A6%8A"]
)
async def test_ids_that_are_none_are_not_found(redis_url: str, request_id: str) -> None:
    async with signed_in(redis_url) as holder:
        answer = await holder.site.get(f"/key/requests/{request_id}")

    assert answer.status_code in {400, 404}


async def test_settings_have_the_keys_name_and_its_models_and_no_secret(redis_url: str) -> None:
    async with signed_in(redis_url, allowed_models=("gpt-6-astra",)) as holder:
        page = html.unescape((await holder.site.get("/key?client=claude")).text)

    assert "KEY_ADA_S_LAPTOP" in page
    assert 'export ANTHROPIC_DEFAULT_OPUS_MODEL=<var data-fill="model">gpt-6-astra' in page
    assert "cpa-" + "x" * 8 not in page
    assert re.search(r"cpa-[A-Za-z0-9_-]{9,}", page) is None


@pytest.mark.parametrize(
    ("name", "placeholder"),
    [
        ("CI", "KEY_CI"),
        ("Ada's laptop", "KEY_ADA_S_LAPTOP"),
        ("$(rm -rf ~)`x`\n", "KEY_RM_RF_X"),
        ("测试", "YOUR_KEY"),
        ("x" * 100, "KEY_" + "X" * 56),
    ],
)
def test_a_placeholder_is_safe_in_every_shell(name: str, placeholder: str) -> None:
    assert placeholder_of(name) == placeholder


async def test_the_page_ends_with_the_key(redis_url: str) -> None:
    async with signed_in(redis_url) as holder:
        await holder.site.console.parts.keys.revoke(holder.key_id)

        assert 'name="key"' in (await holder.site.get("/key")).text
