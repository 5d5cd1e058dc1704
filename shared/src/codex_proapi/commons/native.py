"""Where compiled functions are found: in `codex_proapi_native`, which may be missing or switched off.

Each has an interpreted equivalent, which says what it does and serves where it is missing. Who uses
one asks `NATIVE.code` when it is made, not when its module is imported: the switch is set between.
"""

import importlib
import importlib.metadata
from types import ModuleType


class NativeCode:
    """The compiled functions as this process may use them."""

    __slots__ = ("_found", "code")

    def __init__(self, found: ModuleType | None) -> None:
        self._found = found
        self.code = found
        """The module `codex_proapi_native`; None where it is missing or switched off."""

    def __repr__(self) -> str:
        return f"<NativeCode {'in use' if self.code else 'not in use'}>"

    def switch(self, *, on: bool) -> None:
        """Use the compiled functions, if they are there, or do not, from here on."""
        self.code = self._found if on else None


def find() -> ModuleType | None:
    """The installed extension; None where it is missing or belongs to another version than this."""
    try:
        version = importlib.metadata.version("codex-proapi-native")
        if version != importlib.metadata.version("codex-proapi-commons"):
            return None
        return importlib.import_module("codex_proapi_native")
    except ImportError:  # also what is installed but was built for another system
        return None


NATIVE = NativeCode(find())
"""What this process uses."""
