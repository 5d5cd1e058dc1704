"""Tools that Anthropic defines and the client runs: declared by a type, without a schema.

Upstream knows none of them, so each is sent as a function with the schema that Anthropic documents
("Bash tool", "Text editor tool", "Memory tool", 2026). Tools that Anthropic's servers run are not here.
"""

from typing import Any, Final

import msgspec

from codex_proapi.gateway.formats.client_body import ToolFields

_TEXT: Final = {"type": "string"}
_LINES: Final = {"type": "array", "items": {"type": "integer"}}
_EDITS: Final = {
    "path": {"type": "string", "description": "Absolute path of the file or directory"},
    "file_text": {"type": "string", "description": "Content for `create`"},
    "old_str": {"type": "string", "description": "Text to replace, for `str_replace`; unique"},
    "new_str": {"type": "string", "description": "New text for `str_replace`"},
    "insert_line": {
        "type": "integer",
        "description": "Line after which `insert` adds; 0: before all",
    },
    "insert_text": {"type": "string", "description": "Text that `insert` adds"},
    "view_range": {**_LINES, "description": "First and last line for `view`; -1 for the end"},
}


def _commands(*names: str) -> dict[str, Any]:
    return {"type": "string", "enum": names}


_TOOLS: Final[dict[str, tuple[str, dict[str, Any], list[str]]]] = {
    "bash_": (
        "Run a command in a bash session that persists between calls.",
        {"command": _TEXT, "restart": {"type": "boolean", "description": "Restart the session"}},
        [],
    ),
    "text_editor_": (
        "View, create and edit text files.",
        {"command": _commands("view", "create", "str_replace", "insert"), **_EDITS},
        ["command", "path"],
    ),
    "memory_": (
        "Keep notes between conversations, as files below /memories.",
        {
            "command": _commands("view", "create", "str_replace", "insert", "delete", "rename"),
            **_EDITS,
            "old_path": _TEXT,
            "new_path": _TEXT,
        },
        ["command"],
    ),
}
"""Prefix of the type to description, properties and required properties."""


def defined_fields(kind: object) -> ToolFields | None:
    """Return description and schema of a tool by its type; None if Anthropic defines no such tool."""
    if not isinstance(kind, str):
        return None
    found = next((tool for prefix, tool in _TOOLS.items() if kind.startswith(prefix)), None)
    if found is None:
        return None
    description, properties, required = found
    schema = {"type": "object", "properties": properties, "required": required}
    return {
        "description": msgspec.Raw(msgspec.json.encode(description)),
        "input_schema": msgspec.Raw(msgspec.json.encode(schema)),
    }
