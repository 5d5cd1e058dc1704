"""Who sends a request, as its headers say: an API key, or a page by its address."""

from collections.abc import Mapping

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """What is authenticated."""

    secret: str = ""
    """The API key as sent; empty for none. Not part of the repr."""
    host: str = ""
    """The host name that the request is for (`Host`), in lower case; empty if it has none."""
    origin: str | None = None
    """The address of a web page (`Origin`); None where no browser names one."""

    def __repr__(self) -> str:
        return f"<Caller {'with a key' if self.secret else 'without a key'}>"

    @classmethod
    def of(cls, headers: Mapping[bytes, bytes]) -> "Caller":
        """Read the headers of a request, by lower-case name."""
        origin = headers.get(b"origin")
        return cls(
            secret_of(headers),
            headers.get(b"host", b"").decode("latin-1").lower(),
            None if origin is None else origin.decode("latin-1"),
        )


def secret_of(headers: Mapping[bytes, bytes]) -> str:
    """The API key in request headers: `Authorization`, `x-api-key` or `api-key`; empty for none."""
    provided = headers.get(b"authorization")
    if provided is not None:
        scheme, _, rest = provided.strip().partition(b" ")
        secret = rest.strip() if scheme.lower() == b"bearer" else provided.strip()
        if secret and secret.lower() != b"bearer":
            return secret.decode("latin-1")
    for name in (b"x-api-key", b"api-key"):
        if secret := headers.get(name, b"").strip():
            return secret.decode("latin-1")
    return ""
