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
