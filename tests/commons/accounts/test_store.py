"""Accounts in Redis: what a login changes, what its owner chose, and who wins a race."""

import asyncio
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from support.logins import JWT, a_login, an_access_token
from support.stored_accounts import LATER, NEW, NOW, OLD, held_by, refreshed

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import (
    Account,
    AccountState,
    Cooldown,
    CooldownReason,
    account_id_of,
)
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.owner_terms.terms import UNREADABLE_TERMS, HoursSpan, OwnerTerms
from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import (
    CredentialLocked,
    CredentialUnavailable,
    StoreUnavailable,
)


async def test_an_account_is_what_its_login_says(store: AccountStore) -> None:
    account = await store.add(a_login(exp=LATER, fedramp=True, source="device"))

    assert account == Account(
        id=account_id_of("ws-1", "user-1"),
        name="ada@example.com",
        email="ada@example.com",
        plan="plus",
        chatgpt_account_id="ws-1",
        chatgpt_user_id="user-1",
        fedramp=True,
        source="device",
        token_expires_at=LATER,
        created_at=1_790_000_000,
    )
    assert await store.get(account.id) == account
    assert await store.list() == [account]
    held = await held_by(store, account)
    assert (held.refresh_token, held.expires_at, held.generation) == ("rt_first", LATER, 1)


async def test_a_login_without_an_address_is_named_by_its_id(store: AccountStore) -> None:
    account = await store.add(a_login(exp=LATER, email=""))

    assert account.name == account.id


async def test_no_token_is_readable_at_rest(store: AccountStore, redis_client: Redis) -> None:
    account = await store.add(a_login(exp=LATER, refresh_token="rt_canary"))
    await refreshed(store, account, "rt_canary_2")

    for key in (keyspace.account(account.id), keyspace.credential(account.id)):
        text = str(await redis_client.hgetall(key))
        assert "canary" not in text
        assert not JWT.search(text)
    assert "canary" not in repr(a_login(exp=LATER, refresh_token="rt_canary"))


async def test_one_person_may_own_several_accounts(store: AccountStore) -> None:
    first = await store.add(a_login(exp=LATER, workspace="personal", created_at=2))
    second = await store.add(a_login(exp=LATER, workspace="team", created_at=1))

    assert await store.list() == [second, first]


async def test_signing_in_again_keeps_what_the_owner_chose(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await store.add(a_login(exp=NOW))
    await store.rename(account.id, "Ada's")
    await store.set_weight(account.id, 2.5)
    await store.pause(account.id)
    await store.mark(account.id, AccountState.REVOKED, "refresh_token_expired")
    await CooldownStore(redis_client).cool(
        account.id, Cooldown(until=LATER, reason=CooldownReason.QUOTA, since=NOW), model="gpt-5.5"
    )

    again = await store.add(
        a_login(
            exp=LATER, refresh_token="rt_new", plan="pro", created_at=9, email="new@example.com"
        )
    )

    assert (again.id, again.created_at) == (account.id, account.created_at)
    assert (again.name, again.weight, again.paused) == ("Ada's", 2.5, True)
    assert (again.state, again.state_reason) == (AccountState.ACTIVE, "")
    assert (again.plan, again.email, again.token_expires_at) == ("pro", "new@example.com", LATER)
    assert await redis_client.hlen(keyspace.cooldowns()) == 0
    held = await held_by(store, account)
    assert (held.generation, held.refresh_token) == (2, "rt_new")


async def test_a_name_given_with_a_login_is_taken(store: AccountStore) -> None:
    await store.add(a_login(exp=LATER))

    assert (await store.add(a_login(exp=LATER, name="Team"))).name == "Team"


async def test_an_old_file_imported_again_takes_nothing_from_what_grew_out_of_it(
    store: AccountStore,
) -> None:
    file = a_login(exp=NOW, refresh_token="rt_1")
    account = await store.add(file)
    await refreshed(store, account, "rt_2")
    newest = await refreshed(store, account, "rt_3")

    again = await store.add(file)

    assert await held_by(store, account) == newest
    assert again.token_expires_at == LATER
    assert again.state is AccountState.ACTIVE


async def test_the_same_file_imported_twice_does_not_disturb_a_refresh_under_way(
    store: AccountStore,
) -> None:
    file = a_login(exp=NOW, refresh_token="rt_1")
    account = await store.add(file)
    before = await held_by(store, account)

    await store.add(file)

    assert await held_by(store, account) == before


async def test_the_same_refresh_token_with_a_later_access_token_is_taken(
    store: AccountStore,
) -> None:
    account = await store.add(a_login(exp=NOW, refresh_token="rt_1"))

    await store.add(a_login(exp=LATER, refresh_token="rt_1"))

    held = await held_by(store, account)
    assert (held.expires_at, held.generation) == (LATER, 2)


async def test_a_spent_token_does_not_revive_a_revoked_account(store: AccountStore) -> None:
    file = a_login(exp=NOW, refresh_token="rt_1")
    account = await store.add(file)
    await refreshed(store, account, "rt_2")
    await store.mark(account.id, AccountState.REVOKED, "refresh_token_invalidated")

    assert (await store.add(file)).state is AccountState.REVOKED


async def test_when_the_encryption_key_is_lost_any_file_helps_whoever_insists(
    store: AccountStore, redis_client: Redis
) -> None:
    file = a_login(exp=NOW, refresh_token="rt_1")
    account = await store.add(file)
    renewed = AccountStore(redis_client, CredentialCipher([NEW]))
    with pytest.raises(CredentialUnavailable):
        await renewed.credential(account.id)

    with pytest.raises(CredentialLocked):
        await renewed.add(file)
    assert (await held_by(store, account)).refresh_token == "rt_1", "it works where its key is"

    await renewed.add(file, replace_locked=True)

    assert (await held_by(renewed, account)).refresh_token == "rt_1"


async def test_credentials_can_be_sealed_under_another_key(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await store.add(a_login(exp=NOW, workspace="one"))
    await store.add(a_login(exp=NOW, workspace="two"))
    held, version = await held_by(store, account), await store.version()
    after = AccountStore(redis_client, CredentialCipher([NEW]))
    lost = await after.add(a_login(exp=NOW, workspace="three"))

    assert await AccountStore(redis_client, CredentialCipher([NEW, OLD])).reseal() == 3
    assert await store.reseal() == 0

    assert await held_by(after, account) == held
    assert (await held_by(after, lost)).generation == await store.version() == version + 1


async def test_logins_without_refresh_tokens_replace_each_other(store: AccountStore) -> None:
    account = await store.add(a_login(exp=LATER, refresh_token=""))
    await store.add(a_login(exp=LATER + 1, refresh_token=""))

    assert (await held_by(store, account)).expires_at == LATER + 1


async def test_of_many_savers_of_one_generation_exactly_one_wins(store: AccountStore) -> None:
    account = await store.add(a_login(exp=NOW))
    held = await held_by(store, account)
    rivals = [
        msgspec.structs.replace(held, refresh_token=f"rt_{number}", generation=2)
        for number in range(20)
    ]

    won = await asyncio.gather(*(store.save_credential(each, expected=1) for each in rivals))

    assert sum(won) == 1
    assert await held_by(store, account) == rivals[won.index(True)]


async def test_saving_notes_the_new_end_and_the_new_plan_and_ends_revocation(
    store: AccountStore,
) -> None:
    account = await store.add(a_login(exp=NOW))
    held = await held_by(store, account)
    await store.mark(account.id, AccountState.REVOKED, "refresh_token_reused")
    token = an_access_token(exp=LATER, plan="team")

    await store.save_credential(
        msgspec.structs.replace(held, access_token=token, expires_at=LATER), expected=1
    )

    found = await store.get(account.id)
    assert found is not None
    assert (found.state, found.state_reason) == (AccountState.ACTIVE, "")
    assert (found.token_expires_at, found.plan) == (LATER, "team")


@pytest.mark.parametrize("odd", ["not json", "5", "{}"])
async def test_a_cooldown_nobody_can_read_does_not_save_half_a_credential(
    store: AccountStore, redis_client: Redis, odd: str
) -> None:
    account = await store.add(a_login(exp=NOW))
    await redis_client.hset(keyspace.cooldowns(), account.id, odd)
    await redis_client.set(keyspace.refresh_pause(account.id), "upstream_down")
    version = await store.version()

    renewed = await refreshed(store, account, "rt_2")

    assert await held_by(store, account) == renewed
    assert await store.version() == version + 1
    assert not await redis_client.exists(keyspace.refresh_pause(account.id))
    assert await redis_client.hget(keyspace.cooldowns(), account.id) == odd


async def test_saving_does_not_revive_a_deactivated_account(store: AccountStore) -> None:
    account = await store.add(a_login(exp=NOW))
    await store.mark(account.id, AccountState.DEACTIVATED, "deactivated_workspace")

    await refreshed(store, account, "rt_2")

    found = await store.get(account.id)
    assert found is not None
    assert found.state is AccountState.DEACTIVATED


async def test_a_state_is_noted_only_for_the_generation_it_was_seen_with(
    store: AccountStore,
) -> None:
    account = await store.add(a_login(exp=NOW))
    await refreshed(store, account, "rt_2")

    stale = await store.mark(account.id, AccountState.REVOKED, "reused", generation=1)
    exact = await store.mark(
        account.id, AccountState.REVOKED, "expired", generation=2, token_expires_at=NOW
    )

    assert (stale, exact) == (False, True)
    found = await store.get(account.id)
    assert found is not None
    assert (found.state, found.state_reason) == (AccountState.REVOKED, "expired")
    assert found.token_expires_at == NOW


async def test_a_removed_account_leaves_nothing_and_its_late_refresh_is_not_saved(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await store.add(a_login(exp=NOW))
    held = await held_by(store, account)
    cooldown = Cooldown(until=LATER, reason=CooldownReason.RATE, since=NOW)
    await CooldownStore(redis_client).cool(account.id, cooldown)

    assert await store.remove(account.id)

    assert not await store.save_credential(held, expected=1)
    assert await store.get(account.id) is None
    assert await store.credential(account.id) is None
    assert await store.list() == []
    left = {keyspace.accounts_version(), keyspace.cooldowns_version()}
    assert set(await redis_client.keys("*")) == left
    assert not await store.remove(account.id)


async def test_an_account_added_again_after_removal_is_of_another_generation(
    store: AccountStore,
) -> None:
    account = await store.add(a_login(exp=NOW))
    late = await held_by(store, account)
    await store.remove(account.id)

    await store.add(a_login(exp=NOW, refresh_token="rt_other"))

    assert not await store.save_credential(late, expected=late.generation)
    assert (await held_by(store, account)).refresh_token == "rt_other"


async def test_every_change_raises_the_version_and_what_changes_nothing_does_not(
    store: AccountStore,
) -> None:
    account = await store.add(a_login(exp=NOW))
    changes: list[Any] = [
        lambda: store.pause(account.id),
        lambda: store.resume(account.id),
        lambda: store.rename(account.id, "x"),
        lambda: store.set_weight(account.id, 3),
        lambda: store.mark(account.id, AccountState.REVOKED, "r"),
        lambda: refreshed(store, account, "rt_2"),
        lambda: store.add(a_login(exp=NOW)),
        lambda: store.remove(account.id),
    ]
    versions = [await store.version()]
    for change in changes:
        assert await change()
        versions.append(await store.version())
    assert versions == list(range(1, 10))

    account = await store.add(a_login(exp=NOW))
    before = await store.version()
    assert await store.resume(account.id)
    assert await store.mark(account.id, AccountState.ACTIVE, "")
    assert await store.version() == before


async def test_an_unknown_account_can_not_be_changed(store: AccountStore) -> None:
    assert not await store.pause("acc_0")
    assert not await store.rename("acc_0", "x")
    assert not await store.mark("acc_0", AccountState.REVOKED, "r", generation=1)
    assert await store.get("acc_0") is None
    assert await store.version() == 0


async def test_without_redis_nothing_is_known() -> None:
    client = connect("unix:///nowhere")
    store = AccountStore(client, CredentialCipher([OLD]))
    for call in (store.list, store.version, lambda: store.get("acc_1")):
        with pytest.raises(StoreUnavailable):
            await call()
    await client.aclose()
    assert repr(store) == "<AccountStore>"


async def test_an_owner_and_the_terms_stay_when_the_login_is_renewed(
    store: AccountStore, redis_client: Redis
) -> None:
    await redis_client.hset(operator_keys.owners(), "own_1", "{}")
    account = await store.add(a_login(exp=LATER, owner="own_1"))
    terms = OwnerTerms(paused=True, hours=(HoursSpan(days=("sat",)),))

    assert await store.set_terms(account.id, terms)
    again = await store.add(a_login(exp=LATER + 60, refresh_token="rt_second"))

    assert (again.owner, again.terms) == ("own_1", terms)
    assert [(each.owner, each.terms) for each in await store.list()] == [("own_1", terms)]
    assert not await store.set_terms("acc_gone", terms)


async def test_changed_terms_are_another_version(store: AccountStore) -> None:
    account = await store.add(a_login(exp=LATER))
    before = await store.version()

    await store.set_terms(account.id, OwnerTerms(paused=True))
    changed = await store.version()
    await store.set_terms(account.id, OwnerTerms(paused=True))

    assert changed > before
    assert await store.version() == changed


async def test_terms_that_cannot_be_read_close_the_account_only(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await store.add(a_login(exp=LATER))
    await redis_client.hset(keyspace.account(account.id), "terms", '{"hours": 5}')

    read = await store.get(account.id)

    assert read is not None
    assert read.terms == UNREADABLE_TERMS
    assert (read.name, read.state) == (account.name, AccountState.ACTIVE)
