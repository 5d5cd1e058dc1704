"""The administrator's password: strength checks and argon2id hashes."""

import asyncio
import importlib.resources
import itertools
import re
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from codex_proapi.console.errors import BadRequest, Code
from codex_proapi.console.settings import MIN_PASSWORD

MAX_PASSWORD: Final = 512
"""Longer ones only make hashing slow."""

AT_ONCE: Final = 2
"""Hashes under way at the same time: each takes a third of a second and 64 MiB."""

_LEET: Final = str.maketrans("01345@$!7", "oieasasit")


class Passwords:
    """Hashes and verifies, a few at a time, off the event loop."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._nobody = ""

    def __repr__(self) -> str:
        return f"<Passwords {self._hasher.type.name}>"

    async def hash(self, password: str) -> str:
        """The `$argon2id$…` text to keep."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, kept: str, password: str) -> bool:
        """Whether a password matches the hash; takes as long when there is no hash."""
        if not kept:
            self._nobody = self._nobody or await self.hash("nobody has this password")
        async with self._turns:
            return await asyncio.to_thread(self._fits, kept or self._nobody, password) and bool(
                kept
            )

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash that fits was made with other parameters than ours, or by another way."""
        return self._hasher.check_needs_rehash(kept)

    def _fits(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def check_strength(password: str) -> None:
    """Refuse a password that is short, common, or a pattern."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD or is_common(password):
        raise BadRequest(Code.WEAK_PASSWORD, param="password")


def is_common(password: str) -> bool:
    """Whether it is on the list, also with digits appended or letters swapped for digits."""
    plain = password.casefold().strip()
    bare = re.sub(r"[\W\d_]+$", "", plain) or plain
    shapes = {plain, bare, plain.translate(_LEET), bare.translate(_LEET)}
    if not shapes.isdisjoint(_common()):
        return True
    few = len(set(plain)) < 5  # noqa: PLR2004 - "aaaaaaaaaaaa", "121212121212"
    halved = len(plain) % 2 == 0 and plain[: len(plain) // 2] == plain[len(plain) // 2 :]
    return few or (halved and plain[: len(plain) // 2] in _common()) or _is_run(plain)


def _is_run(text: str) -> bool:
    """Whether most neighbours follow each other, as in "abcdefghijkl" or "123456789012"."""
    steps = [ord(b) - ord(a) for a, b in itertools.pairwise(text)]
    return max(steps.count(1), steps.count(-1)) >= len(steps) * 3 // 4


def _common() -> frozenset[str]:
    return _COMMON or _load()


_COMMON: frozenset[str] = frozenset()


def _load() -> frozenset[str]:
    source = importlib.resources.files("codex_proapi.console.auth").joinpath("common_passwords.txt")
    return frozenset(source.read_text(encoding="utf-8").split())
