"""Where compiled functions are found: in `codex_proapi_native`, which may be missing or switched off.

Each has an interpreted equivalent, which says what it does and serves where it is missing. Who uses
one asks `NATIVE.code` when it is made, not when its module is imported: the switch is set between.
"""

import importlib
import importlib.metadata
from types import ModuleType

NOT_INSTALLED = "not installed"
OTHER_VERSION = "of another version"
NOT_LOADED = "cannot be loaded"
SWITCHED_OFF = "switched off"


class NativeCode:
    """The compiled functions as this process may use them.

    Args:
        found: the module `codex_proapi_native`; None where it cannot be used.
        why_not: why it cannot be.
    """

    __slots__ = ("_found", "_why_not", "code", "why_not")

    def __init__(self, found: ModuleType | None, why_not: str = "") -> None:
        self._found, self._why_not = found, why_not
        self.code = found
        """The module `codex_proapi_native`; None where it cannot be used or is switched off."""
        self.why_not = why_not
        """Why `code` is None, in words; empty where it is not."""

    def __repr__(self) -> str:
        return f"<NativeCode {self.why_not or 'in use'}>"

    def switch(self, *, on: bool) -> None:
        """Let what is made from here on use the compiled functions, if they are there, or not."""
        self.code = self._found if on else None
        self.why_not = self._why_not if on else SWITCHED_OFF


def find() -> NativeCode:
    """The compiled functions that are installed, switched on.

    Those of another version than this are not used: it may expect what they do not have.
    """
    try:
        version = importlib.metadata.version("codex-proapi-native")
    except importlib.metadata.PackageNotFoundError:
        return NativeCode(None, NOT_INSTALLED)
    if version != importlib.metadata.version("codex-proapi-commons"):
        return NativeCode(None, OTHER_VERSION)
    try:
        return NativeCode(importlib.import_module("codex_proapi_native"))
    except ImportError:  # built for another system, or an older C library
        return NativeCode(None, NOT_LOADED)


NATIVE = find()
"""What this process uses."""
