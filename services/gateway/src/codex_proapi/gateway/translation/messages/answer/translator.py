"""Translates a streamed answer for clients of the Messages API: bytes in, bytes out.

Deltas of text, thinking and arguments, nearly all of a stream, take the fast path of
`stream.answer_translator`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.anthropic.errors import error_event
from codex_proapi.gateway.formats.anthropic.events import (
    PING,
    MessageStart,
    StreamEvent,
    around_delta,
    encode,
    input_delta,
    text_delta,
    thinking_delta,
)
from codex_proapi.gateway.translation.messages.answer.blocks import Block
from codex_proapi.gateway.translation.messages.answer.events_from_upstream import MessagesStream
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.stream.answer_translator import (
    ARGUMENTS_LINES,
    REASONING_LINES,
    TEXT_LINES,
    AnswerTranslator,
    arguments_string,
    arguments_strings,
    between,
)
from codex_proapi.gateway.translation.stream.event_translator import (
    FastHandler,
    ManyHandler,
    ShapeOf,
)
from codex_proapi.gateway.translation.stream.plain_events import SILENT_BEGINNINGS

if TYPE_CHECKING:
    from codex_proapi.gateway.translation.messages.answer.tool_calls import Call

_read_string: Final = msgspec.json.Decoder(str).decode


class MessagesTranslator(AnswerTranslator[StreamEvent]):
    """Translates one streamed answer for a client of the Messages API."""

    keep_alive = PING
    _stream: MessagesStream
    _silent = SILENT_BEGINNINGS

    def __init__(
        self, options: MessagesOptions, *, message_id: str, model: str, request_id: str = ""
    ) -> None:
        """Create the translator of an answer.

        Args:
            options: How the client wants its answer.
            message_id: Id of the message, unique.
            model: The requested model.
            request_id: Repeated in an error event.
        """
        super().__init__()
        self._stream = MessagesStream(
            options, report=self.report, message_id=message_id, model=model
        )
        self._request_id = request_id
        self._block: Block | None = None
        """The block that is being written."""
        self._call: Call | None = None
        self._arguments_around = (b"", b"")

    def _arguments(self, block: bytes) -> bytes | None:
        call = self._call
        if call is None or call.sound:
            return None
        delta = arguments_string(block, call.item_id)
        if not delta:
            return delta
        try:
            call.pieces.append(_read_string(delta))
        except ValueError:
            return None
        before, after = self._arguments_around
        return before + delta + after

    _fast: ClassVar[Mapping[bytes, FastHandler]] = {
        TEXT_LINES: AnswerTranslator.copy_text,
        REASONING_LINES: AnswerTranslator.copy_reasoning,
        ARGUMENTS_LINES: _arguments,
        **AnswerTranslator.usual_events,
    }

    def _many_arguments(self, _: bytes, payloads: list[bytes]) -> bytes | None:
        call = self._call
        if call is None or call.sound:
            return None
        deltas = arguments_strings(payloads, call.item_id)
        written = between(self._arguments_around, deltas) if deltas else None
        if deltas and written:
            call.pieces += map(_read_string, deltas)
        return written

    _many: ClassVar[Mapping[bytes, ManyHandler]] = {
        TEXT_LINES: AnswerTranslator.copy_texts,
        REASONING_LINES: AnswerTranslator.copy_reasonings,
        ARGUMENTS_LINES: _many_arguments,
    }

    # Arguments are kept, too, so none of them is only copied.
    _shapes: ClassVar[Mapping[bytes, ShapeOf]] = {
        TEXT_LINES: AnswerTranslator.text_shape,
        REASONING_LINES: AnswerTranslator.reasoning_shape,
    }

    def _write(self, events: list[StreamEvent]) -> bytes:
        """The events as bytes; notes which deltas can take the fast path from here."""
        current = self._stream.queue.current
        if current is not None or self._block is not None:
            self._remember(current)
        written = b""
        for event in events:
            written += encode(event)
            if type(event) is MessageStart:
                written += PING
        return written

    def _error(self, error: GatewayError) -> bytes:
        return error_event(error, request_id=self._request_id)

    def _remember(self, current: Block | None) -> None:
        """Note whose deltas can take the fast path: those of the block that is being written."""
        text, thinking, calls = self._stream.text, self._stream.reasoning, self._stream.calls
        before, self._block = self._block, current
        self._text_position = self._reasoning_position = self._call = None
        if current is None:
            return
        if current is text.block:
            self._text_position = text.position
            if current is not before:
                self._text_around = around_delta(current.index, text_delta)
        elif thinking is not None and current is thinking.block:
            self._reasoning_position = thinking.position
            if current is not before:
                self._reasoning_around = around_delta(current.index, thinking_delta)
        elif calls is not None:
            self._call = calls.written_into(current)
            if current is not before:
                self._arguments_around = around_delta(current.index, input_delta)
