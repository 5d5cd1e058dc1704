"""An account for the benchmark's gateway, with a token that does not end while it runs."""

import asyncio
import time

from cryptography.fernet import Fernet

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore, NewAccount
from codex_proapi.commons.redis.clients import connect


def seed(url: str) -> str:
    """Put one account into an empty Redis; gives the encryption key it is sealed with."""
    key = Fernet.generate_key().decode()
    asyncio.run(_seed(url, key))
    return key


async def _seed(url: str, key: str) -> None:
    now = int(time.time())
    redis = connect(url)
    account = NewAccount(
        chatgpt_account_id="bench",
        access_token="bench",
        refresh_token="bench",
        expires_at=now + 86_400,
        refreshed_at=now,
        created_at=now,
    )
    await AccountStore(redis, CredentialCipher([key])).add(account)
    await redis.aclose()
