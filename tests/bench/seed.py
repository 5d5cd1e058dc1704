"""Accounts and a key for the benchmark's gateways, with tokens that do not end while it runs."""

import asyncio
import time

from cryptography.fernet import Fernet

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import NewAccount
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.redis.clients import connect


def seed(url: str) -> str:
    """Put one account into an empty Redis; gives the encryption key it is sealed with."""
    key = Fernet.generate_key().decode()
    asyncio.run(_seed(url, key))
    return key


def seed_team(url: str, accounts: int, *, keys: int = 2) -> tuple[str, str]:
    """So many accounts and keys, the last key with limits; gives encryption key and its secret."""
    key = Fernet.generate_key().decode()
    return key, asyncio.run(_seed_team(url, key, accounts, keys=keys))


async def _seed(url: str, key: str, accounts: int = 1) -> None:
    now = int(time.time())
    redis = connect(url)
    store = AccountStore(redis, CredentialCipher([key]))
    for number in range(accounts):
        account = NewAccount(
            chatgpt_account_id=f"bench{number or ''}",
            access_token="bench",
            refresh_token=f"bench{number or ''}",
            expires_at=now + 86_400,
            refreshed_at=now,
            created_at=now,
        )
        await store.add(account)
    await redis.aclose()


async def _seed_team(url: str, key: str, accounts: int, *, keys: int) -> str:
    await _seed(url, key, accounts)
    redis = connect(url)
    store = KeyStore(redis, CredentialCipher([key]))
    plenty = Limits(rpm=10**9, tpm=10**12, concurrent=10**6, tokens_day=10**13)
    for number in range(keys - 1):
        await store.create(f"another {number}", weight=2.0)
    _, secret = await store.create("bench", limits=plenty)
    await redis.aclose()
    return secret
