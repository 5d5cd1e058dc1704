from typing import Any

import msgspec
import pytest
from support.console_pages import NOW, PageClient, filled_console, words_of
from support.consoles import PASSWORD
from support.logins import a_login

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import (
    AccountState,
    Cooldown,
    CooldownReason,
    NewAccount,
)
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

HOSTILE = "<img src=x onerror=alert(1)>"


async def test_each_account_is_told_in_words_with_cause_and_cure(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/accounts")

    assert "3 of 6 ready · 1 needs attention" in text
    assert "Sign in again The login of this account was used by another program." in text
    assert "Quota used up until" in text
    assert "Paused You took it out of rotation." in text


async def test_windows_are_told_apart_by_their_length(redis_url: str) -> None:
    """A free plan carries its week in the first slot; it is a week all the same."""
    async with filled_console(redis_url) as site:
        text = await site.read("/accounts?sort=name")

    edsger = text.partition("edsger@example.com")[2].partition("grace@example.com")[0]
    assert "Week 60% left" in edsger
    assert "5 hours" not in edsger


async def test_an_account_without_figures_is_never_drawn_as_full(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        await site.scene.people()
        await site.console.redis.delete(*[k async for k in site.console.redis.scan_iter("*quota*")])
        html = (await site.get("/accounts")).text

    assert "Quota unknown: not reported yet." in html
    assert "bar-meter" not in html


async def test_no_account_has_one_thing_to_do(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        text = await site.read("/accounts")

    assert "No account yet" in text
    assert "Search accounts" not in text


@pytest.mark.parametrize("page", ["/accounts", "/", "/catalogue", "/logs"])
async def test_a_hostile_name_is_only_text(redis_url: str, page: Any) -> None:
    async with filled_console(redis_url) as site:
        await site.scene.accounts.rename(site.scene.ids[0], HOSTILE)
        await site.scene.accounts.rename(site.scene.ids[5], HOSTILE)
        html = (await site.get(page)).text

    assert HOSTILE not in html
    assert "<img" not in html


async def test_a_failed_login_is_told_where_the_visitor_is(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        answer = await site.get("/auth/callback?error=access_denied&state=none")
        text = await site.read(answer.headers["location"])

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/accounts?login_error=login_unknown&request_id=")
    assert "This login is unknown, or it has been used already." in text
    assert "Begin the login again and use the newest link." in text


async def test_words_somebody_put_into_the_address_are_not_repeated(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/accounts?login_error=Call+0900&request_id=" + "x" * 99)

    assert "0900" not in text
    assert "OpenAI refused the sign-in." in text


async def test_a_finished_login_is_told_by_the_accounts_name(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read(f"/accounts?signed_in={site.scene.ids[0]}")
        unknown = await site.read("/accounts?signed_in=acc_000000000000")

    assert "ada@example.com is signed in and ready." in text
    assert "is signed in and ready" not in unknown


async def _first_way(site: PageClient, base: str) -> str:
    site.browser.base_url = base
    site.browser.headers["origin"] = base
    html = (await site.get("/accounts")).text
    return html.partition('role="tab" id="tab-')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("base", "provided", "first"),
    [
        ("http://localhost:1455", {}, "browser"),
        ("http://localhost:8081", {}, "device"),
        ("http://127.0.0.1:1455", {}, "device"),
        ("http://localhost:1455", {"oauth_redirect_uri": "https://else.example/cb"}, "device"),
    ],
)
async def test_the_browser_leads_only_where_openai_can_send_it_back(
    redis_url: str, base: Any, provided: Any, first: Any
) -> None:
    async with filled_console(redis_url, empty=True, **provided) as site:
        assert await _first_way(site, base) == first


async def test_where_it_cannot_return_the_page_says_so(redis_url: str) -> None:
    async with filled_console(redis_url, empty=True) as site:
        here = await site.read("/accounts")
        await _first_way(site, "http://localhost:8081")
        there = await site.read("/accounts")

    assert "OpenAI cannot send you back" not in here
    assert "OpenAI cannot send you back" in there


async def test_a_public_address_offers_no_browser_login_and_pastes_the_registered_one(
    redis_url: str,
) -> None:
    async with filled_console(
        redis_url, empty=True, admin_password=PASSWORD, public_url="https://pool.example"
    ) as site:
        site.browser.base_url = site.browser.headers["origin"] = "https://pool.example"
        await site.browser.sign_in()
        assert await _first_way(site, "https://pool.example") == "device"
        html = (await site.get("/accounts")).text

    assert 'id="tab-browser"' not in html
    assert 'id="tab-pasted"' in html
    assert 'placeholder="http://localhost:1455/auth/callback?code=…"' in html


async def test_one_account_shows_its_facts_and_its_last_requests(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        html = (await site.get(f"/accounts/{site.scene.ids[0]}")).text

    text = words_of(html)
    assert "Workspace ws-0" in words_of(html)
    assert 'href="/accounts" data-key="a" aria-current="page"' in html
    assert "Added by auth.json" in text
    assert "Its last requests" in text
    assert site.scene.ids[0] in text


async def test_an_accounts_last_requests_are_found_behind_those_of_others(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        mine, other = site.scene.ids[3], site.scene.ids[0]
        records = [
            site.scene.record(n, at=NOW + n / 100, account=mine if n == 1 else other, attempts=())
            for n in range(10_000, 10_060)
        ]
        mine_too = site.scene.record(9_999, at=NOW, account=mine, asked_model="my-own-model")
        await SettlementWriter(site.console.redis).add([mine_too, *records])
        page = await site.read(f"/accounts/{mine}")

    assert "my-own-model" in page


async def test_limits_of_some_models_and_what_was_bought_are_shown_where_known(
    redis_url: str,
) -> None:
    async with filled_console(redis_url) as site:
        rich = await site.read(f"/accounts/{site.scene.ids[0]}")
        plain = await site.read(f"/accounts/{site.scene.ids[1]}")

    assert "Limit of GPT-6-Astra only Week 10% left" in rich
    assert "Credits 42.50" in rich
    assert "Spending limit 70% left · resets" in rich
    assert "Limit of" not in plain
    assert "Credits" not in plain
    assert "Spending limit" not in plain


async def test_an_account_that_is_not_there_is_a_page_of_its_own(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        answer = await site.get("/accounts/acc_000000000000")

    assert answer.status_code == 404
    assert "There is no such account." in answer.text


async def test_an_account_with_traffic_is_removed_only_by_its_name(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        await site.scene.accounts.add(a_new_account())
        html = (await site.get("/accounts?sort=name")).text

    used = html.partition("Remove ada@example.com?")[2].partition("</button>")[0]
    unused = html.partition("Remove zoe@example.com?")[2].partition("</button>")[0]
    assert 'data-confirm-type="ada@example.com"' in used
    assert "data-confirm-type" not in unused


def a_new_account() -> NewAccount:
    return msgspec.structs.replace(
        a_login(exp=1_900_000_000, workspace="ws-new"), email="zoe@example.com"
    )


async def test_a_spent_window_has_no_pace_and_an_empty_bar(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        html = (await site.get(f"/accounts/{site.scene.ids[2]}")).text

    spent = html.partition("5 hours")[2].partition("Week")[0]
    assert "0% left" in words_of(spent)
    assert "At this pace" not in words_of(spent)


async def test_a_bar_is_as_long_as_its_figure(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        html = (await site.get(f"/accounts/{site.scene.ids[0]}")).text

    bar = html.partition("88% left")[2]
    assert 'width="88' in bar.partition("</svg>")[0]


@pytest.mark.parametrize("reason", ["refresh_token_reused", "token_invalidated"])
async def test_who_must_sign_in_again_has_the_button_beside_it(redis_url: str, reason: str) -> None:
    async with filled_console(redis_url) as site:
        account = site.scene.ids[0]
        await site.scene.accounts.mark(account, AccountState.REVOKED, reason)
        html = (await site.get("/accounts")).text

    row = html.partition(f'id="row-{account}"')[2].partition("<details")[0]
    assert f'data-login-account="{account}"' in row


async def test_a_model_in_whose_place_another_one_answered_is_told_on_the_accounts_page(
    redis_url: str,
) -> None:
    async with filled_console(redis_url) as site:
        account_id, now = site.scene.ids[0], site.scene.now
        resting = Cooldown(
            until=now + 900, reason=CooldownReason.SUBSTITUTED, since=now, code="gpt-5.6-luna"
        )
        await CooldownStore(site.console.redis).cool(account_id, resting, model="gpt-6-sol")
        text = await site.read(f"/accounts/{account_id}")
        other = await site.read(f"/accounts/{site.scene.ids[1]}")

    assert "gpt-5.6-luna answered in place of gpt-6-sol." in text
    assert "answered in place" not in other
