"""Removes the arguments of a call that its tool would refuse.

GPT models fill optional arguments with `null` or `""`, and send a `Read.offset` far beyond any file
(seen with several proxies); Claude Code then refuses the call. Arguments that the schema or Claude
Code's own tools refuse are removed; everything else stays byte for byte.
"""

from typing import Any, Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, write

NO_ARGUMENTS: Final = "{}"
FOREIGN_TOOLS: Final = "mcp__"
"""Prefix of tools that are not Claude Code's own; there an empty string may be meant."""
FARTHEST_OFFSET: Final = 1_000_000
"""Lines: a larger `Read.offset` is removed."""


class ToolShape(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a tool's schema that is needed to clean its arguments."""

    required: frozenset[str] = frozenset()
    """Names of required arguments."""
    optional: frozenset[str] = frozenset()
    """Names of optional arguments."""
    nullable: frozenset[str] = frozenset()
    """Names of optional arguments that may be null."""


def shape_of(schema: Any) -> ToolShape:
    """Return the shape of a JSON Schema: an object, undecoded JSON (`msgspec.Raw`), or None."""
    if isinstance(schema, msgspec.Raw):
        schema = msgspec.json.decode(schema)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return ToolShape()
    listed = schema.get("required")
    named = {n for n in listed if isinstance(n, str)} if isinstance(listed, list) else set()
    optional = properties.keys() - named
    return ToolShape(
        required=frozenset(properties.keys() & named),
        optional=frozenset(optional),
        nullable=frozenset(name for name in optional if _allows_null(properties[name])),
    )


class ArgumentRules:
    """The rules for the arguments of one tool."""

    def __init__(self, name: str, shape: ToolShape | None, *, claude_code: bool) -> None:
        """Create the rules of a tool.

        Args:
            name: The client's name of the tool.
            shape: The shape of its schema; None removes nothing.
            claude_code: Whether the client is Claude Code.
        """
        self._name = name
        self._own = claude_code and not name.startswith(FOREIGN_TOOLS)
        self._shape = shape or ToolShape()

    def __repr__(self) -> str:
        return f"<ArgumentRules of {self._name[:64]}>"

    @property
    def may_pass(self) -> bool:
        """Whether deltas can be forwarded: every argument is required, so none is removed."""
        return bool(self._shape.required) and not self._shape.optional

    def cleaned(self, text: str) -> str:
        """Return the JSON text of the arguments that stay; `{}` for anything but an object."""
        arguments = arguments_of(text)
        if arguments is None:
            return NO_ARGUMENTS
        kept = {name: value for name, value in arguments.items() if not self._void(name, value)}
        return text if len(kept) == len(arguments) else write(kept).decode()

    def _void(self, name: str, value: Any) -> bool:
        """Whether an argument is removed."""
        if name not in self._shape.optional:
            return False
        if value is None:
            return name not in self._shape.nullable
        if self._own and value == "":
            return True
        far = self._own and self._name == "Read" and name == "offset"
        return far and isinstance(value, int | float) and value > FARTHEST_OFFSET


def arguments_of(text: str) -> dict[str, Any] | None:
    """Decode the arguments; None if the JSON text is no object."""
    if not text.strip():
        return {}
    try:
        found = read_any(text.encode(errors="surrogatepass"))
    except DECODE_ERRORS:
        return None
    return found if isinstance(found, dict) else None


def _allows_null(schema: Any) -> bool:
    """Whether a schema accepts null; true if its `type` does not say."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(kind, list):
        return "null" in kind
    return not isinstance(kind, str) or kind == "null"
