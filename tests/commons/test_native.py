"""The compiled functions: found where they are installed, and switched off."""

import importlib
import importlib.metadata
import types

import pytest

from codex_proapi.commons.native import (
    NOT_INSTALLED,
    NOT_LOADED,
    OTHER_VERSION,
    SWITCHED_OFF,
    NativeCode,
    find,
)

NAMES = {"codex-proapi-native": "0.1.0", "codex-proapi-commons": "0.1.0"}


def installed(patch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    """Let these distributions be all there are."""

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    patch.setattr(importlib.metadata, "version", version)


def test_they_are_used_until_they_are_switched_off() -> None:
    found = types.ModuleType("codex_proapi_native")
    native = NativeCode(found)
    assert (native.code, native.why_not) == (found, "")

    native.switch(on=False)
    assert (native.code, native.why_not) == (None, SWITCHED_OFF)

    native.switch(on=True)
    assert (native.code, native.why_not) == (found, "")


def test_nothing_is_switched_on_where_they_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, {"codex-proapi-commons": "0.1.0"})
    native = find()

    native.switch(on=True)

    assert (native.code, native.why_not) == (None, NOT_INSTALLED)


def test_those_of_another_version_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, {**NAMES, "codex-proapi-native": "0.1.1"})

    assert (find().code, find().why_not) == (None, OTHER_VERSION)


def test_those_of_another_system_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, NAMES)

    def broken(name: str) -> types.ModuleType:
        raise ImportError(f"{name}: wrong ELF class")

    monkeypatch.setattr(importlib, "import_module", broken)

    assert (find().code, find().why_not) == (None, NOT_LOADED)


def test_those_of_this_version_are(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, NAMES)
    found = types.ModuleType("codex_proapi_native")
    monkeypatch.setattr(importlib, "import_module", {"codex_proapi_native": found}.get)

    assert (find().code, find().why_not) == (found, "")
