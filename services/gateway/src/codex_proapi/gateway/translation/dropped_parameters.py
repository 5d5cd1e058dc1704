"""What was accepted and left out of a request, for a response header and a counter."""

import re

_CLEAN = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_MOST = 32


class Dropped:
    """Names of what was left out. A client's own spelling is shown only where it is harmless."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<Dropped {', '.join(self.names)}>"

    def add(self, name: str) -> None:
        """Note one name; the same one counts once, and a flood of them is cut."""
        if len(self._names) < _MOST:
            self._names[name if _CLEAN.fullmatch(name) else "unknown"] = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of their first mention."""
        return tuple(self._names)
