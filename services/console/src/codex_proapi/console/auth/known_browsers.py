"""Browsers that have signed in before: their attempts are counted apart from those of strangers.

So attempts of other clients cannot lock out a browser that has signed in before. The cookie is
encrypted with the encryption keys and contains no session: it only gives the browser a count of
attempts of its own.
"""

import secrets
from collections.abc import Callable, Mapping

from litestar.datastructures import Cookie

from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.console.auth.cookies import cookie_name
from codex_proapi.console.server.middleware import Origin

KNOWN_SECONDS = 180 * 86_400
"""How long after its last sign-in a browser is known."""
_PURPOSE = "known-browser"
_PARTS = 3


class KnownBrowsers:
    """Makes and reads the cookies of known browsers."""

    def __init__(self, cipher: Cipher, *, clock: Callable[[], float]) -> None:
        self._cipher = cipher
        self._clock = clock

    def __repr__(self) -> str:
        return "<KnownBrowsers>"

    def cookie(self, *, origin: Origin) -> Cookie:
        """The cookie for a browser that has just signed in."""
        plain = f"{_PURPOSE} {secrets.token_hex(16)} {int(self._clock())}"
        value = self._cipher.seal_bytes(plain.encode()).decode()
        return Cookie(
            key=cookie_name("known", origin),
            value=value.rstrip("="),
            max_age=KNOWN_SECONDS,
            secure=origin.secure,
            httponly=True,
            samesite="lax",
        )

    def id_of(self, cookies: Mapping[str, str], *, origin: Origin) -> str:
        """The id of a known browser; empty for others."""
        value = cookies.get(cookie_name("known", origin), "")
        padded = value.encode("utf-8", "replace") + b"=" * (-len(value) % 4)
        opened = self._cipher.open_bytes(padded) if value else None
        parts = opened.decode("utf-8", "replace").split(" ") if opened else []
        if len(parts) != _PARTS or parts[0] != _PURPOSE or not parts[2].isdecimal():
            return ""
        return parts[1] if self._clock() < int(parts[2]) + KNOWN_SECONDS else ""
