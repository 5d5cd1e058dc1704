"""Translates a streamed answer for Responses clients: upstream's events, with missing ones added.

Deltas, which are nearly all of a stream, are forwarded as the bytes they came in, with at most their
sequence number replaced; so are the events that `plain_events` knows. All others go through
`ResponseStream`. Codex clients are served by
`passthrough.ResponsesPassthrough`.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, write
from codex_proapi.gateway.errors import GatewayError, Malformed
from codex_proapi.gateway.formats.codex.events import (
    ResponseCompleted,
    ResponseFailed,
    ResponseIncomplete,
    UnknownEvent,
    UpstreamErrorEvent,
    UpstreamEvent,
    decode_block,
)
from codex_proapi.gateway.formats.codex.public_errors import public_error
from codex_proapi.gateway.formats.codex.refusals import refusal_of_event
from codex_proapi.gateway.formats.openai.errors import response_error_event, response_failed_event
from codex_proapi.gateway.formats.openai.responses import encode_response_event
from codex_proapi.gateway.formats.sse import BLANK_LINE, read_block
from codex_proapi.gateway.translation.responses.events_from_upstream import (
    ResponseState,
    ResponseStream,
)
from codex_proapi.gateway.translation.responses.missing_events import Body
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.plain_events import (
    RULES,
    event_with_response,
    response_of,
)
from codex_proapi.gateway.translation.stream.event_translator import (
    EventTranslator,
    FastHandler,
    ManyHandler,
    Shape,
    ShapeOf,
    first_lines,
)
from codex_proapi.gateway.translation.stream.response_observer import (
    OBSERVERS,
    note_completed,
    note_created,
)


class _Text(msgspec.Struct, tag_field="type", tag="response.output_text.delta", gc=False):
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    logprobs: Raw
    part: int = msgspec.field(name="content_index")


class _Reasoning(
    msgspec.Struct, tag_field="type", tag="response.reasoning_summary_text.delta", gc=False
):
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    part: int = msgspec.field(name="summary_index")


class _Arguments(
    msgspec.Struct, tag_field="type", tag="response.function_call_arguments.delta", gc=False
):
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    part: ClassVar[int] = 0


class _Input(
    msgspec.Struct, tag_field="type", tag="response.custom_tool_call_input.delta", gc=False
):
    delta: str
    item_id: str
    output_index: int
    sequence_number: int
    part: ClassVar[int] = 0


class _DeltaKind(msgspec.Struct, frozen=True, eq=False):
    """Deltas that are passed on as they came."""

    type: bytes
    """Their type, as JSON."""
    read: Callable[[bytes], Any]
    """Reads a payload."""
    numbered: str = ""
    """The field with the part's index; empty for a kind that has no parts."""


_Where = tuple[_DeltaKind, str, int, int]
"""The kind, item, output index and part of a delta."""
_KINDS: Final = {
    first_lines(name): _DeltaKind(b'"%b"' % name.encode(), msgspec.json.Decoder(shape).decode, part)
    for name, shape, part in (
        ("response.output_text.delta", _Text, "content_index"),
        ("response.reasoning_summary_text.delta", _Reasoning, "summary_index"),
        ("response.function_call_arguments.delta", _Arguments, ""),
        ("response.custom_tool_call_input.delta", _Input, ""),
    )
}
"""The kinds, by the lines that a delta begins with."""
_read_plain: Final = msgspec.json.Decoder().decode
_ENDS: Final[dict[type, str]] = {
    ResponseCompleted: "response.completed",
    ResponseIncomplete: "response.incomplete",
}
"""The public names of events that upstream may name otherwise."""

_NOTED: Final = {
    first_lines("response.created"): (note_created, "response.created"),
    first_lines("response.completed"): (note_completed, "response.completed"),
}
"""What notes the response object of an event in the report, by the lines that it begins with."""


class ResponsesTranslator(EventTranslator):
    """Translates one streamed answer for a Responses client."""

    def __init__(self, options: ResponseOptions, *, response_id: str, created: int) -> None:
        """Arguments as for `ResponseStream`."""
        super().__init__()
        self._options = options
        self._stream = ResponseStream(options, response_id=response_id, created=created)
        self._next = 0
        self._passing: _Where | None = None
        """Where the latest delta was that passed: the next one is nearly always there, too."""
        self._failed: object = None
        self._opened: tuple[dict[str, Raw], bytes] | None = None
        """Upstream's response object as it began, and the client's; until the next event that has one."""

    def __repr__(self) -> str:
        return f"<ResponsesTranslator {self._stream.state.value}>"

    @property
    def response(self) -> Body:
        """The finished response object; empty before the end."""
        return self._stream.response

    def _delta(self, block: bytes) -> bytes | None:
        """A delta with its number replaced; None if `ResponseStream` would change more of it."""
        kind = _KINDS[self._lines]
        try:
            event = kind.read(block[len(self._lines) :])
        except ValueError:
            return None
        where = (kind, event.item_id, event.output_index, event.part)
        if where != self._passing and not self._begins(where, event.delta):
            return None
        if event.sequence_number != self._next:
            renumbered = _renumbered(block, event.sequence_number, self._next)
            if renumbered is None:
                return None
            block = renumbered
        self._next += 1
        return block if block.endswith(BLANK_LINE) else block + BLANK_LINE

    def _begins(self, where: _Where, delta: str) -> bool:
        """Whether it is the first delta of a part that has begun, which is noted."""
        kind, item_id, index, number = where
        stream, part = self._stream, (kind.numbered, number)
        state = stream.items.by_id.get(item_id)
        if (
            stream.state is not ResponseState.OPEN
            or state is None
            or state.index != index
            or (kind.numbered and part not in state.announced)
            or not delta
        ):
            return False
        state.delivered.add(part)
        self._passing = where
        return True

    def _deltas(self, data: bytes, payloads: list[bytes]) -> bytes | None:
        """Several deltas with their numbers replaced; None if more of one has to change."""
        kind = _KINDS[self._lines]
        try:
            events = list(map(kind.read, payloads))
        except ValueError:
            return None
        where, *others = {(kind, event.item_id, event.output_index, event.part) for event in events}
        if others or (where != self._passing and not self._begins(where, events[0].delta)):
            return None
        numbers = [event.sequence_number for event in events]
        wanted = range(self._next, self._next + len(events))
        if numbers != list(wanted):
            written: list[bytes] = []
            for each in map(_renumbered, payloads, numbers, wanted):
                if each is None:
                    return None
                written += (self._lines, each, BLANK_LINE)
            data = b"".join(written)
        self._next = wanted.stop
        return data

    def _unchanged(self, block: bytes) -> bytes | None:
        """Another event with its number replaced; None if `ResponseStream` would change more of it."""
        stream, payload = self._stream, block[len(self._lines) :]
        read, passes = RULES[self._lines]
        try:
            event = read(payload)
        except ValueError:
            return None
        if stream.state is not ResponseState.OPEN or not passes(stream.items, event, payload):
            return None
        if event.sequence_number != self._next:
            return self._encoded([_read_plain(payload)])
        self._next += 1
        return block if block.endswith(BLANK_LINE) else block + BLANK_LINE

    def _with_response(self, block: bytes) -> bytes | None:
        """The first event, or the last one, of which most stays as it came; None for others."""
        note, name = _NOTED[self._lines]
        event = event_with_response(name, block[len(self._lines) :])
        if event is None:
            return None
        body, fields = event
        found = response_of(fields)
        if found is None:
            return None
        body["response"], facts = found
        note(facts, self.report)
        self._opened = None
        response = body["response"]
        bodies = self._stream.feed(body)
        if bodies and name == "response.created":
            self._remember(fields, response, bodies[0])
        written = self._encoded(bodies)
        if self._stream.state is ResponseState.FINISHED:
            self._end()
        return written

    def _under_way(self, block: bytes) -> bytes | None:
        """A `response.in_progress` with the response object of `response.created`; None for others."""
        opened, self._opened = self._opened, None
        if opened is None:
            return None
        event = event_with_response("response.in_progress", block[len(self._lines) :])
        if event is None:
            return None
        body, fields = event
        upstream, ours = opened
        if fields != upstream:
            return None
        body["response"] = Raw(ours)
        return self._encoded([body])

    _fast: ClassVar[Mapping[bytes, FastHandler]] = {
        first_lines("response.in_progress"): _under_way,
        **dict.fromkeys(_NOTED, _with_response),
        **dict.fromkeys(_KINDS, _delta),
        **dict.fromkeys(RULES, _unchanged),
    }
    _many: ClassVar[Mapping[bytes, ManyHandler]] = dict.fromkeys(_KINDS, _deltas)

    def _shape(self) -> Shape | None:
        """What `_delta` passes on."""
        kind = _KINDS[self._lines]
        if self._passing is None or self._passing[0] is not kind:
            return None
        _, item_id, index, part = self._passing
        fields = [
            (b"type", kind.type),
            (b"item_id", write(item_id)),
            (b"output_index", b"%d" % index),
        ]
        if kind.numbered:
            fields.append((kind.numbered.encode(), b"%d" % part))
        if kind.numbered == "content_index":
            fields.append((b"logprobs", b"[]"))
        return tuple(fields), None

    _shapes: ClassVar[Mapping[bytes, ShapeOf]] = dict.fromkeys(_KINDS, _shape)

    def _slow(self, block: bytes) -> bytes:
        decoded = decode_block(block)
        if decoded is None:
            return b""
        event, data = decoded
        self._opened = None
        if (note := OBSERVERS.get(type(event))) is not None:
            note(event, self.report)
        try:
            body = _read_plain(data)
        except DECODE_ERRORS:
            body = _body_of(event, data)
        if not isinstance(body, dict):
            return b""
        kind = _ENDS.get(type(event)) or body.get("type") or _name_of(block)
        body["type"] = kind
        if isinstance(event, (ResponseFailed, UpstreamErrorEvent)):
            self._failed = body.get("response")
            raise public_error(refusal_of_event(event))
        bodies = self._stream.feed(body)
        if not bodies:
            return b""
        written = self._encoded(bodies)
        if self._stream.state is ResponseState.FINISHED:
            self._end()
        return written

    def _close(self) -> bytes:
        self._stream.finish()
        return b""

    def _error(self, error: GatewayError) -> bytes:
        """Return `response.failed`, then `error`."""
        opening, response = self._stream.fail(self._failed)
        return b"".join(
            (
                self._encoded(opening),
                response_failed_event(error, response, sequence_number=self._next),
                response_error_event(error, sequence_number=self._next + 1),
            )
        )

    def _remember(self, raw: dict[str, Raw], response: Body, opening: Body) -> None:
        """Keep the response object of the first event, for the next one, which has it nearly always."""
        if response.get("status") == "in_progress" and response.get("output") == []:
            ours = write(opening["response"])
            self._opened = raw, ours
            opening["response"] = Raw(ours)

    def _encoded(self, bodies: list[Body]) -> bytes:
        """The events as bytes, with the next sequence numbers."""
        written = b""
        for body in bodies:
            body["sequence_number"] = self._next
            self._next += 1
            written += encode_response_event(body)
        return written

    def _end(self) -> None:
        self.done = True
        self.report.response_id = str(self._stream.response["id"])
        if self._options.keep_response:
            self.report.response = write(self._stream.response)


def _renumbered(block: bytes, provided: int, wanted: int) -> bytes | None:
    """The bytes of an event with another sequence number; None if its own is not written plainly."""
    # No string can hold this unescaped, so the first one found is the field itself.
    field = b'"sequence_number":%d' % provided
    if field not in block:
        return None
    return block.replace(field, b'"sequence_number":%d' % wanted, 1)


def _body_of(event: UpstreamEvent, data: bytes) -> Any:
    """The payload of an event with half a surrogate pair; None if it cannot be read."""
    try:
        return read_any(data)
    except DECODE_ERRORS:
        if isinstance(event, UnknownEvent):
            return None
        raise Malformed("An upstream event cannot be read.") from None


def _name_of(block: bytes) -> str:
    """The name in the `event:` line, for a payload without its own; empty if missing."""
    message = read_block(block)
    return ((message and message.event) or b"").decode(errors="replace")
