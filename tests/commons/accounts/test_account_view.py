"""A view of the accounts reloads when their version differs, and opens credentials when asked."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from support.logins import a_login
from support.stored_accounts import LATER, NEW, NOW, OLD, refreshed

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView


class CountingStore(AccountStore):
    """Counts how often everything is loaded."""

    loads = 0

    async def load(self) -> Any:
        self.loads += 1
        return await super().load()


async def test_a_view_reloads_when_the_version_differs_and_only_then(redis_client: Redis) -> None:
    store = CountingStore(redis_client, CredentialCipher([OLD]))
    view = AccountView(store)
    account = await store.add(a_login(exp=LATER))

    assert await view.refresh_if(await store.version())
    assert not await view.refresh_if(await store.version())
    assert view.accounts == {account.id: account}
    assert repr(view) == "<AccountView 1 accounts, version 1>"

    await store.pause(account.id)
    assert await view.refresh_if(await store.version())
    assert view.accounts[account.id].paused
    assert store.loads == 2


async def test_requests_at_once_share_one_reload(redis_client: Redis) -> None:
    store = CountingStore(redis_client, CredentialCipher([OLD]))
    view = AccountView(store)
    await store.add(a_login(exp=LATER))

    done = await asyncio.gather(*(view.refresh_if(1) for _ in range(50)))

    assert (sum(done), store.loads) == (1, 1)


async def test_a_version_that_went_back_is_a_change_too(redis_client: Redis) -> None:
    store = CountingStore(redis_client, CredentialCipher([OLD]))
    view = AccountView(store)
    await store.add(a_login(exp=LATER))
    await view.refresh_if(1)
    await redis_client.flushall()

    assert await view.refresh_if(0)
    assert view.accounts == {}


async def test_a_view_opens_credentials_when_asked_and_knows_their_generation(
    store: AccountStore,
) -> None:
    view = AccountView(store)
    account = await store.add(a_login(exp=NOW))
    await view.refresh_if(await store.version())
    first = view.credential(account.id)
    assert first is not None
    assert first is view.credential(account.id)

    renewed = await refreshed(store, account, "rt_2")
    assert view.credential(account.id) == first
    await view.refresh_if(await store.version())

    assert view.credential(account.id) == renewed
    await store.remove(account.id)
    await view.refresh_if(await store.version())
    assert view.credential(account.id) is None


async def test_a_credential_that_does_not_open_is_none_in_a_view(
    store: AccountStore, redis_client: Redis
) -> None:
    account = await store.add(a_login(exp=NOW))
    view = AccountView(AccountStore(redis_client, CredentialCipher([NEW])))
    await view.refresh_if(1)

    assert account.id in view.accounts
    assert view.credential(account.id) is None
    assert view.credential("acc_0") is None
