"""Schemas of tools: kept as the client's bytes unless upstream would refuse them."""

import functools
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import msgspec

from codex_proapi.gateway.errors import BadRequest

_NO_PARAMETERS = {"type": "object", "properties": {}}
_NULL = msgspec.Raw(b"null")
_OBJECT = msgspec.Raw(b'"object"')

_FOREIGN_REGEX = re.compile(r"\(\?[=!<]|\\[1-9]|\\p\{", re.IGNORECASE)
"""Lookaround, back references, Unicode classes: refused in `pattern` (reported by other proxies)."""
_FLAGS = re.compile(r"\(\?([a-zA-Z]+)")
_WIDE_REGEX = re.compile(r"[^\0-\x7f]|\\[uUN]")
"""Characters beyond ASCII: ignoring case, a range of them takes 20 ms to compile."""
_PATTERN_LIMIT = 4096
"""Most characters of a pattern; a longer one is left out."""
PATTERNS = 128
"""Most distinct patterns of one request that are compiled, which takes some 0.1 ms each."""
PATTERN_CHARACTERS = 5 * 1024
"""Most characters of all of them together; 1 to 9 µs each."""
_SUSPICIOUS = (b'"pattern', b'"array"', b":null", b": null")
"""What a schema contains that may have to be mended."""
_MAY_BE_NULL = frozenset({"default", "const", "example"})
"""Keywords whose value is data; others with null say nothing, as some serializers write them."""
_COMPILING = threading.Lock()
_MOST_REFERENCES = 8
"""Longest chain of references that is followed."""
_INNER = {
    **dict.fromkeys(
        ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas"), "map"
    ),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), "list"),
    **dict.fromkeys(("items", "additionalProperties", "not", "if", "then", "else"), "one"),
}
"""Keywords that contain schemas, and how: as an object's values, in a list, or a single one."""


class _Head(msgspec.Struct, frozen=True):
    """The fields of a schema that decide whether its bytes are kept."""

    type: msgspec.Raw = _NULL
    properties: msgspec.Raw = _NULL
    dialect: msgspec.Raw = msgspec.field(default=_NULL, name="$schema")
    any_of: msgspec.Raw = msgspec.field(default=_NULL, name="anyOf")
    one_of: msgspec.Raw = msgspec.field(default=_NULL, name="oneOf")
    all_of: msgspec.Raw = msgspec.field(default=_NULL, name="allOf")
    enum: msgspec.Raw = _NULL
    excluded: msgspec.Raw = msgspec.field(default=_NULL, name="not")

    @property
    def combined(self) -> bool:
        """Whether it has alternatives at its top level, which upstream refuses."""
        words = (self.any_of, self.one_of, self.all_of, self.enum, self.excluded)
        return any(word != _NULL for word in words)


_HEAD = msgspec.json.Decoder(_Head)


def is_object(raw: msgspec.Raw) -> bool:
    """Whether a JSON text is an object."""
    return memoryview(raw)[:1].tobytes() == b"{"


class Patterns:
    """The patterns in the schemas of one request, and which of them upstream would refuse.

    Each must be compiled, which is slow. Patterns beyond the bounds are left out as if upstream
    refused them, the same ones on every turn of a conversation.
    """

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}
        self._characters = 0

    def __repr__(self) -> str:
        return f"<Patterns {len(self._known)}, {self._characters} characters>"

    def is_foreign(self, pattern: str) -> bool:
        """Whether a pattern must be left out."""
        known = self._known.get(pattern)
        if known is not None:
            return known
        if len(pattern) > _PATTERN_LIMIT or len(self._known) >= PATTERNS:
            return True
        if self._characters + len(pattern) > PATTERN_CHARACTERS:
            return True
        self._characters += len(pattern)
        self._known[pattern] = foreign = _is_foreign(pattern)
        return foreign


def sound_parameters(raw: msgspec.Raw | None, where: str, patterns: Patterns) -> Any:
    """Return a tool's parameters as upstream accepts them. Raises BadRequest for a value of another type.

    The result is an object's schema with properties, without `$schema`, without alternatives at the
    top level or a reference there, without arrays lacking `items`, without keywords that are null, and
    without patterns of other regex engines.
    """
    if raw is None or raw == _NULL:
        return _NO_PARAMETERS
    try:
        head = _HEAD.decode(raw)
    except msgspec.ValidationError:
        raise BadRequest("A tool's parameters must be a JSON Schema object", param=where) from None
    sound = head.type == _OBJECT and head.dialect == _NULL and is_object(head.properties)
    if not sound or head.combined:
        return _mended(raw, where, patterns)
    text = bytes(raw)
    if not any(word in text for word in _SUSPICIOUS):
        return raw
    return _mended(raw, where, patterns) if _has_fault(raw, patterns) else raw


def _mended(raw: msgspec.Raw, where: str, patterns: Patterns) -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.decode(raw)
    kind = schema.get("type")
    if kind is not None and kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise BadRequest("A tool's parameters must be of type 'object'", param=f"{where}.type")
    schema.pop("$schema", None)
    schema = _inlined(schema)
    if not isinstance(schema.get("properties"), dict):
        schema["properties"] = {}
    schema["type"] = "object"
    _flatten(schema)
    for part in _schemas_in(schema):
        _drop_nulls(part)
        if _lacks_items(part):
            part["items"] = {}
        pattern = part.get("pattern")
        if isinstance(pattern, str) and patterns.is_foreign(pattern):
            del part["pattern"]
        named = part.get("patternProperties")
        if isinstance(named, dict):
            part["patternProperties"] = {
                key: value for key, value in named.items() if not patterns.is_foreign(key)
            }
    return schema


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace a reference at the top level by the schema it names, as generators write them."""
    for _ in range(_MOST_REFERENCES):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        found: Any = schema
        for step in reference[2:].split("/"):
            found = found.get(step) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            break
        rest = {word: value for word, value in schema.items() if word != "$ref"}
        schema = {**rest, **found}
    return schema


def _drop_nulls(part: dict[str, Any]) -> None:
    """Remove keywords that are null; a property without a schema may be anything."""
    for word in [word for word, inner in part.items() if inner is None]:
        if word not in _MAY_BE_NULL:
            del part[word]
    for word, inner in part.items():
        if _INNER.get(word) == "map" and isinstance(inner, dict):
            part[word] = {name: {} if each is None else each for name, each in inner.items()}


def _has_null(part: dict[str, Any]) -> bool:
    return any(
        (inner is None and word not in _MAY_BE_NULL)
        or (_INNER.get(word) == "map" and isinstance(inner, dict) and None in inner.values())
        for word, inner in part.items()
    )


def _flatten(schema: dict[str, Any]) -> None:
    """Merge the alternatives at the top level into the schema.

    The result has all of their properties. Required are those that any schema of `allOf` requires,
    and those that every alternative of `anyOf` or `oneOf` requires.
    """
    required = set(_names(schema.get("required")))
    for word in ("allOf", "anyOf", "oneOf"):
        found = schema.pop(word, None)
        parts = (
            [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []
        )
        for part in parts:
            inner = part.get("properties")
            if isinstance(inner, dict):
                for name, value in inner.items():
                    schema["properties"].setdefault(name, value)
        needed = [set(_names(part.get("required"))) for part in parts]
        if needed:
            required |= set.union(*needed) if word == "allOf" else set.intersection(*needed)
    schema.pop("enum", None)
    schema.pop("not", None)
    if required:
        schema["required"] = [name for name in schema["properties"] if name in required]


def _names(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _lacks_items(part: dict[str, Any]) -> bool:
    kind = part.get("type")
    array = kind == "array" or (isinstance(kind, list) and "array" in kind)
    return array and "prefixItems" not in part and not isinstance(part.get("items"), dict | bool)


def _has_fault(raw: msgspec.Raw, patterns: Patterns) -> bool:
    """Whether an array lacks `items`, a keyword is null, or a pattern is for another regex engine."""
    for part in _schemas_in(msgspec.json.decode(raw)):
        if _lacks_items(part) or _has_null(part):
            return True
        pattern, named = part.get("pattern"), part.get("patternProperties")
        keys = named if isinstance(named, dict) else ()
        if any(patterns.is_foreign(each) for each in (pattern, *keys) if isinstance(each, str)):
            return True
    return False


@functools.lru_cache(maxsize=256)
def _is_foreign(pattern: str) -> bool:
    """Whether upstream would refuse a pattern; it compiles them as Python's `re` does."""
    if _FOREIGN_REGEX.search(pattern):
        return True
    if _ignores_case(pattern) and _WIDE_REGEX.search(pattern):
        return True
    # Filters of warnings belong to the process, and bodies are also read in threads.
    with _COMPILING, warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # about syntax that other versions of Python may read otherwise
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError):
            return True
    return False


def _ignores_case(pattern: str) -> bool:
    return any("i" in flags for flags in _FLAGS.findall(pattern))


def _schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a schema and all schemas inside it; a property named like a keyword is no schema."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        # In the order they are written: which patterns are beyond the bounds must not vary.
        for word, inner in part.items():
            held_in = _INNER.get(word)
            if held_in is None:
                continue
            if held_in == "map":
                waiting.extend(inner.values() if isinstance(inner, dict) else ())
            elif held_in == "list":
                waiting.extend(inner if isinstance(inner, list) else ())
            else:
                waiting.append(inner)
