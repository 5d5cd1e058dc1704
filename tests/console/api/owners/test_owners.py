"""The administrator adds, invites, renames and removes owners; each deed is in the audit."""

from collections.abc import AsyncIterator

import pytest
from support.consoles import Browser, console_settings, guarded, running, script
from support.login_scene import code_of
from support.owner_scene import OwnerBrowser, add_owner, invite, token_in

from codex_proapi.commons.accounts.one_line import MOST_NAME
from codex_proapi.console.app import Console
from codex_proapi.console.owners.owner_store import MOST_OWNERS, new_owner


@pytest.fixture
async def console(redis_url: str) -> AsyncIterator[Console]:
    async with running(guarded(redis_url)) as console:
        yield console


@pytest.fixture
async def administrator(console: Console) -> AsyncIterator[Browser]:
    async with Browser(console) as browser:
        await browser.sign_in()
        yield browser


async def test_an_owner_is_added_invited_and_seen(console: Console, administrator: Browser) -> None:
    owner_id = await add_owner(administrator, "  Ada   Lovelace ")
    (owner,) = (await administrator.get("/api/owners")).json()["owners"]
    assert (owner["id"], owner["name"]) == (owner_id, "Ada Lovelace")
    assert (owner["invitation_ends_at"], owner["signed_in_at"], owner["accounts"]) == (0, 0, [])

    token = await invite(administrator, owner_id)
    (invited,) = (await administrator.get("/api/owners")).json()["owners"]
    assert invited["invitation_ends_at"] > 0
    async with OwnerBrowser(console) as ada:
        assert (await ada.enter(token)).status_code == 201
    (inside,) = (await administrator.get("/api/owners")).json()["owners"]
    assert (inside["invitation_ends_at"], inside["agent"]) == (0, "Mozilla/5.0 (test)")
    assert inside["signed_in_at"] == inside["seen_at"] > 0
    assert token not in str(inside)


async def test_the_link_is_that_of_the_console_s_public_address(redis_url: str) -> None:
    settings = guarded(redis_url, public_url="https://pool.example.com")
    async with running(settings) as console, Browser(console) as browser:
        await browser.sign_in()
        owner_id = await add_owner(browser)
        made = (await browser.post(f"/api/owners/{owner_id}/invitation")).json()

    assert made["link"].startswith("https://pool.example.com/owner/enter?link=own_")
    assert token_in(made["link"])


async def test_an_owner_is_renamed_and_removed(administrator: Browser) -> None:
    owner_id = await add_owner(administrator)
    renamed = await administrator.patch(f"/api/owners/{owner_id}", json={"name": "Grace"})
    assert renamed.json()["name"] == "Grace"
    assert (await administrator.delete(f"/api/owners/{owner_id}")).status_code == 204

    assert (await administrator.get("/api/owners")).json() == {"owners": []}
    for method, path in (
        ("PATCH", f"/api/owners/{owner_id}"),
        ("POST", f"/api/owners/{owner_id}/invitation"),
        ("DELETE", f"/api/owners/{owner_id}/session"),
        ("DELETE", f"/api/owners/{owner_id}"),
    ):
        answer = await administrator.request(method, path, json={"name": "x"})
        assert code_of(answer) == (404, "unknown_owner")


async def test_each_deed_is_in_the_audit_with_who_did_it(
    console: Console, administrator: Browser
) -> None:
    owner_id = await add_owner(administrator)
    await administrator.patch(f"/api/owners/{owner_id}", json={"name": "Grace"})
    token = await invite(administrator, owner_id)
    async with OwnerBrowser(console) as grace:
        await grace.enter(token)
        await grace.delete("/api/owner/session")
    await invite(administrator, owner_id)
    await administrator.delete(f"/api/owners/{owner_id}/session")
    await administrator.delete(f"/api/owners/{owner_id}")
    events = [each.event for each in await console.parts.audit.page()]
    told = [(event.action, event.actor) for event in reversed(events)]

    assert [each for each in told if each[0].startswith("owner.")] == [
        ("owner.added", "admin"),
        ("owner.renamed", "admin"),
        ("owner.invited", "admin"),
        ("owner.entered", "owner:Grace"),
        ("owner.signed_out", "owner:Grace"),
        ("owner.invited", "admin"),
        ("owner.session_ended", "admin"),
        ("owner.removed", "admin"),
    ]
    assert token.partition(".")[2] not in str(events)


async def test_there_is_an_end_to_owners(console: Console, administrator: Browser) -> None:
    for number in range(MOST_OWNERS):
        await console.parts.owners.put(new_owner(f"owner {number}", now=number))

    answer = await administrator.post("/api/owners", json={"name": "one more"})
    assert code_of(answer) == (409, "too_many_owners")


@pytest.mark.parametrize("name", ["", "   ", "x" * (MOST_NAME + 1), 5, None])
async def test_a_name_that_is_none_is_told(administrator: Browser, name: object) -> None:
    answer = await administrator.post("/api/owners", json={"name": name})

    assert code_of(answer) == (400, "invalid_value")
    assert answer.json()["error"]["param"] == "name"


async def test_a_script_with_an_admin_token_does_the_same(
    console: Console, administrator: Browser
) -> None:
    secret = (await administrator.post("/api/tokens", json={"name": "ops"})).json()["secret"]
    async with script(console, authorization=f"Bearer {secret}") as ops:
        owner_id = (await ops.post("/api/owners", json={"name": "Ada"})).json()["id"]
        made = await ops.post(f"/api/owners/{owner_id}/invitation")
        assert made.status_code == 201
        assert code_of(await ops.get("/api/owner/accounts")) == (401, "owner_signed_out")


async def test_without_a_password_an_invitation_works_too(redis_url: str) -> None:
    async with running(console_settings(redis_url)) as console, Browser(console) as browser:
        await browser.learn()
        token = await invite(browser, await add_owner(browser))
        async with OwnerBrowser(console, peer="127.0.0.1") as ada:
            assert (await ada.enter(token)).status_code == 201
            assert await ada.own() == []
