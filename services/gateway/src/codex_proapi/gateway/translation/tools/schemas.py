"""Schemas of tools: left as the client's bytes, unless upstream would refuse them."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from codex_proapi.gateway.errors import BadRequest

_NO_PARAMETERS = {"type": "object", "properties": {}}
_NULL = msgspec.Raw(b"null")
_OBJECT = msgspec.Raw(b'"object"')

_FOREIGN_REGEX = re.compile(r"\(\?[=!<]|\\[1-9]|\\p\{", re.IGNORECASE)
"""Looking around, referring back, Unicode classes: refused in `pattern` (reported by proxies)."""
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = ("items", "additionalProperties", "not", "if", "then", "else")


class _Head(msgspec.Struct, frozen=True):
    """What of a schema decides whether its bytes may stay as they are."""

    type: msgspec.Raw = _NULL
    properties: msgspec.Raw = _NULL
    dialect: msgspec.Raw = msgspec.field(default=_NULL, name="$schema")


_HEAD = msgspec.json.Decoder(_Head)


def is_object(raw: msgspec.Raw) -> bool:
    """Whether some JSON is an object."""
    return memoryview(raw)[:1].tobytes() == b"{"


def sound_parameters(raw: msgspec.Raw | None, where: str) -> Any:
    """Give a tool's parameters as upstream takes them. Raises BadRequest for what is no schema.

    They are an object's, with properties, without a dialect and without patterns that only other
    regex engines know.
    """
    if raw is None or raw == _NULL:
        return _NO_PARAMETERS
    try:
        head = _HEAD.decode(raw)
    except msgspec.ValidationError:
        raise BadRequest("A tool's parameters must be a JSON Schema object", param=where) from None
    sound = head.type == _OBJECT and head.dialect == _NULL and is_object(head.properties)
    foreign = _has_foreign_pattern(raw)
    return raw if sound and not foreign else _mended(raw, where)


def _mended(raw: msgspec.Raw, where: str) -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.decode(raw)
    kind = schema.get("type")
    if kind is not None and kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise BadRequest("A tool's parameters must be of type 'object'", param=f"{where}.type")
    schema.pop("$schema", None)
    if not isinstance(schema.get("properties"), dict):
        schema["properties"] = {}
    schema["type"] = "object"
    for part in _schemas_in(schema):
        pattern = part.get("pattern")
        if isinstance(pattern, str) and _FOREIGN_REGEX.search(pattern):
            del part["pattern"]
    return schema


def _has_foreign_pattern(raw: msgspec.Raw) -> bool:
    """Look at the bytes first: nearly no schema has a pattern, fewer a foreign one."""
    text = bytes(raw)
    return b'"pattern"' in text and _FOREIGN_REGEX.search(text.decode()) is not None


def _schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a schema and all schemas inside it; a property named like a keyword is none."""
    waiting: list[Any] = [schema]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for word in _MAPS:
            inner = part.get(word)
            waiting.extend(inner.values() if isinstance(inner, dict) else ())
        for word in _LISTS:
            inner = part.get(word)
            waiting.extend(inner if isinstance(inner, list) else ())
        waiting.extend(part.get(word) for word in _SINGLES)
