"""The arguments of a call as its tool accepts them.

GPT models fill optional arguments with `null` or `""`, and guess `Read.offset` absurdly large
(seen with several proxies); Claude Code then refuses the call. What the schema or Claude Code's
own tools refuse is taken out; everything else stays byte for byte.
"""

from typing import Any, Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, write

NO_ARGUMENTS: Final = "{}"
FOREIGN_TOOLS: Final = "mcp__"
"""How names of tools that are not Claude Code's own begin: an empty text may mean something."""
FARTHEST_OFFSET: Final = 1_000_000
"""The last line that `Read` is believed to be asked for."""


class ArgumentRules:
    """What is known of one tool's arguments."""

    def __init__(self, name: str, schema: Any, *, claude_code: bool) -> None:
        """`name` is the client's own; `schema` may be undecoded JSON, or nothing."""
        self._name = name
        self._own = claude_code and not name.startswith(FOREIGN_TOOLS)
        self._properties, self._required = _parts(schema)

    def __repr__(self) -> str:
        return f"<ArgumentRules of {len(self._properties)}>"

    @property
    def may_pass(self) -> bool:
        """Whether pieces may be passed on as they come: every argument is required."""
        return bool(self._properties) and self._properties.keys() <= self._required

    def cleaned(self, text: str) -> str:
        """Give the arguments' JSON text; `{}` for anything but an object."""
        arguments = arguments_of(text)
        if arguments is None:
            return NO_ARGUMENTS
        kept = {name: value for name, value in arguments.items() if not self._void(name, value)}
        return text if len(kept) == len(arguments) else write(kept).decode()

    def _void(self, name: str, value: Any) -> bool:
        """Whether an argument says nothing and is better left out."""
        if name in self._required or name not in self._properties:
            return False
        if value is None:
            return not _allows_null(self._properties[name])
        if self._own and value == "":
            return True
        far = self._own and self._name == "Read" and name == "offset"
        return far and isinstance(value, int | float) and value > FARTHEST_OFFSET


def arguments_of(text: str) -> dict[str, Any] | None:
    """Give the arguments in a JSON text; None where it is no object."""
    if not text.strip():
        return {}
    try:
        found = read_any(text.encode(errors="surrogatepass"))
    except DECODE_ERRORS:
        return None
    return found if isinstance(found, dict) else None


def _parts(schema: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """Give a schema's properties and the names of the required ones."""
    if isinstance(schema, msgspec.Raw):
        schema = msgspec.json.decode(schema)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return {}, frozenset()
    required = schema.get("required")
    named = required if isinstance(required, list) else []
    return properties, frozenset(name for name in named if isinstance(name, str))


def _allows_null(schema: Any) -> bool:
    """Whether a schema may accept null; one that does not say so by a plain type does."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(kind, list):
        return "null" in kind
    return not isinstance(kind, str) or kind == "null"
