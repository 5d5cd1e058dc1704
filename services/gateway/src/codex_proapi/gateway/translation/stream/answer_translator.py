"""Base translator of answers that are an `AnswerStream`, and the fast paths they share.

Deltas, which are nearly all of a stream, take a fast path: their JSON string is copied between bytes
that were encoded once. It is taken only if the `AnswerStream` would return the same piece. So do the
events that nearly every answer begins and ends with, where it is known what the `AnswerStream` would
do: most of them say nothing that the deltas have not said.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Final, Generic

import msgspec
from msgspec import Meta, Raw

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.formats.codex.events import (
    ResponseCompleted,
    ResponseCreated,
    TextDelta,
    decode_block,
)
from codex_proapi.gateway.translation.stream.answer_state import (
    AnswerState,
    AnswerStream,
    Piece,
)
from codex_proapi.gateway.translation.stream.event_translator import (
    EventTranslator,
    FastHandler,
    Shape,
    first_lines,
)
from codex_proapi.gateway.translation.stream.message_boundaries import COMMENTARY
from codex_proapi.gateway.translation.stream.plain_events import (
    COMPLETED_LINES,
    CREATED_LINES,
    ITEM_ADDED_LINES,
    ITEM_DONE_LINES,
    TEXT_DONE_LINES,
    read_completed,
    read_created,
    read_message_added,
    read_message_done,
    read_text_done,
)
from codex_proapi.gateway.translation.stream.response_observer import OBSERVERS

TEXT_LINES: Final = first_lines("response.output_text.delta")
REASONING_LINES: Final = first_lines("response.reasoning_summary_text.delta")
ARGUMENTS_LINES: Final = first_lines("response.function_call_arguments.delta")
_TEXT_TYPE: Final = b'"response.output_text.delta"'
_REASONING_TYPE: Final = b'"response.reasoning_summary_text.delta"'
_ARGUMENTS_TYPE: Final = b'"response.function_call_arguments.delta"'
_TEXT_AT: Final = len(TEXT_LINES)
_REASONING_AT: Final = len(REASONING_LINES)
_ARGUMENTS_AT: Final = len(ARGUMENTS_LINES)
_CREATED_AT: Final = len(CREATED_LINES)
_COMPLETED_AT: Final = len(COMPLETED_LINES)
_ITEM_ADDED_AT: Final = len(ITEM_ADDED_LINES)
_ITEM_DONE_AT: Final = len(ITEM_DONE_LINES)
_TEXT_DONE_AT: Final = len(TEXT_DONE_LINES)
_CREATED: Final = ResponseCreated()
_COMPLETED: Final = ResponseCompleted()
_QUOTE: Final = ord('"')
_EMPTY: Final = b'""'
IndexPair = tuple[int | None, int | None]
"""Output index and the part's index within the item."""
Around = tuple[bytes, bytes]
"""The client's bytes before and after the JSON string of a delta."""


class _Text(msgspec.Struct, tag_field="type", tag="response.output_text.delta", gc=False):
    delta: Raw
    output_index: int
    part: int = msgspec.field(name="content_index")


class _Reasoning(
    msgspec.Struct, tag_field="type", tag="response.reasoning_summary_text.delta", gc=False
):
    delta: Raw
    output_index: int
    part: int = msgspec.field(name="summary_index")


class _Arguments(
    msgspec.Struct, tag_field="type", tag="response.function_call_arguments.delta", gc=False
):
    delta: Raw
    item_id: str


_read_text: Final = msgspec.json.Decoder(_Text).decode
_read_whole_text: Final = msgspec.json.Decoder(TextDelta).decode
_read_reasoning: Final = msgspec.json.Decoder(_Reasoning).decode
_read_arguments: Final = msgspec.json.Decoder(_Arguments).decode
_read_strings: Final = msgspec.json.Decoder(list[Annotated[str, Meta(min_length=1)]]).decode


def copied_together(
    payloads: list[bytes],
    read: Callable[[bytes], _Text | _Reasoning],
    *,
    position: IndexPair | None,
    around: Around,
) -> bytes | None:
    """Several deltas at one position as the client's bytes; None if one is elsewhere, or empty."""
    if position is None:
        return None
    deltas: list[Raw] = []
    try:
        for event in map(read, payloads):
            if (event.output_index, event.part) != position:
                return None
            deltas.append(event.delta)
    except ValueError:
        return None
    return between(around, deltas)


def between(around: Around, deltas: list[Raw]) -> bytes | None:
    """Several JSON strings, each between the same bytes; None if one is empty, or no string."""
    try:
        _read_strings(b"[%b]" % b",".join(deltas))
    except ValueError:
        return None
    before, after = around
    return before + (after + before).join(deltas) + after


def arguments_strings(payloads: list[bytes], item_id: str | None) -> list[Raw] | None:
    """The JSON values of several deltas, if all are of this item's arguments."""
    try:
        events = list(map(_read_arguments, payloads))
    except ValueError:
        return None
    if {event.item_id for event in events} != {item_id}:
        return None
    return [event.delta for event in events]


def arguments_string(block: bytes, item_id: str | None) -> bytes | None:
    """The JSON string of a delta of this item's arguments, b"" for an empty one; None for others."""
    try:
        event = _read_arguments(block[_ARGUMENTS_AT:])
    except ValueError:
        return None
    if event.item_id != item_id:
        return None
    delta = bytes(event.delta)
    if delta == _EMPTY:
        return b""
    return delta if delta[0] == _QUOTE else None


def arguments_shape(item_id: str | None, around: tuple[bytes, bytes]) -> Shape | None:
    """What `arguments_string` gives the JSON string of, to be written between these bytes."""
    if item_id is None:
        return None
    return ((b"type", _ARGUMENTS_TYPE), (b"item_id", write(item_id))), around


def _shape(
    kind: bytes, part: bytes, position: IndexPair | None, around: tuple[bytes, bytes]
) -> Shape | None:
    """Deltas of this type at this position; None for a position that no delta has."""
    output_index, part_index = position or (None, None)
    if output_index is None or part_index is None:
        return None
    fields = ((b"type", kind), (b"output_index", b"%d" % output_index), (part, b"%d" % part_index))
    return fields, around


class AnswerTranslator(EventTranslator, Generic[Piece]):
    """One answer as pieces of the dialect's stream; subclasses write or aggregate them.

    A subclass that writes says after each event, in `_write`, which deltas may be copied and between
    which bytes.
    """

    _stream: AnswerStream[Piece]
    _terminator: ClassVar[bytes] = b""
    """The bytes after the last piece."""
    _text_position: IndexPair | None = None
    """Where the next text delta must be to be copied; None for nowhere."""
    _text_around: Around = (b"", b"")
    """The client's bytes before and after the JSON string of such a delta."""
    _reasoning_position: IndexPair | None = None
    """The same for a delta of a reasoning summary."""
    _reasoning_around: Around = (b"", b"")

    def copy_text(self, block: bytes) -> bytes | None:
        """The fast path of a text delta."""
        try:
            event = _read_text(block[_TEXT_AT:])
        except ValueError:
            return None
        if (event.output_index, event.part) != self._text_position:
            return self._first_text(block)
        delta = bytes(event.delta)
        if delta == _EMPTY:
            return b""
        before, after = self._text_around
        return before + delta + after if delta[0] == _QUOTE else None

    def _first_text(self, block: bytes) -> bytes | None:
        """A text delta that is not copied: most are the first of their part."""
        try:
            event = _read_whole_text(block[_TEXT_AT:])
        except ValueError:
            return None
        return self._write(self._stream.feed(event))

    def copy_texts(self, _: bytes, payloads: list[bytes]) -> bytes | None:
        """The same for several."""
        position, around = self._text_position, self._text_around
        return copied_together(payloads, _read_text, position=position, around=around)

    # Written out like the path of a text delta, because a call more for each delta is felt.
    def copy_reasoning(self, block: bytes) -> bytes | None:
        """The fast path of a delta of a reasoning summary."""
        try:
            event = _read_reasoning(block[_REASONING_AT:])
        except ValueError:
            return None
        if (event.output_index, event.part) != self._reasoning_position:
            return None
        delta = bytes(event.delta)
        if delta == _EMPTY:
            return b""
        before, after = self._reasoning_around
        return before + delta + after if delta[0] == _QUOTE else None

    def copy_reasonings(self, _: bytes, payloads: list[bytes]) -> bytes | None:
        """The same for several."""
        position, around = self._reasoning_position, self._reasoning_around
        return copied_together(payloads, _read_reasoning, position=position, around=around)

    def begin(self, block: bytes) -> bytes | None:
        """The fast path of a `response.created` at the beginning."""
        if self._stream.state is not AnswerState.WAITING:
            return None
        try:
            response = read_created(block[_CREATED_AT:]).response
        except ValueError:
            return None
        self.report.response_id, self.report.answered_model = response.id, response.model
        return self._write(self._stream.feed(_CREATED))

    def skip_message_added(self, block: bytes) -> bytes | None:
        """Skip the beginning of a message: it says only whether it is commentary."""
        try:
            item = read_message_added(block[_ITEM_ADDED_AT:]).item
        except ValueError:
            return None
        plain = self._stream.state is AnswerState.OPEN and item.phase != COMMENTARY
        return b"" if plain else None

    def skip_text_done(self, block: bytes) -> bytes | None:
        """Skip a part's whole text, where its deltas could be copied."""
        try:
            event = read_text_done(block[_TEXT_DONE_AT:])
        except ValueError:
            return None
        told = (event.output_index, event.content_index) == self._text_position
        return b"" if told else None

    def skip_message_done(self, block: bytes) -> bytes | None:
        """Skip a message of one such part."""
        if self._text_position is None:
            return None
        try:
            event = read_message_done(block[_ITEM_DONE_AT:])
        except ValueError:
            return None
        if (event.output_index, 0) != self._text_position or event.item.phase == COMMENTARY:
            return None
        self._stream.items_done = True
        return b""

    def complete(self, block: bytes) -> bytes | None:
        """The fast path of a `response.completed` of which everything but the usage is known."""
        stream, report = self._stream, self.report
        if stream.state is not AnswerState.OPEN or not stream.items_done:
            return None
        try:
            response = read_completed(block[_COMPLETED_AT:]).response
        except ValueError:
            return None
        usage = response.usage
        report.response_id = response.id or report.response_id
        report.answered_model = response.model or report.answered_model
        report.tokens = None if usage is None else usage.tokens()
        report.ending = Ending.WHOLE
        written = self._write(stream.feed(_COMPLETED))
        self.done = True
        return written + self._terminator

    usual_events: ClassVar[Mapping[bytes, FastHandler]] = {
        CREATED_LINES: begin,
        ITEM_ADDED_LINES: skip_message_added,
        TEXT_DONE_LINES: skip_text_done,
        ITEM_DONE_LINES: skip_message_done,
        COMPLETED_LINES: complete,
    }
    """The handlers of the events around the deltas of a message, for the `_fast` of a subclass."""

    def text_shape(self) -> Shape | None:
        """What `copy_text` copies."""
        return _shape(_TEXT_TYPE, b"content_index", self._text_position, self._text_around)

    def reasoning_shape(self) -> Shape | None:
        """What `copy_reasoning` copies."""
        position, around = self._reasoning_position, self._reasoning_around
        return _shape(_REASONING_TYPE, b"summary_index", position, around)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._stream.state.value}>"

    def _slow(self, block: bytes) -> bytes:
        decoded = decode_block(block)
        if decoded is None:
            return b""
        event, _ = decoded
        if (note := OBSERVERS.get(type(event))) is not None:
            note(event, self.report)
        stream = self._stream
        before = stream.state
        written = self._write(stream.feed(event))
        if stream.state is AnswerState.FINISHED:
            written += self._end(cut=before is AnswerState.CUT)
        return written

    def _close(self) -> bytes:
        return self._write(self._stream.finish()) + self._end(cut=True)

    def _end(self, *, cut: bool) -> bytes:
        self.done = True
        if cut:
            # The client has its whole text: how upstream ended is irrelevant.
            self.report.ending = Ending.WHOLE
            self.report.code = ""
        return self._terminator

    def _write(self, pieces: list[Piece]) -> bytes:
        """Return pieces as the client's bytes."""
        raise NotImplementedError
