"""A kind of account that nobody has, so that what assumes a ChatGPT login is seen."""

import pytest

from codex_proapi.commons.accounts.kinds import KINDS
from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import Grant, TokenEndpoint

BADGE = "badge"
"""Its value of `kind`."""


class BadgeKind:
    """Authenticates with a header of its own; can be asked nothing; `renewable` by its id token."""

    lasts = False
    has_quota = False
    has_catalogue = False

    def __init__(self) -> None:
        self.renewable = False
        self.spent: list[str] = []
        self.revoked: list[str] = []

    def headers(
        self, identity: Identity, account: Account, credential: Credential
    ) -> dict[str, str]:
        return {"x-badge": f"{account.name} {credential.access_token} {identity.version}"}

    def refresh_token(self, credential: Credential) -> str:
        return credential.id_token if self.renewable else ""

    async def refresh(self, endpoint: TokenEndpoint, token: str, reason: str) -> Grant:
        self.spent.append(f"{token} {reason}")
        return Grant(access_token="badge-2", expires_in=86_400)

    async def revoke(self, endpoint: TokenEndpoint, credential: Credential) -> bool:
        self.revoked.append(credential.account_id)
        return False


def with_badges(monkeypatch: pytest.MonkeyPatch) -> BadgeKind:
    """Make the kind known while a test runs."""
    kind = BadgeKind()
    monkeypatch.setitem(KINDS, BADGE, kind)
    return kind
