"""Decodes the events of a Codex answer.

A known name with a valid payload is decoded into its Struct, an unknown name into an `UnknownEvent`;
anything else raises `Malformed`. Structs have only fields that are used; others may have any shape.
Events are translated in `translation`.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, reader
from codex_proapi.gateway.errors import Malformed
from codex_proapi.gateway.formats.sse import read_block

NOTHING: Final = Raw(b"")
NAME_LIMIT: Final = 64
"""Characters at which unknown names are cut, because they become labels of counters."""


class ResponseCreated(msgspec.Struct, frozen=True):
    """The response was created and has an id."""

    response: Raw = NOTHING
    """The response object so far."""


class ResponseInProgress(msgspec.Struct, frozen=True):
    """Upstream is working, or has queued the request; no content."""

    response: Raw = NOTHING


class Metadata(msgspec.Struct, frozen=True):
    """Response headers sent late: turn state, safety notices."""

    headers: Raw = NOTHING


class RateLimits(msgspec.Struct, frozen=True):
    """The quota windows as of this answer; `quota_of_event` reads them."""

    body: Raw = NOTHING


class ItemAdded(msgspec.Struct, frozen=True):
    """An output item begins."""

    item: Raw
    output_index: int | None = None


class ItemDone(msgspec.Struct, frozen=True):
    """An output item is complete."""

    item: Raw
    output_index: int | None = None


class OfItem(msgspec.Struct, frozen=True, kw_only=True):
    """Common fields of events about an item; each may be missing."""

    item_id: str | None = None
    output_index: int | None = None


class OfPart(OfItem, frozen=True, kw_only=True):
    """The same for events about one content part of an item."""

    content_index: int | None = None


class OfSummary(OfItem, frozen=True, kw_only=True):
    """The same for events about one part of a reasoning summary."""

    summary_index: int | None = None


class TextDelta(OfPart, frozen=True):
    """A delta of the answer's text."""

    delta: str


class TextDone(OfPart, frozen=True):
    """The complete text of one part."""

    text: str


class AnnotationAdded(msgspec.Struct, frozen=True):
    """A citation in the text."""

    annotation: Raw = NOTHING


class RefusalDelta(OfPart, frozen=True):
    """A delta of the model's refusal to answer."""

    delta: str


class RefusalDone(OfPart, frozen=True):
    """The model's complete refusal."""

    refusal: str


class ReasoningDelta(OfSummary, frozen=True):
    """A delta of a reasoning summary."""

    delta: str


class ReasoningDone(OfSummary, frozen=True):
    """One complete part of a reasoning summary."""

    text: str


class RawReasoningDelta(OfPart, frozen=True):
    """A delta of the reasoning itself, which few models send."""

    delta: str


class RawReasoningDone(OfPart, frozen=True):
    """One complete part of the reasoning itself."""

    text: str


class ArgumentsDelta(OfItem, frozen=True):
    """A delta of a function call's arguments."""

    delta: str


class ArgumentsDone(OfItem, frozen=True):
    """A function call's complete arguments."""

    arguments: str


class InputDelta(OfItem, frozen=True):
    """A delta of a custom tool call's input."""

    delta: str


class InputDone(OfItem, frozen=True):
    """A custom tool call's complete input."""

    input: str


class ResponseCompleted(msgspec.Struct, frozen=True):
    """The end of a complete answer."""

    response: Raw = NOTHING


class ResponseIncomplete(msgspec.Struct, frozen=True):
    """The end of an answer that upstream cut."""

    response: Raw = NOTHING


class ResponseFailed(msgspec.Struct, frozen=True):
    """The end of an answer that failed."""

    response: Raw = NOTHING


class UpstreamErrorEvent(msgspec.Struct, frozen=True):
    """An error inside the stream, nested or flat; `refusal_of_event` reads it."""

    body: Raw = NOTHING


class UnknownEvent(msgspec.Struct, frozen=True):
    """An event that is not used here; counted, never an error."""

    name: str


UpstreamEvent = (
    ResponseCreated
    | ResponseInProgress
    | Metadata
    | RateLimits
    | ItemAdded
    | ItemDone
    | TextDelta
    | TextDone
    | AnnotationAdded
    | RefusalDelta
    | RefusalDone
    | ReasoningDelta
    | ReasoningDone
    | RawReasoningDelta
    | RawReasoningDone
    | ArgumentsDelta
    | ArgumentsDone
    | InputDelta
    | InputDone
    | ResponseCompleted
    | ResponseIncomplete
    | ResponseFailed
    | UpstreamErrorEvent
    | UnknownEvent
)

SHAPES: Final[dict[str, type[UpstreamEvent]]] = {
    "response.created": ResponseCreated,
    "response.queued": ResponseInProgress,
    "response.in_progress": ResponseInProgress,
    "response.metadata": Metadata,
    "codex.response.metadata": Metadata,
    "codex.rate_limits": RateLimits,
    "response.output_item.added": ItemAdded,
    "response.output_item.done": ItemDone,
    "response.output_text.delta": TextDelta,
    "response.output_text.done": TextDone,
    "response.output_text.annotation.added": AnnotationAdded,
    "response.refusal.delta": RefusalDelta,
    "response.refusal.done": RefusalDone,
    "response.reasoning_summary_text.delta": ReasoningDelta,
    "response.reasoning_summary_text.done": ReasoningDone,
    "response.reasoning_text.delta": RawReasoningDelta,
    "response.reasoning_text.done": RawReasoningDone,
    "response.function_call_arguments.delta": ArgumentsDelta,
    "response.function_call_arguments.done": ArgumentsDone,
    "response.custom_tool_call_input.delta": InputDelta,
    "response.custom_tool_call_input.done": InputDone,
    "response.completed": ResponseCompleted,
    "response.done": ResponseCompleted,
    "response.incomplete": ResponseIncomplete,
    "response.failed": ResponseFailed,
    "response.cancelled": ResponseFailed,
    "error": UpstreamErrorEvent,
}
"""Name to shape. `response.done` is the WebSocket's name of a terminal event of any status."""


class _Head(msgspec.Struct):
    type: str = ""


class _Status(msgspec.Struct):
    status: str | None = None


_read_head: Final = reader(_Head)
_read_status: Final = reader(_Status)
_read: Final = {shape: reader(shape) for shape in set(SHAPES.values())}
_UNREAD: Final = tuple(
    f"response.{part}.{end}"
    for part in ("content_part", "reasoning_summary_part")
    for end in ("added", "done")
)
"""Events of nearly every answer of which only the name is used."""


class _Unread(msgspec.Struct):
    """A payload of which nothing is used."""


_PLAIN: Final = {
    (line := f"event: {kind}\ndata: ").encode() + f'{{"type":"{kind}",'.encode(): (
        len(line),
        msgspec.json.Decoder(SHAPES.get(kind, _Unread)).decode,
        None if kind in SHAPES else UnknownEvent(kind),
    )
    for kind in (*SHAPES, *_UNREAD)
    if SHAPES.get(kind) not in (UpstreamErrorEvent, RateLimits) and kind != "response.done"
}
"""By what stands before its other fields: where an event's payload begins, what reads it in one step,
and the event for one of which only the name is used."""


def decode_block(block: bytes) -> tuple[UpstreamEvent, bytes] | None:
    """Decode the event in one block of the stream, and give its payload; None without a payload.

    Nearly all events are written as `_PLAIN` has them; any other block is taken apart line by line.
    """
    plain = _PLAIN.get(block[: block.find(b",") + 1])
    if plain is not None and block.count(b"\n") == 1:
        start, read, named = plain
        data = block[start:]
        try:
            event: Any = read(data)
        except DECODE_ERRORS:
            pass  # what is wrong with it is found below
        else:
            return named or event, data
    message = read_block(block)
    return None if message is None else (decode_event(message.event, message.data), message.data)


def decode_event(name: bytes | None, data: bytes) -> UpstreamEvent:
    """Decode a payload; the event's name is the payload's `type`, else the `event:` line."""
    label = (name or b"").decode(errors="replace")
    try:
        kind = _read_head(data).type or label
    except DECODE_ERRORS:
        if label in SHAPES or (not label and data.lstrip()[:1] == b"{"):
            raise Malformed("An upstream event is no JSON object.") from None
        return UnknownEvent("[DONE]" if data == b"[DONE]" else label[:NAME_LIMIT] or "no JSON")
    shape = SHAPES.get(kind)
    if shape is None:
        return UnknownEvent(kind[:NAME_LIMIT])
    if shape is UpstreamErrorEvent or shape is RateLimits:
        return shape(Raw(data))
    try:
        event = _read[shape](data)
        return _by_status(event) if kind == "response.done" else event
    except DECODE_ERRORS:
        raise Malformed(f"An upstream event {kind} has an unknown shape.") from None


def speaks(event: UpstreamEvent) -> bool:
    """Whether an event has content, so that the first such event is the commit point."""
    match event:
        case ItemDone() | ResponseCompleted() | ResponseIncomplete():
            return True
        case (
            TextDelta(delta=delta)
            | RefusalDelta(delta=delta)
            | ReasoningDelta(delta=delta)
            | RawReasoningDelta(delta=delta)
            | ArgumentsDelta(delta=delta)
            | InputDelta(delta=delta)
        ):
            return bool(delta)
        case _:
            return False


def _by_status(event: UpstreamEvent) -> UpstreamEvent:
    """The type of a `response.done`, by its response's status."""
    response = event.response if isinstance(event, ResponseCompleted) else NOTHING
    match _read_status(response).status if response else None:
        case "incomplete":
            return ResponseIncomplete(response)
        case "failed" | "cancelled":
            return ResponseFailed(response)
        case _:
            return ResponseCompleted(response)
