"""Translates tool results into upstream's: text, or parts if there are images or files."""

from typing import Any

import msgspec

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.input_items import Part, text_part
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.parts import (
    FALLBACK_LIMIT,
    KNOWN,
    input_part,
    json_text,
    kind_of,
    text_parts,
)

_MCP_RESULT = frozenset({"content", "isError", "structuredContent", "_meta"})
"""The fields of MCP's result object."""
_BYTES_FIELDS = ("data", "blob", "file_data", "image", "image_url", "url")
_WHERE = "result"
"""Where a part stands that cannot be read: no client is told, as a result is passed in any case."""
_HOLDING_FIELDS = ("resource", "source", "image_url", "file", "image")
"""Fields that hold bytes, and objects with such fields."""


def tool_output(content: Any, reading: TranslationContext) -> str | list[Part]:
    """Return a tool's result: text unchanged, a list of parts as parts, any other value as JSON."""
    if isinstance(content, str):
        return _unpacked(content, reading) if content.lstrip()[:1] in ("[", "{") else content
    if content is None:
        return ""
    if isinstance(content, list):
        if texts := text_parts(content, "input_text"):
            return texts
        return [found for part in content if (found := _result_part(part, reading))] or ""
    if isinstance(content, dict) and kind_of(content) in KNOWN:
        part = _result_part(content, reading)
        return [part] if part else ""
    return json_text(content)


def _result_part(part: Any, reading: TranslationContext) -> Part | None:
    """Read one part of a tool's result; a part that cannot be read is passed as text."""
    if isinstance(part, dict) and kind_of(part) in KNOWN:
        try:
            return input_part(part, _WHERE, reading)
        except BadRequest:
            reading.dropped.add(f"content.{kind_of(part)}")
    return part_as_text(part)


def part_as_text(part: Any) -> Part:
    """Return a part of a tool's result as text, for the model to make of it what it can."""
    return text_part(part if isinstance(part, str) else json_text(_without_bytes(part)))


def _without_bytes(part: Any) -> Any:
    """Leave long base64 out of a part that is passed as text, where the model cannot read it."""
    if not isinstance(part, dict):
        return part
    kept = {
        name: f"[{len(value)} characters left out]"
        if name in _BYTES_FIELDS and isinstance(value, str) and len(value) > FALLBACK_LIMIT
        else value
        for name, value in part.items()
    }
    kept |= {
        name: _without_bytes(part[name])
        for name in _HOLDING_FIELDS
        if isinstance(part.get(name), dict)
    }
    return kept


def _unpacked(text: str, reading: TranslationContext) -> str | list[Part]:
    """Unpack a result that some clients send as JSON text consisting of parts with images.

    The text may be a list of parts, one part, or MCP's result object with its `content`.
    """
    if '"type"' not in text or _no_picture(text):
        return text
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
    if isinstance(found, dict):
        wrapped = found.keys() <= _MCP_RESULT and isinstance(found.get("content"), list)
        found = found["content"] if wrapped else [found]
    try:
        parts = [_unpacked_part(part, reading) for part in found]
    except BadRequest:
        return text
    if not any(part["type"] == "input_image" for part in parts if part):
        return text
    return [part for part in parts if part]


def _unpacked_part(part: Any, reading: TranslationContext) -> Part | None:
    """Read a part that must be one of a known type. Raises BadRequest."""
    if not isinstance(part, dict) or part.get("type") not in KNOWN:
        raise BadRequest("This is no content part", param=_WHERE)
    return input_part(part, _WHERE, reading)


def _no_picture(text: str) -> bool:
    return "image" not in text and '"media"' not in text
