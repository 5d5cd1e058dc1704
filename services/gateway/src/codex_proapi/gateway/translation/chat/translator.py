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
    SILENT_HANDLERS,
    TEXT_LINES,
    AnswerTranslator,
    arguments_string,
)
from codex_proapi.gateway.translation.stream.event_translator import FastHandler

if TYPE_CHECKING:
    from codex_proapi.gateway.translation.chat.tool_calls import Call


class ChatAnswer(AnswerTranslator[ChatChunk]):
    """Base of the translator and the aggregator: one answer as chat chunks."""

    def __init__(self, options: ChatOptions, *, completion_id: str) -> None:
        super().__init__()
        self._stream: ChatStream = ChatStream(options, fallback_id=completion_id)


class ChatTranslator(ChatAnswer):
    """Translates one streamed answer for a chat client."""

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
        super().__init__(options, completion_id=completion_id)
        self._encoder = ChunkEncoder(completion_id=completion_id, created=created, model=model)
        self._text_around = self._encoder.content
        self._reasoning_around = self._encoder.reasoning
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
        TEXT_LINES: ChatAnswer.copy_text,
        REASONING_LINES: ChatAnswer.copy_reasoning,
        ARGUMENTS_LINES: _arguments,
        **SILENT_HANDLERS,
    }

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        self._remember()
        return b"".join([self._encoder.encode(chunk) for chunk in chunks])

    def _terminator(self) -> bytes:
        return DONE

    def _error(self, error: GatewayError) -> bytes:
        """An error event, without `[DONE]`; an answer that a stop string has cut is whole all the same."""
        cut = self._stream.state is AnswerState.CUT
        return DONE if cut else chat_error_event(error)

    def _remember(self) -> None:
        """Note which deltas can take the fast path."""
        text = self._stream.text
        self._text_position = text.text_position
        self._reasoning_position = text.reasoning_position
        call = self._stream.calls.current
        if call is not self._call and call is not None:
            delta = CallDelta(index=call.index, form=call.form)
            self._call_around = self._encoder.around_call(delta)
        self._call = call
