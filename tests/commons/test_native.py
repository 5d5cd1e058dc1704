"""The compiled functions: found where they are installed, and switched off."""

import importlib.metadata
import types

import pytest

from codex_proapi.commons.native import NativeCode, find


def test_they_are_used_until_they_are_switched_off() -> None:
    found = types.ModuleType("codex_proapi_native")
    native = NativeCode(found)
    assert native.code is found

    native.switch(on=False)
    assert native.code is None

    native.switch(on=True)
    assert native.code is found


def test_nothing_is_switched_on_where_they_are_missing() -> None:
    native = NativeCode(None)

    native.switch(on=True)

    assert native.code is None


def test_those_of_another_version_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"codex-proapi-native": "0.1.0", "codex-proapi-commons": "0.1.1"}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)

    assert find() is None
