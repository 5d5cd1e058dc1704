"""The administrator sees whose an account is, on which terms, and since when the owner has agreed."""

import pytest
from redis.asyncio import Redis
from support.console_pages import NOW, PageClient, filled_console
from support.logins import a_login

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.owner_terms.terms import Consent, HoursSpan, OwnerTerms, ReservedPercent
from codex_proapi.console.owners.owner_store import Owner, OwnerStore

HOSTILE = "<img src=x onerror=alert(1)>"
TERMS = OwnerTerms(
    time_zone="Asia/Shanghai",
    hours=(HoursSpan(days=("mon", "tue", "wed", "fri"), begin="19:00", end="07:00"),),
    reserved_percent=ReservedPercent(weekly=40),
    key_groups=("team a",),
)


async def owned(site: PageClient, redis: Redis, *, name: str = "Ada") -> Account:
    """An account of an owner, on some terms."""
    await OwnerStore(redis).put(Owner(id="own_1", name=name))
    consent = Consent(at=int(NOW) - 86_400, wording="2026-11")
    account = await site.scene.accounts.add(
        a_login(exp=int(NOW) + 864_000, workspace="ws-owned", owner="own_1", consent=consent)
    )
    terms = OwnerTerms(
        **{name: getattr(TERMS, name) for name in ("time_zone", "hours", "reserved_percent")},
        key_groups=TERMS.key_groups,
        consent=consent,
    )
    await site.scene.accounts.set_terms(account.id, terms)
    return account


async def test_an_account_s_page_tells_owner_consent_and_terms(
    redis_url: str, redis_client: Redis
) -> None:
    async with filled_console(redis_url) as site:
        account = await owned(site, redis_client)
        text = await site.read(f"/accounts/{account.id}")

    assert "Owner Ada" in text
    assert "wording 2026-11" in text
    assert "Mon–Wed, Fri 19:00–07:00 of the next day Asia/Shanghai" in text
    assert "Week: 40%" in text
    assert "Groups: team a" in text
    assert "The terms are the owner's." in text


async def test_terms_without_an_owner_are_told_and_no_terms_are_not(
    redis_url: str, redis_client: Redis
) -> None:
    del redis_client
    async with filled_console(redis_url) as site:
        plain = await site.read(f"/accounts/{site.scene.ids[0]}")
        await site.scene.accounts.set_terms(site.scene.ids[0], TERMS)
        told = await site.read(f"/accounts/{site.scene.ids[0]}")

    assert "Owner and terms" not in plain
    assert "Owner none" in told
    assert "The terms are the owner's." not in told


@pytest.mark.parametrize(
    ("query", "found", "others"),
    [("?owner=own_1", True, False), ("?owner=none", False, True), ("?owner=own_9", True, True)],
)
async def test_the_list_shows_the_accounts_of_one_owner(
    redis_url: str, redis_client: Redis, query: str, found: bool, others: bool
) -> None:
    async with filled_console(redis_url) as site:
        account = await owned(site, redis_client)
        html = (await site.get(f"/accounts{query}")).text

    assert (f'id="row-{account.id}"' in html) is found
    assert (f'id="row-{site.scene.ids[0]}"' in html) is others


async def test_a_hostile_name_of_an_owner_is_only_text(redis_url: str, redis_client: Redis) -> None:
    async with filled_console(redis_url) as site:
        account = await owned(site, redis_client, name=HOSTILE)
        pages = [
            (await site.get(path)).text
            for path in ("/owners", "/accounts", f"/accounts/{account.id}")
        ]

    assert all("<img" not in html for html in pages)
    assert all("onerror" in html for html in pages)
