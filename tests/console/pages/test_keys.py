import re
from typing import Any

import msgspec
import pytest
from support.clock import Clock
from support.console_pages import NOW, filled_console
from support.console_scene import FERNET
from support.consoles import Browser, console_settings, running

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.console.pages.keys import row_of


async def test_keys_are_listed_without_their_secret(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        _, secret = await site.scene.keys.create("Fresh", created_at=int(NOW))
        html = (await site.get("/keys")).text

    assert secret[:10] in html
    assert secret not in html
    assert "60 requests a minute" in html
    assert "2M tokens a day" in html


async def test_active_keys_come_before_those_that_are_no_more(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        text = await site.read("/keys")

    assert text.index("CI") < text.index("Codex on the laptop") < text.index("Old Cursor")
    assert "Revoked" in text


async def test_the_address_says_which_keys_and_in_which_order(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        ordered = await site.read("/keys?sort=tokens&state=active")
        owned = await site.read("/keys?owner=Ada")
        nobody = await site.read("/keys?state=expired")
        html = (await site.get("/keys?sort=tokens&owner=Ada")).text

    assert "Old Cursor" not in ordered
    assert "Codex on the laptop" in owned
    assert "60 requests a minute" not in owned
    assert "No key matches." in nobody
    assert '<option value="tokens" selected>' in html
    assert '<option value="Ada" selected>' in html


async def test_the_accounts_to_choose_from_stand_by_name(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        html = (await site.get("/keys")).text

    names = re.findall(r'<span title="([^"]+)">', html)
    assert names[:6] == sorted(names[:6], key=str.casefold)
    assert names[0] == "ada@example.com"


async def test_the_other_pages_of_a_filtered_list_are_filtered_too(redis_url: str) -> None:
    async with filled_console(redis_url) as site:
        for number in range(60):
            await site.scene.keys.create(f"K{number}", owner="R&D", created_at=1)
        html = (await site.get("/keys?owner=R%26D&sort=newest")).text

    assert 'href="/keys?page=2&amp;sort=newest&amp;owner=R%26D"' in html


@pytest.mark.parametrize(
    ("policy", "said"),
    [("required", "Give each client its own key"), ("open", "Any key is accepted until you make")],
)
async def test_without_keys_the_page_tells_what_that_means(
    redis_url: str, policy: Any, said: Any
) -> None:
    async with filled_console(redis_url, empty=True, api_key_policy=policy) as site:
        assert said in await site.read("/keys")


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "active"),
        ({"expires_at": int(NOW)}, "expired"),
        ({"expires_at": int(NOW) + 1}, "active"),
        ({"revoked": True, "expires_at": 1}, "revoked"),
    ],
)
def test_a_key_is_active_expired_or_revoked(facts: Any, state: Any) -> None:
    assert row_of(ApiKey(id="key_1", name="CI", **facts), now=NOW, tokens_today=0).state == state


def test_a_keys_form_begins_with_what_it_is() -> None:
    key = ApiKey(
        id="key_1",
        name="\"CI\" 'x'",
        owner="Ada",
        limits=Limits(rpm=5),
        allowed_models=("m",),
        weight=2.0,
    )

    row = row_of(key, now=NOW, tokens_today=7)

    assert (row.limits, row.models, row.tokens_today) == ((("rpm", 5),), ("m",), 7)
    form = msgspec.json.decode(row.form)
    assert (form["name"], form["limits"]["rpm"], form["limits"]["tpm"]) == ("\"CI\" 'x'", 5, 0)
    assert (row.weight, form["weight"]) == (2.0, 2.0)


async def test_what_one_console_changes_the_pages_of_another_show(redis_url: str) -> None:
    settings = console_settings(redis_url, encryption_keys=(FERNET,))
    async with (
        filled_console(redis_url) as site,
        running(settings, clock=Clock(NOW)) as other,
        Browser(other, accept="text/html") as reader,
    ):
        key_id, account_id = next(iter(site.scene.key_names)), site.scene.ids[0]
        paths = ("/keys", "/accounts", "/logs", "/usage", "/")
        before = {path: (await reader.get(path)).text for path in paths}
        await site.browser.learn()
        await site.browser.patch(f"/api/keys/{key_id}", json={"name": "Renamed key"})
        await site.browser.patch(f"/api/accounts/{account_id}", json={"name": "Renamed account"})
        after = {path: (await reader.get(path)).text for path in paths}

    assert not any("Renamed" in html for html in before.values())
    assert all("Renamed key" in after[path] for path in ("/keys", "/logs", "/usage", "/"))
    assert all("Renamed account" in after[path] for path in ("/accounts", "/keys", "/logs"))
