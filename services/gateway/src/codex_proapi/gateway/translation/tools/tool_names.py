"""Names of tools: shortened where upstream would refuse them, and restored in answers.

The short form depends on the name alone, so a later turn, another replica and a stored item have the
same one, and nothing needs to be stored.
"""

import hashlib
import re
from collections.abc import Iterable

import msgspec

TOOL_NAME_LIMIT = 64
"""Characters of the longest name sent. Sources differ (64 or 128); 64 was never seen refused."""

_LEGAL = re.compile(rf"[A-Za-z0-9_-]{{1,{TOOL_NAME_LIMIT}}}", re.ASCII)
_ILLEGAL_LETTER = re.compile(r"[^A-Za-z0-9_-]", re.ASCII)
_DIGEST_LENGTH = 8


class ToolNames(msgspec.Struct):
    """The names of one request's tools: the client's, and the one that is sent."""

    known: dict[str, str] = {}
    """The client's name to the one that is sent, for those that were asked for."""
    _original: dict[str, str] = {}
    restored: dict[str, str] = {}
    """Sent name to the client's, for those that differ."""

    @classmethod
    def of(cls, declared: Iterable[str]) -> "ToolNames":
        """The names of declared tools; those that upstream accepts keep their own."""
        legal = list(filter(_LEGAL.fullmatch, declared))
        sent = dict(zip(legal, legal, strict=True))
        return cls(sent, sent.copy())

    def __repr__(self) -> str:
        return f"<ToolNames {len(self.known)}, {len(self.restored)} shortened>"

    def copy(self) -> "ToolNames":
        """Names that can be added to without changing these."""
        return ToolNames(self.known.copy(), self._original.copy(), self.restored.copy())

    def sent(self, name: str) -> str:
        """Return the name to send for a client's name."""
        if known := self.known.get(name):
            return known
        salt = name
        short = name if _LEGAL.fullmatch(name) else _shortened(name, salt)
        while short in self._original:
            salt += "+"
            short = _shortened(name, salt)
        self.known[name] = short
        self._original[short] = name
        if short != name:
            self.restored[short] = name
        return short


def _shortened(name: str, salt: str) -> str:
    """Shorten a name to its most specific part and a digest of the whole."""
    digest = hashlib.sha256(salt.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    stem = name
    if len(name) > TOOL_NAME_LIMIT and name.startswith("mcp__"):
        stem = f"mcp__{name.rsplit('__', 1)[-1]}"
    stem = _ILLEGAL_LETTER.sub("_", stem)[: TOOL_NAME_LIMIT - _DIGEST_LENGTH - 1]
    return f"{stem or 'tool'}_{digest}"
