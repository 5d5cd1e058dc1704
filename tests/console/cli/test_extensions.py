import pytest

from codex_proapi.console.cli import extensions


def test_commands_of_other_members_are_found_by_name() -> None:
    assert {"serve", "demo", "replay"} <= set(extensions.command_names())
    found = extensions.find_command("serve")
    assert found is not None
    assert found.name == "serve"


def test_what_nobody_declares_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extensions.find_command("nonsense") is None

    monkeypatch.setattr(extensions, "STORES", "codex_proapi.nobody")
    assert extensions.embedded_store() is None
