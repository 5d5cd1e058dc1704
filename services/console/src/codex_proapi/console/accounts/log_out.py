"""Ends an account's login where it was issued, when the account is removed."""

import asyncio

from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.token_endpoint import GrantError, TokenEndpoint
from codex_proapi.commons.runtime.errors import CredentialUnavailable

LOG_OUT_SECONDS = 10.0
"""How long a removal waits for the authorization server; it is removed in any case."""


async def log_out(accounts: AccountStore, endpoint: TokenEndpoint, account_id: str) -> bool:
    """Revoke an account's login at the authorization server; False if that was not possible."""
    try:
        credential = await accounts.credential(account_id)
    except CredentialUnavailable:  # sealed under a key that is lost: nothing to revoke with
        return False
    if credential is None:
        return False
    try:
        async with asyncio.timeout(LOG_OUT_SECONDS):
            return await kind_of(credential).revoke(endpoint, credential)
    except (GrantError, TimeoutError):
        return False
