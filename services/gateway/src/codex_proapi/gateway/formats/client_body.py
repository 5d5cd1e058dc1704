"""Decodes the request bodies of all dialects: top-level values by name, tools as raw bytes.

Bodies of all routes are decoded here, tolerantly, because clients mix their shapes (Cursor posts a
Responses-shaped body to the chat route). The values are interpreted in `translation`.
"""

import codecs
import functools
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import without_lone_surrogates
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats import json_steps

MOST_STOP_CHARACTERS = 1000
"""Most characters of one stop sequence, which every text of an answer is compared with."""

ToolFields = dict[str, msgspec.Raw]
"""One tool, by field; the values are the client's bytes, so schemas are forwarded undecoded."""

REMEMBERED_BYTES = 128 * 1024
"""Bytes of the longest list of tools that is remembered."""
REMEMBERED_LISTS = 64
"""Most lists of tools that are remembered: some megabytes, if all were of the longest."""
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
"""Byte order marks of other encodings; that of UTF-32 in little endian begins like UTF-16's."""
_NULL = msgspec.Raw(b"null")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TOOLS = msgspec.json.Decoder(list[ToolFields])
_VALUE = msgspec.json.Decoder()
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_NO_TOOLS: Final[tuple[Any, ...]] = (None, [])
SHORT_BYTES = 16 * 1024
"""Bytes up to which a body is decoded whole, at the risk that it has to be decoded once more."""


class ClientBody(msgspec.Struct, frozen=True, kw_only=True):
    """One request body: its values that are not null, by name."""

    values: dict[str, Any]
    """The decoded fields, without the tools."""
    names: tuple[str, ...] = ()
    """Names of all fields but the tools, including those that were not decoded."""
    tools: tuple[ToolFields, ...] = ()
    tools_json: bytes = b""
    """The JSON of the tools, if it is short enough to remember what was made of it; else empty."""
    functions: tuple[ToolFields, ...] = ()
    """The deprecated form of tools."""

    def text(self, name: str) -> str | None:
        """Return a value that must be a string. Raises BadRequest for other types."""
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise BadRequest(f"'{name}' must be a string", param=name)

    def flag(self, name: str) -> bool:
        """Return a value that must be a boolean; False if absent. Raises BadRequest."""
        value = self.values.get(name, False)
        if isinstance(value, bool):
            return value
        raise BadRequest(f"'{name}' must be true or false", param=name)

    def table(self, name: str) -> dict[str, Any]:
        """Return a value that must be an object; an empty one if absent. Raises BadRequest."""
        value = self.values.get(name)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        raise BadRequest(f"'{name}' must be an object", param=name)


def decode_body(
    body: bytes | Mapping[str, Any], *, read: frozenset[str] | None = None
) -> ClientBody:
    """Decode a request body. Raises BadRequest if it is not a JSON object.

    Only the fields in `read` are decoded; all if it is None. Lone surrogates are replaced: JavaScript
    clients that cut a string inside an emoji send them. A mapping is encoded and decoded, so it is
    neither kept nor changed.
    """
    if not isinstance(body, bytes):
        body = _encoded(body)
    try:
        if len(body) <= SHORT_BYTES:
            try:
                return _decoded_at_once(body, read)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                pass  # perhaps for a field that needs not be decoded
        return _decoded(body, read)
    except msgspec.DecodeError:
        return _decoded_mended(body, read)


class _Asked(msgspec.Struct):
    model: Any = None
    stream: Any = None


_ASKED = msgspec.json.Decoder(_Asked)


def asked_of(body: bytes) -> tuple[str, bool]:
    """The model that a refused body names, and whether it asks for a stream; never raises."""
    try:
        asked = _ASKED.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", False
    return asked.model if isinstance(asked.model, str) else "", asked.stream is True


def tool_value(fields: ToolFields, name: str) -> Any:
    """Decode one value of a tool; None if it is absent."""
    raw = fields.get(name)
    return None if raw is None else _VALUE.decode(raw)


class _Tools(msgspec.Struct):
    tools: msgspec.Raw = _NULL
    functions: msgspec.Raw = _NULL


_TOOL_FIELDS = msgspec.json.Decoder(_Tools)


def _decoded_at_once(body: bytes, read: frozenset[str] | None) -> ClientBody:
    """The fast way of `_decoded`: all values in one call of the decoder, then the bytes of the tools.

    Raises BadRequest as `_decoded` does, and what the decoder raises for a value that cannot be decoded.
    """
    fields = _OBJECT.decode(body)
    tools, functions = fields.pop("tools", None), fields.pop("functions", None)
    if None in fields.values():
        fields = {name: value for name, value in fields.items() if value is not None}
    values = fields
    if read is not None and not fields.keys() <= read:
        values = {name: value for name, value in fields.items() if name in read}
    if tools in _NO_TOOLS and functions in _NO_TOOLS:
        return ClientBody(values=values, names=tuple(fields))
    return _with_tools(_TOOL_FIELDS.decode(body), values=values, names=tuple(fields))


def _decoded(body: bytes, read: frozenset[str] | None) -> ClientBody:
    try:
        fields = _FIELDS.decode(body)
        tools = _Tools(fields.pop("tools", _NULL), fields.pop("functions", _NULL))
        fields = {name: raw for name, raw in fields.items() if raw != _NULL}
        asked = fields if read is None else {n: raw for n, raw in fields.items() if n in read}
        found = _with_tools(tools, values={}, names=tuple(fields))
        _fill(found.values, asked, at_once=len(body) <= json_steps.STEP_BYTES)
    except msgspec.ValidationError as error:
        raise BadRequest(f"The body cannot be read: {error}", param="body") from None
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8", param="body") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply", param="body") from None
    return found


def _fill(values: dict[str, Any], fields: dict[str, msgspec.Raw], *, at_once: bool) -> None:
    """Decode fields. Raises BadRequest for what JSON may write and nothing can hold, as 1e400."""
    decode = _VALUE.decode if at_once else json_steps.decode
    try:
        for name, raw in fields.items():
            values[name] = decode(raw)
    except msgspec.ValidationError as error:
        raise BadRequest(f"'{name[:64]}' cannot be read: {error}", param=name[:64]) from None


def _with_tools(raw: _Tools, *, values: dict[str, Any], names: tuple[str, ...]) -> ClientBody:
    """Return a body with its tools. Raises BadRequest if they are no list of objects."""
    tools_json = bytes(raw.tools)
    tools = _tool_list("tools", tools_json)
    return ClientBody(
        values=values,
        names=names,
        tools=tools,
        tools_json=tools_json if tools and len(tools_json) <= REMEMBERED_BYTES else b"",
        functions=_tool_list("functions", bytes(raw.functions)),
    )


def _decoded_mended(body: bytes, read: frozenset[str] | None) -> ClientBody:
    """Decode again without a byte order mark and with lone surrogates replaced.

    Windows PowerShell writes files with a mark, or in UTF-16. Raises BadRequest for anything else but
    JSON.
    """
    if body.startswith(_WIDE_MARKS) or b"\0" in body[:4]:
        raise BadRequest("The body is not UTF-8, but UTF-16 or UTF-32", param="body")
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return _decoded(without_lone_surrogates(body), read)
    except msgspec.DecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}", param="body") from None


def _tool_list(name: str, data: bytes) -> tuple[ToolFields, ...]:
    if data == b"null":
        return ()
    try:
        return remembered_tools(data) if len(data) <= REMEMBERED_BYTES else _tools_of(data)
    except msgspec.ValidationError:
        raise BadRequest(f"'{name}' must be a list of objects", param=name) from None


def _tools_of(data: bytes) -> tuple[ToolFields, ...]:
    data.decode()  # what is not decoded must be valid, too
    return tuple(_TOOLS.decode(data))


remembered_tools = functools.lru_cache(maxsize=REMEMBERED_LISTS)(_tools_of)
"""The tools in the JSON of a list: agents send the same ones with every request."""


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, UnicodeEncodeError, RecursionError, OverflowError) as error:
        raise BadRequest(f"The body is not valid JSON: {error}", param="body") from None
