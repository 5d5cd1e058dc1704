"""Translates a streamed answer for chat clients: bytes in, bytes out.

Deltas of text, reasoning and arguments take the fast path of `stream.answer_translator`; all other
events go through `ChatStream`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.openai.chat_chunks import CallDelta, ChatChunk, ChunkEncoder
from codex_proapi.gateway.formats.openai.errors import chat_error_event
from codex_proapi.gateway.formats.sse import DONE
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatStream
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.stream.answer_state import AnswerState
from codex_proapi.gateway.translation.stream.answer_translator import (
    ARGUMENTS_LINES,
    REASONING_LINES,
    TEXT_LINES,
    AnswerTranslator,
    arguments_shape,
    arguments_string,
    arguments_strings,
    between,
)
from codex_proapi.gateway.translation.stream.event_translator import (
    FastHandler,
    ManyHandler,
    Shape,
    ShapeOf,
)
from codex_proapi.gateway.translation.stream.plain_events import SILENT_BEGINNINGS

if TYPE_CHECKING:
    from codex_proapi.gateway.translation.chat.tool_calls import Call


class ChatTranslator(AnswerTranslator[ChatChunk]):
    """Translates one streamed answer for a chat client."""

    _stream: ChatStream
    _silent = SILENT_BEGINNINGS
    _terminator = DONE

    def __init__(
        self, options: ChatOptions, *, completion_id: str, created: int, model: str
    ) -> None:
        """Create the translator of an answer.

        Args:
            options: How the client wants its answer.
            completion_id: Id of the completion.
            created: Its time in seconds since the epoch.
            model: The requested model, repeated in every chunk.
        """
        super().__init__()
        self._stream = ChatStream(options, report=self.report, fallback_id=completion_id)
        self._encoder = ChunkEncoder(completion_id=completion_id, created=created, model=model)
        self._call: Call | None = None
        self._call_around = (b"", b"")

    def _arguments(self, block: bytes) -> bytes | None:
        call = self._call
        delta = arguments_string(block, call.item_id) if call is not None else None
        if not delta:
            return delta
        before, after = self._call_around
        return before + delta + after

    _fast: ClassVar[Mapping[bytes, FastHandler]] = {
        TEXT_LINES: AnswerTranslator.copy_text,
        REASONING_LINES: AnswerTranslator.copy_reasoning,
        ARGUMENTS_LINES: _arguments,
        **AnswerTranslator.usual_events,
    }

    def _many_arguments(self, _: bytes, payloads: list[bytes]) -> bytes | None:
        if self._call is None:
            return None
        deltas = arguments_strings(payloads, self._call.item_id)
        return between(self._call_around, deltas) if deltas else None

    _many: ClassVar[Mapping[bytes, ManyHandler]] = {
        TEXT_LINES: AnswerTranslator.copy_texts,
        REASONING_LINES: AnswerTranslator.copy_reasonings,
        ARGUMENTS_LINES: _many_arguments,
    }

    def _arguments_shape(self) -> Shape | None:
        call = self._call
        return None if call is None else arguments_shape(call.item_id, self._call_around)

    _shapes: ClassVar[Mapping[bytes, ShapeOf]] = {
        TEXT_LINES: AnswerTranslator.text_shape,
        REASONING_LINES: AnswerTranslator.reasoning_shape,
        ARGUMENTS_LINES: _arguments_shape,
    }

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        """The chunks as bytes; notes which deltas can take the fast path from here."""
        text, calls, encoder = self._stream.text, self._stream.calls, self._encoder
        self._text_position = text.text_position
        if text.text_position is not None and not self._text_around[0]:
            self._text_around = encoder.around("content")
        self._reasoning_position = text.reasoning_position
        if text.reasoning_position is not None and not self._reasoning_around[0]:
            self._reasoning_around = encoder.around("reasoning_content")
        if calls is not None and calls.current is not self._call:
            self._call = call = calls.current
            if call is not None:
                self._call_around = encoder.around_call(CallDelta(index=call.index, form=call.form))
        if text.stopped:  # nothing but the usage follows the finish reason
            self._text_position = self._reasoning_position = self._call = None
        written = b""
        for chunk in chunks:
            written += encoder.encode(chunk)
        return written

    def _error(self, error: GatewayError) -> bytes:
        """An error event, without `[DONE]`; an answer that a stop string has cut is whole all the same."""
        cut = self._stream.state is AnswerState.CUT
        return DONE if cut else chat_error_event(error)
