"""A login of an owner makes an account his, unless it is another owner's."""

import asyncio

import pytest
from redis.asyncio import Redis
from support.logins import a_login
from support.stored_accounts import LATER, NEW, NOW

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.owner_terms.terms import Consent, OwnerTerms
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.runtime.errors import OwnedByOther

AGREED = Consent(at=NOW, wording="2026-11")


@pytest.fixture
async def store(redis_client: Redis) -> AccountStore:
    await redis_client.hset(operator_keys.owners(), mapping={"own_1": "{}", "own_2": "{}"})
    return AccountStore(redis_client, CredentialCipher([NEW]))


async def claim(store: AccountStore, owner: str, refresh_token: str = "rt_1") -> Account:
    return await store.add(
        a_login(exp=LATER, refresh_token=refresh_token, owner=owner, consent=AGREED)
    )


async def test_a_login_of_an_owner_is_his_with_his_consent(store: AccountStore) -> None:
    account = await claim(store, "own_1")

    assert (account.owner, account.terms) == ("own_1", OwnerTerms(consent=AGREED))


async def test_another_owner_s_login_changes_nothing(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await claim(store, "own_1")
    keys = keyspace.account(account.id), keyspace.credential(account.id)
    before = [await redis_client.hgetall(key) for key in keys]
    version = await store.version()

    with pytest.raises(OwnedByOther):
        await claim(store, "own_2", "rt_2")
    assert [await redis_client.hgetall(key) for key in keys] == before
    assert await store.version() == version


async def test_of_owners_who_claim_at_once_one_gets_it(store: AccountStore) -> None:
    claims = await asyncio.gather(
        *(claim(store, f"own_{1 + number % 2}", f"rt_{number}") for number in range(10)),
        return_exceptions=True,
    )
    owners = {each.owner for each in claims if isinstance(each, Account)}

    assert len(owners) == 1
    assert sum(isinstance(each, OwnedByOther) for each in claims) == 5
    assert {(await store.list())[0].owner} == owners


async def test_who_is_no_owner_gets_no_account(store: AccountStore) -> None:
    with pytest.raises(OwnedByOther):
        await claim(store, "own_gone")

    assert await store.list() == []


async def test_what_belonged_to_somebody_who_is_no_owner_any_more_can_be_claimed(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await claim(store, "own_1")
    await store.set_terms(account.id, OwnerTerms(paused=True, consent=AGREED))
    await redis_client.hdel(operator_keys.owners(), "own_1")
    again = await claim(store, "own_2", "rt_2")

    assert (again.owner, again.terms.paused) == ("own_2", True)


async def test_terms_of_an_account_without_an_owner_stay_when_somebody_claims_it(
    store: AccountStore,
) -> None:
    account = await store.add(a_login(exp=LATER))
    await store.set_terms(account.id, OwnerTerms(key_groups=("team",)))

    assert (await claim(store, "own_1", "rt_2")).terms == OwnerTerms(
        key_groups=("team",), consent=AGREED
    )


async def test_terms_that_change_while_a_login_comes_in_are_not_lost(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await claim(store, "own_1")
    other = AccountStore(redis_client, CredentialCipher([NEW]))
    paused = OwnerTerms(paused=True, consent=AGREED)
    for number in range(20):
        await store.set_terms(account.id, OwnerTerms(consent=AGREED))
        await asyncio.gather(
            other.set_terms(account.id, paused), claim(store, "own_1", f"rt_{number + 2}")
        )
        kept = await store.get(account.id)
        assert kept is not None
        assert kept.terms.paused


async def test_terms_of_a_newer_version_are_left_as_they_are(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await claim(store, "own_1")
    newer = '{"hours":{"mon":"all"}}'
    await redis_client.hset(keyspace.account(account.id), "terms", newer)
    again = await claim(store, "own_1", "rt_2")

    assert again.terms.unreadable
    assert await redis_client.hget(keyspace.account(account.id), "terms") == newer


async def test_terms_are_set_for_the_owner_they_were_meant_for(store: AccountStore) -> None:
    account = await store.add(a_login(exp=LATER))
    paused = OwnerTerms(paused=True)
    assert await store.set_terms(account.id, paused, owner="")
    await claim(store, "own_1", "rt_2")

    assert not await store.set_terms(account.id, OwnerTerms(), owner="")
    assert not await store.set_terms(account.id, OwnerTerms(), owner="own_2")
    kept = await store.get(account.id)
    assert kept is not None
    assert kept.terms == OwnerTerms(paused=True, consent=AGREED)
    assert await store.set_terms(account.id, OwnerTerms(consent=AGREED), owner="own_1")
