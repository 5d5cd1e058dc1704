"""Tools that Claude Code loads during a conversation, described to the model as text.

A loaded tool is added to `tools` by the client itself; the conversation only refers to it
(`tool_reference` in the result of `ToolSearch`, `tool_addition` and `tool_removal` in a system
message). Without a text in their place the model would see an empty result and a tool that its
instructions forbid to call. Seen with Claude Code 2.1.332.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from codex_proapi.gateway.formats.client_body import ToolFields

PLACEHOLDER: Final = "DeferredToolPlaceholder"
"""Name of a declared tool without function, which announces that others may be loaded."""
ADDITION: Final = "tool_addition"
REMOVAL: Final = "tool_removal"
REFERENCE: Final = "tool_reference"


class ToolChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of the tools by system messages."""

    added: tuple[ToolFields, ...] = ()
    """Definitions of added tools, in order."""
    removed: frozenset[str] = frozenset()
    """Names of the tools whose last change removes them."""


NO_CHANGES: Final = ToolChanges()


def changes_in(messages: Iterable[dict[str, Any]]) -> ToolChanges:
    """Return the changes in the system messages of a conversation."""
    changes: list[dict[str, Any]] = []
    for entry in [entry for entry in messages if entry.get("role") == "system"]:
        content = entry.get("content")
        if isinstance(content, list):
            parts = [part for part in content if isinstance(part, dict)]
            changes += [part for part in parts if part.get("type") in (ADDITION, REMOVAL)]
    return _sum_of(changes) if changes else NO_CHANGES


def _sum_of(changes: list[dict[str, Any]]) -> ToolChanges:
    """The changes as one: of each tool the last counts."""
    added: dict[str, ToolFields] = {}
    removed: dict[str, None] = {}
    for part in changes:
        name = changed_name(part)
        if not name:
            continue
        if part["type"] == REMOVAL:
            removed[name] = None
            added.pop(name, None)
            continue
        removed.pop(name, None)
        tool = part["tool"]
        if isinstance(tool, dict) and "input_schema" in tool:
            added[name] = msgspec.json.decode(msgspec.json.encode(tool), type=ToolFields)
    return ToolChanges(added=tuple(added.values()), removed=frozenset(removed))


def changed_name(part: dict[str, Any]) -> str:
    """Return the tool's name in an addition, a removal or a reference."""
    tool = part.get("tool", part)
    if not isinstance(tool, dict):
        return ""
    for field in ("tool_name", "name"):
        if isinstance(tool.get(field), str):
            return str(tool[field])
    return ""


def loaded_text(name: str, *, known: bool) -> str:
    """Return the text for a reference to a tool; `known` is whether `tools` has it."""
    if known:
        return f"The tool {name} is loaded: it is one of your tools now and can be called."
    return f"The tool {name} is not available."


def change_text(part: dict[str, Any], *, known: bool) -> str:
    """Return the text for an addition or a removal; `known` is whether `tools` has the tool."""
    name = changed_name(part)
    if part["type"] == REMOVAL:
        return f"The tool {name} is no longer available: do not call it."
    return loaded_text(name, known=known)
