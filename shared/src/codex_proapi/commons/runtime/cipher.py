"""Encryption at rest: credentials and stored conversations, under keys that can be rotated.

Fernet has no associated data, so the account id is sealed in with the tokens and compared after
opening: a sealed credential copied to another account does not open there.
"""

from collections.abc import Sequence
from hashlib import sha256
from hmac import new as hmac

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from codex_proapi.commons.accounts.model import Credential
from codex_proapi.commons.runtime.errors import CredentialUnavailable


class CredentialCipher:
    """Seals with the first key, opens with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def __repr__(self) -> str:
        return f"<CredentialCipher with {len(self._keys)} keys>"

    def seal(self, credential: Credential) -> bytes:
        """Encrypt a credential together with its account id."""
        return self._fernet.encrypt(msgspec.json.encode(credential))

    def open(self, sealed: bytes, account_id: str) -> Credential:
        """Decrypt a credential; CredentialUnavailable if no key fits or it is another account's."""
        try:
            credential = msgspec.json.decode(self._fernet.decrypt(sealed), type=Credential)
        except InvalidToken:
            raise CredentialUnavailable(f"No encryption key opens {account_id}.") from None
        except msgspec.DecodeError:
            raise CredentialUnavailable(
                f"What is stored for {account_id} is no credential."
            ) from None
        if credential.account_id != account_id:
            raise CredentialUnavailable(f"The stored credential is not that of {account_id}.")
        return credential

    def rotate(self, sealed: bytes) -> bytes:
        """Seal again under the first key."""
        return self._fernet.rotate(sealed)

    def seal_bytes(self, plain: bytes) -> bytes:
        """Encrypt anything else."""
        return self._fernet.encrypt(plain)

    def open_bytes(self, sealed: bytes) -> bytes | None:
        """Decrypt anything else; None if no key fits."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None

    def digests(self, purpose: str, secret: str) -> list[str]:
        """HMACs of a secret, one under a pepper of each key; the first one is for storing."""
        return [
            hmac(
                hmac(key.encode(), purpose.encode(), sha256).digest(),
                secret.encode("utf-8", "replace"),
                sha256,
            ).hexdigest()
            for key in self._keys
        ]
