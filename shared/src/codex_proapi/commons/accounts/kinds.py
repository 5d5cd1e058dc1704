"""Kinds of accounts: how their requests are authenticated and refreshed, what can be polled for them.

These facts are obtained by `kind_of`; no other module assumes a ChatGPT login. A new kind is one class
here and one line in `KINDS`.
"""

from typing import Final, Protocol

from codex_proapi.commons.accounts.model import CHATGPT, PERSONAL_TOKEN, Account, Credential
from codex_proapi.commons.codex.identity import Identity, account_headers
from codex_proapi.commons.codex.token_endpoint import (
    Grant,
    GrantRefused,
    GrantUnavailable,
    TokenEndpoint,
)
from codex_proapi.commons.runtime.errors import CredentialUnavailable

TOKEN_REFUSED: Final = "access_token_refused"  # noqa: S105 - a code, no token
"""Code of a personal access token that is not accepted any more."""


class AccountKind(Protocol):
    """What differs between kinds of accounts. Implementations hold no state."""

    @property
    def lasts(self) -> bool:
        """Whether its token is used until it is refused: it has no readable end and no successor."""

    @property
    def has_quota(self) -> bool:
        """Whether its quota can be fetched from the usage endpoint."""

    @property
    def has_catalogue(self) -> bool:
        """Whether its models can be fetched from the models endpoint."""

    def headers(
        self, identity: Identity, account: Account, credential: Credential
    ) -> dict[str, str]:
        """Headers of any request made for an account; CredentialUnavailable if there can be none."""

    def refresh_token(self, credential: Credential) -> str:
        """The token that a refresh spends; empty when the credential cannot be refreshed."""

    async def refresh(self, endpoint: TokenEndpoint, token: str, reason: str) -> Grant:
        """Spend a refresh token. Raises GrantRefused or GrantUnavailable."""

    async def revoke(self, endpoint: TokenEndpoint, credential: Credential) -> bool:
        """End the login where it was issued; False if this kind cannot. Raises GrantError."""


class ChatGptLogin:
    """An OAuth login of ChatGPT: a bearer of a workspace, with a refresh token unless imported without."""

    lasts = False
    has_quota = True
    has_catalogue = True

    def headers(
        self, identity: Identity, account: Account, credential: Credential
    ) -> dict[str, str]:
        """The bearer token, its workspace and the client's identity."""
        return _bearer_headers(identity, account, credential)

    def refresh_token(self, credential: Credential) -> str:
        """The credential's refresh token; single use."""
        return credential.refresh_token

    async def refresh(self, endpoint: TokenEndpoint, token: str, reason: str) -> Grant:
        """Refresh at the authorization server."""
        return await endpoint.refresh(token, reason)

    async def revoke(self, endpoint: TokenEndpoint, credential: Credential) -> bool:
        """Revoke at the authorization server."""
        await endpoint.revoke(
            refresh_token=credential.refresh_token, access_token=credential.access_token
        )
        return True


class PersonalToken:
    """A personal access token `at-…` of a workspace's member. It is never replaced, only confirmed.

    Its "refresh" asks the authorization server whose token it is; an answer confirms it and tells
    the plan, and there is no new token.
    """

    lasts = True
    has_quota = True
    has_catalogue = True

    def headers(
        self, identity: Identity, account: Account, credential: Credential
    ) -> dict[str, str]:
        """The token as bearer, its workspace and the client's identity."""
        return _bearer_headers(identity, account, credential)

    def refresh_token(self, credential: Credential) -> str:
        """The access token itself: it is asked for, and not spent."""
        return credential.access_token

    async def refresh(self, endpoint: TokenEndpoint, token: str, reason: str) -> Grant:
        """Confirm the token by `whoami`. Raises GrantRefused TOKEN_REFUSED if it is over."""
        del reason
        try:
            owner = await endpoint.whoami(token)
        except GrantRefused as refusal:
            if not refusal.permanent:
                raise
            raise GrantRefused(TOKEN_REFUSED, permanent=True, status=refusal.status) from None
        return Grant(owner=owner)

    async def revoke(self, endpoint: TokenEndpoint, credential: Credential) -> bool:
        """Not possible: its member, or the workspace's owner, deletes it in ChatGPT."""
        del endpoint, credential
        return False


class UnknownKind:
    """A kind that a newer version wrote: it is not used, polled or refreshed."""

    lasts = False
    has_quota = False
    has_catalogue = False

    def headers(
        self, identity: Identity, account: Account, credential: Credential
    ) -> dict[str, str]:
        """None: its credential may belong to another service."""
        del identity, credential
        raise CredentialUnavailable(f"{account.id} is of a kind this version does not know.")

    def refresh_token(self, credential: Credential) -> str:
        """None."""
        del credential
        return ""

    async def refresh(self, endpoint: TokenEndpoint, token: str, reason: str) -> Grant:
        """Never possible."""
        del endpoint, token, reason
        raise GrantUnavailable("unknown_kind", sent=False)

    async def revoke(self, endpoint: TokenEndpoint, credential: Credential) -> bool:
        """Never possible."""
        del endpoint, credential
        return False


KINDS: Final[dict[str, AccountKind]] = {
    CHATGPT: ChatGptLogin(),
    PERSONAL_TOKEN: PersonalToken(),
}
"""The implementation of each value of an account's `kind`."""

_UNKNOWN: Final = UnknownKind()


def kind_of(of: Account | Credential) -> AccountKind:
    """The kind of an account or of a credential; UnknownKind for a value this version does not know."""
    return KINDS.get(of.kind, _UNKNOWN)


def is_known(kind: str) -> bool:
    """Whether this version can use accounts of a kind."""
    return kind in KINDS


def _bearer_headers(identity: Identity, account: Account, credential: Credential) -> dict[str, str]:
    return account_headers(
        identity,
        access_token=credential.access_token,
        workspace=account.chatgpt_account_id,
        fedramp=account.fedramp,
    )
