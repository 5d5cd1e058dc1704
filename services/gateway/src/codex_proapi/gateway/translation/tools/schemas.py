"""Schemas of tools: left as the client's bytes, unless upstream would refuse them."""

import functools
import re
import warnings
from collections.abc import Iterator
from typing import Any

import msgspec

from codex_proapi.gateway.errors import BadRequest

_NO_PARAMETERS = {"type": "object", "properties": {}}
_NULL = msgspec.Raw(b"null")
_OBJECT = msgspec.Raw(b'"object"')

_FOREIGN_REGEX = re.compile(r"\(\?[=!<]|\\[1-9]|\\p\{", re.IGNORECASE)
"""Looking around, referring back, Unicode classes: refused in `pattern` (reported by proxies)."""
_PATTERN_LIMIT = 4096
"""Characters of the longest pattern that is looked at; a longer one is left out."""
_MAPS = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = ("items", "additionalProperties", "not", "if", "then", "else")


class _Head(msgspec.Struct, frozen=True):
    """What of a schema decides whether its bytes may stay as they are."""

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
        """Whether upstream would refuse it for what stands at its top level."""
        words = (self.any_of, self.one_of, self.all_of, self.enum, self.excluded)
        return any(word != _NULL for word in words)


_HEAD = msgspec.json.Decoder(_Head)


def is_object(raw: msgspec.Raw) -> bool:
    """Whether some JSON is an object."""
    return memoryview(raw)[:1].tobytes() == b"{"


def sound_parameters(raw: msgspec.Raw | None, where: str) -> Any:
    """Give a tool's parameters as upstream takes them. Raises BadRequest for what is no schema.

    They are an object's, with properties, without a dialect, without alternatives at the top level,
    without arrays of nobody knows what, and without patterns that only other regex engines know.
    """
    if raw is None or raw == _NULL:
        return _NO_PARAMETERS
    try:
        head = _HEAD.decode(raw)
    except msgspec.ValidationError:
        raise BadRequest("A tool's parameters must be a JSON Schema object", param=where) from None
    sound = head.type == _OBJECT and head.dialect == _NULL and is_object(head.properties)
    if not sound or head.combined:
        return _mended(raw, where)
    text = bytes(raw)
    if b'"pattern' not in text and b'"array"' not in text:
        return raw
    return _mended(raw, where) if _has_fault(raw) else raw


def _mended(raw: msgspec.Raw, where: str) -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.decode(raw)
    kind = schema.get("type")
    if kind is not None and kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise BadRequest("A tool's parameters must be of type 'object'", param=f"{where}.type")
    schema.pop("$schema", None)
    if not isinstance(schema.get("properties"), dict):
        schema["properties"] = {}
    schema["type"] = "object"
    _flatten(schema)
    for part in _schemas_in(schema):
        if _lacks_items(part):
            part["items"] = {}
        pattern = part.get("pattern")
        if isinstance(pattern, str) and _is_foreign(pattern):
            del part["pattern"]
        named = part.get("patternProperties")
        if isinstance(named, dict):
            part["patternProperties"] = {
                key: value for key, value in named.items() if not _is_foreign(key)
            }
    return schema


def _flatten(schema: dict[str, Any]) -> None:
    """Put what alternatives at the top level hold into the schema itself.

    All of their properties are offered. Required is what all of `allOf` require together, and what
    every alternative of `anyOf` or `oneOf` requires.
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


def _has_fault(raw: msgspec.Raw) -> bool:
    """Whether some array does not say of what, or some pattern is for another engine."""
    for part in _schemas_in(msgspec.json.decode(raw)):
        if _lacks_items(part):
            return True
        pattern, named = part.get("pattern"), part.get("patternProperties")
        keys = named if isinstance(named, dict) else ()
        if any(_is_foreign(each) for each in (pattern, *keys) if isinstance(each, str)):
            return True
    return False


@functools.lru_cache(maxsize=256)
def _is_foreign(pattern: str) -> bool:
    """Whether upstream would refuse a pattern: it compiles them as Python does."""
    if len(pattern) > _PATTERN_LIMIT or _FOREIGN_REGEX.search(pattern):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of spellings that other versions may read otherwise
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError):
            return True
    return False


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
