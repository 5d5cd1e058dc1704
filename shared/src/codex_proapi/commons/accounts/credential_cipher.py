"""Encryption of credentials, bound to their account.

Fernet has no associated data, so the account id is encrypted with the tokens and compared after
decryption: a credential copied to another account is refused there.
"""

import msgspec

from codex_proapi.commons.accounts.model import Credential
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import CredentialUnavailable


class CredentialCipher(Cipher):
    """A cipher that also encrypts and decrypts credentials."""

    def seal(self, credential: Credential) -> bytes:
        """Encrypt a credential together with its account id."""
        return self.seal_bytes(msgspec.json.encode(credential))

    def open(self, sealed: bytes, account_id: str) -> Credential:
        """Decrypt a credential; CredentialUnavailable if no key fits or it is another account's."""
        plain = self.open_bytes(sealed)
        if plain is None:
            raise CredentialUnavailable(f"No encryption key opens {account_id}.")
        try:
            credential = msgspec.json.decode(plain, type=Credential)
        except msgspec.DecodeError:
            raise CredentialUnavailable(
                f"What is stored for {account_id} is no credential."
            ) from None
        if credential.account_id != account_id:
            raise CredentialUnavailable(f"The stored credential is not that of {account_id}.")
        return credential

    def reseal(self, sealed: bytes, account_id: str) -> bytes:
        """Encrypt a credential again under the first key, byte for byte.

        Fields that a newer version or another kind of account wrote stay. Raises
        CredentialUnavailable if no key fits or it is another account's.
        """
        plain = self.open_bytes(sealed)
        if plain is None:
            raise CredentialUnavailable(f"No encryption key opens {account_id}.")
        try:
            owner = msgspec.json.decode(plain, type=_Owner).account_id
        except msgspec.DecodeError:
            owner = ""
        if owner != account_id:
            raise CredentialUnavailable(f"The stored credential is not that of {account_id}.")
        return self.seal_bytes(plain)


class _Owner(msgspec.Struct):
    """What every sealed credential has, whatever its kind."""

    account_id: str
