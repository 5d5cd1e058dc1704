"""Decodes the output items of a Codex answer: messages, reasoning and calls.

Items of other types are forwarded undecoded; only their type is read.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, reader
from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.formats.codex.events import NOTHING
from codex_proapi.gateway.formats.codex.tool_search import NAME as SEARCH_FUNCTION


class Citation(msgspec.Struct, frozen=True):
    """A `url_citation` in a text."""

    type: str = ""
    url: str = ""
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class Part(msgspec.Struct, frozen=True):
    """One content part of a message, or one part of a reasoning summary."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: Raw = NOTHING


class MessageItem(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    """A message of the assistant."""

    id: str | None = None
    content: list[Part] | None = None
    phase: Any = None
    """`commentary` for text about work in progress, `final_answer`, or empty."""


class ReasoningItem(msgspec.Struct, frozen=True, tag_field="type", tag="reasoning"):
    """The model's reasoning, as far as upstream sends it."""

    id: str | None = None
    summary: list[Part] | None = None
    content: list[Part] | None = None


class FunctionCallItem(msgspec.Struct, frozen=True, tag_field="type", tag="function_call"):
    """A call of a function tool."""

    name: str
    id: str | None = None
    call_id: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    status: str | None = None


class CustomCallItem(msgspec.Struct, frozen=True, tag_field="type", tag="custom_tool_call"):
    """A call of a custom (freeform) tool."""

    name: str
    id: str | None = None
    call_id: str | None = None
    namespace: str | None = None
    input: str | None = None
    status: str | None = None


class OtherItem(msgspec.Struct, frozen=True):
    """An item of any other type: a web search, a compaction, …."""

    type: str


KnownItem = MessageItem | ReasoningItem | FunctionCallItem | CustomCallItem
OutputItem = KnownItem | OtherItem

SHAPES: Final[dict[str, type[KnownItem]]] = {
    "message": MessageItem,
    "reasoning": ReasoningItem,
    "function_call": FunctionCallItem,
    "custom_tool_call": CustomCallItem,
}


class _Head(msgspec.Struct):
    type: str = ""


_read_head: Final = reader(_Head)
_read: Final = {shape: reader(shape) for shape in SHAPES.values()}
_read_known: Final[Callable[[bytes | Raw], KnownItem]] = msgspec.json.Decoder(KnownItem).decode
_read_citation: Final = reader(Citation)
_read_citations: Final = reader(list[Citation])


def decode_item(raw: Raw) -> OutputItem:
    """The item in an `output_item` event or in a response's `output`."""
    try:
        return _read_known(raw)
    except DECODE_ERRORS:
        pass  # it is of another type, or what is wrong with it is found below
    try:
        kind = _read_head(raw).type
        if kind not in SHAPES:
            return OtherItem(kind)
        return _read[SHAPES[kind]](raw)
    except DECODE_ERRORS:
        raise Malformed("An upstream output item has an unknown shape.") from None


def citation_of(annotation: Raw) -> list[Citation]:
    """The URL citation in one annotation, if it is one."""
    try:
        found = _read_citation(annotation)
    except DECODE_ERRORS:
        return []
    return [found] if found.type == "url_citation" and found.url else []


def citations_of(annotations: Raw) -> list[Citation]:
    """The URL citations among a part's annotations; others, and unreadable ones, are skipped."""
    try:
        found = _read_citations(annotations) if annotations else []
    except DECODE_ERRORS:
        return []
    return [citation for citation in found if citation.type == "url_citation" and citation.url]


class _SearchingCall(msgspec.Struct):
    id: str | None = None
    call_id: str | None = None
    status: str | None = None
    arguments: Raw = Raw(b"{}")


_read_searching: Final = reader(_SearchingCall)


def searching_call(raw: Raw) -> FunctionCallItem:
    """A `tool_search_call` as the call of the function that it stands for."""
    try:
        found = _read_searching(raw)
    except DECODE_ERRORS:
        found = _SearchingCall()
    text = bytes(found.arguments).decode(errors="replace")
    if text.startswith('"'):
        text = str(read_any(text.encode()))
    return FunctionCallItem(
        id=found.id,
        call_id=found.call_id,
        name=SEARCH_FUNCTION,
        arguments=text,
        status=found.status,
    )
