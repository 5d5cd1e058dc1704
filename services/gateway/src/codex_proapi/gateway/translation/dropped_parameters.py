"""Names of parameters that were accepted and left out, for a response header and a counter."""

import re

import msgspec

_CLEAN = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_MOST = 32


class Dropped(msgspec.Struct):
    """A bounded set of names; a client's spelling is kept only if it is safe in a header."""

    names: tuple[str, ...] = ()
    """The names, in the order in which they were added."""

    def __repr__(self) -> str:
        return f"<Dropped {', '.join(self.names)}>"

    def add(self, name: str) -> None:
        """Add a name; repeated names and those beyond `_MOST` are ignored."""
        name = name if _CLEAN.fullmatch(name) else "unknown"
        if name not in self.names and len(self.names) < _MOST:
            self.names += (name,)
