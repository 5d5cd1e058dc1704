"""Stored accounts: times, keys, and a credential saved as the refresher saves it."""

import msgspec
from cryptography.fernet import Fernet
from support.logins import an_access_token

from codex_proapi.commons.accounts.model import (
    Account,
    Credential,
)
from codex_proapi.commons.accounts.store import AccountStore

NOW = 1_795_000_000
LATER = NOW + 864_000
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


async def held_by(store: AccountStore, account: Account) -> Credential:
    held = await store.credential(account.id)
    assert held is not None
    return held


async def refreshed(store: AccountStore, account: Account, refresh_token: str) -> Credential:
    """Save the next credential of an account, as the refresher does."""
    held = await held_by(store, account)
    renewed = msgspec.structs.replace(
        held,
        access_token=an_access_token(exp=LATER, mark=refresh_token),
        refresh_token=refresh_token,
        expires_at=LATER,
        generation=held.generation + 1,
    )
    assert await store.save_credential(renewed, expected=held.generation)
    return renewed
