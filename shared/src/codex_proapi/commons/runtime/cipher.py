"""Symmetric encryption at rest with rotatable Fernet keys, and keyed digests of secrets."""

from collections.abc import Sequence
from hashlib import sha256
from hmac import new as hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Cipher:
    """Encrypts with the first key; decrypts with any of them.

    Args:
        keys: Fernet keys (32 bytes in URL-safe base64), the one in use first.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {len(self._keys)} keys>"

    def rotate(self, sealed: bytes) -> bytes:
        """Encrypt a sealed value again under the first key."""
        return self._fernet.rotate(sealed)

    def seal_bytes(self, plain: bytes) -> bytes:
        """Encrypt bytes."""
        return self._fernet.encrypt(plain)

    def open_bytes(self, sealed: bytes) -> bytes | None:
        """Decrypt bytes; None if no key fits."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            return None

    def digests(self, purpose: str, secret: str) -> list[str]:
        """HMAC-SHA256 of a secret in hex, one under a pepper of each key; the first is for storing."""
        return [
            hmac(
                hmac(key.encode(), purpose.encode(), sha256).digest(),
                secret.encode("utf-8", "replace"),
                sha256,
            ).hexdigest()
            for key in self._keys
        ]
