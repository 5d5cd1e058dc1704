"""The headers that name the account a request is made for: encoded once for each credential, not for each request."""

from collections.abc import Mapping
from typing import Final

import msgspec

from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.codex.identity import Identity

MOST_LOGINS: Final = 1024
"""Accounts whose headers are remembered; beyond it all are forgotten, and made anew."""


class EncodedHeaders(msgspec.Struct, frozen=True):
    """Headers, and how they stand in a request's head. Its repr hides them: they contain a token."""

    fields: Mapping[str, str]
    """By lower-case name."""
    lines: bytes
    """Each with its line end."""

    def __repr__(self) -> str:
        return f"<EncodedHeaders {len(self.fields)} fields>"


NO_HEADERS: Final = EncodedHeaders({}, b"")


def encoded(fields: Mapping[str, str]) -> EncodedHeaders:
    """Encode headers. Raises ValueError for a line break: it would begin another header."""
    lines = "".join(map("%s: %s\r\n".__mod__, fields.items()))
    if lines.count("\n") != len(fields) or lines.count("\r") != len(fields):
        raise ValueError("a header holds a line break")
    return EncodedHeaders(fields, lines.encode("latin-1"))


class LoginHeaders:
    """The headers of each account's login, as of its last request.

    Args:
        identity: the client identity.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._made: dict[str, tuple[Account, Credential, EncodedHeaders]] = {}

    def __repr__(self) -> str:
        return f"<LoginHeaders of {len(self._made)} accounts>"

    def of(self, account: Account, credential: Credential) -> EncodedHeaders:
        """The headers of an account with a credential; both are compared by identity.

        A record that was read anew, or a refreshed credential, is another object.

        Raises:
            CredentialUnavailable: requests of its kind cannot be made.
            ValueError: a header holds a line break.
        """
        made = self._made.get(account.id)
        if made is not None and made[0] is account and made[1] is credential:
            return made[2]
        headers = encoded(kind_of(account).headers(self._identity, account, credential))
        if len(self._made) >= MOST_LOGINS:
            self._made.clear()
        self._made[account.id] = account, credential, headers
        return headers
