"""A streamed completions answer: upstream's bytes in, the chunks' bytes out."""

from collections.abc import Mapping
from typing import ClassVar

from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.formats.openai.completions import CompletionEncoder
from codex_proapi.gateway.formats.openai.errors import chat_error_event
from codex_proapi.gateway.formats.sse import DONE
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatStream
from codex_proapi.gateway.translation.completions.options import CompletionOptions
from codex_proapi.gateway.translation.stream.answer_state import AnswerState
from codex_proapi.gateway.translation.stream.answer_translator import (
    TEXT_LINES,
    AnswerTranslator,
)
from codex_proapi.gateway.translation.stream.event_translator import (
    FastHandler,
    ManyHandler,
    ShapeOf,
)
from codex_proapi.gateway.translation.stream.plain_events import SILENT_BEGINNINGS


class CompletionTranslator(AnswerTranslator[ChatChunk]):
    """One streamed answer on its way to a completions client."""

    _stream: ChatStream
    _silent = SILENT_BEGINNINGS
    _terminator = DONE

    def __init__(
        self, options: CompletionOptions, *, completion_id: str, created: int, model: str
    ) -> None:
        """Take the id and time of the completion, and the model to echo: the one asked for."""
        super().__init__()
        self._stream = ChatStream(options.of_chat(), report=self.report, fallback_id=completion_id)
        self._echo = options.echo
        self._encoder = CompletionEncoder(completion_id=completion_id, created=created, model=model)
        self._text_around = self._encoder.around_text

    _fast: ClassVar[Mapping[bytes, FastHandler]] = {
        TEXT_LINES: AnswerTranslator.copy_text,
        **AnswerTranslator.usual_events,
    }
    _many: ClassVar[Mapping[bytes, ManyHandler]] = {TEXT_LINES: AnswerTranslator.copy_texts}
    _shapes: ClassVar[Mapping[bytes, ShapeOf]] = {TEXT_LINES: AnswerTranslator.text_shape}

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        self._text_position = self._stream.text.text_position
        if chunks and self._echo:
            chunks = [ChatChunk(content=self._echo), *chunks]
            self._echo = ""
        return b"".join([self._encoder.encode(chunk) for chunk in chunks])

    def _error(self, error: GatewayError) -> bytes:
        """An error event, without `[DONE]`; an answer that a stop string has cut is whole all the same."""
        cut = self._stream.state is AnswerState.CUT
        return DONE if cut else chat_error_event(error)
