"""Tools loaded while a conversation runs."""

import pytest

from codex_proapi.gateway.formats.client_body import tool_value
from codex_proapi.gateway.translation.messages.request.tool_search import (
    change_text,
    changed_name,
    changes_in,
    loaded_text,
)


def system(*parts: object) -> dict[str, object]:
    return {"role": "system", "content": list(parts)}


def added(tool: object) -> dict[str, object]:
    return {"type": "tool_addition", "tool": tool}


def removed(name: str) -> dict[str, object]:
    return {"type": "tool_removal", "tool": {"type": "tool_reference", "name": name}}


WHOLE = {"name": "A", "description": "d", "input_schema": {"type": "object"}}


def test_definitions_are_tools_and_references_are_not() -> None:
    changes = changes_in([system(added(WHOLE), added({"type": "tool_reference", "name": "B"}))])

    assert [tool_value(fields, "name") for fields in changes.added] == ["A"]
    assert changes.removed == frozenset()


def test_last_word_counts() -> None:
    assert changes_in([system(removed("A")), system(added(WHOLE))]).removed == frozenset()
    changes = changes_in([system(added(WHOLE)), system(removed("A"), removed("B"))])
    assert (changes.added, changes.removed) == ((), frozenset({"A", "B"}))


def test_only_system_messages_change_tools_and_nonsense_changes_nothing() -> None:
    user = {**system(added(WHOLE)), "role": "user"}
    odd = system(7, added(7), added({}), {"type": "tool_removal"}, {"type": "text", "text": "x"})

    assert changes_in([user, odd, {"role": "system", "content": "text"}]).added == ()


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"type": "tool_reference", "tool_name": "A"}, "A"),
        ({"tool": {"name": "A"}}, "A"),
        ({"tool": "A"}, ""),
        ({}, ""),
    ],
)
def test_name_of_a_change(part: dict[str, object], name: str) -> None:
    assert changed_name(part) == name


def test_words() -> None:
    assert "loaded" in loaded_text("A", known=True)
    assert "not available" in loaded_text("A", known=False)
    assert change_text(added(WHOLE), known=True) == loaded_text("A", known=True)
    assert "no longer available" in change_text(removed("A"), known=False)
