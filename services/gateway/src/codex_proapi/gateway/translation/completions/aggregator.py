"""A completions answer in one piece: upstream's bytes in, one completion out."""

from typing import NoReturn

import msgspec

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.formats.openai.completions import completion_text, text_completion
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatStream
from codex_proapi.gateway.translation.completions.options import CompletionOptions
from codex_proapi.gateway.translation.stream.answer_translator import AnswerTranslator


class CompletionAggregator(AnswerTranslator[ChatChunk]):
    """One answer on its way to a completions client that asked for no stream."""

    def __init__(
        self, options: CompletionOptions, *, completion_id: str, created: int, model: str
    ) -> None:
        """Take the same as `CompletionTranslator`."""
        super().__init__()
        asked = msgspec.structs.replace(options.of_chat(), include_usage=True)
        self._stream = ChatStream(asked, report=self.report, fallback_id=completion_id)
        self._tokens = Tokens()
        self._text = [options.echo]
        self._finish_reason = ""
        self._completion_id = completion_id
        self._created = created
        self._model = model

    def finish(self) -> bytes:
        """The completion as JSON, once `done` or when upstream has closed.

        Raises `Truncated` if the answer is not whole.
        """
        super().finish()
        return text_completion(
            completion_id=self._completion_id,
            created=self._created,
            model=self._model,
            text="".join(self._text),
            finish_reason=self._finish_reason,
            tokens=self._tokens,
        )

    def fail(self, error: GatewayError) -> NoReturn:
        """There is no stream to write into: raises the error."""
        super().fail(error)
        raise error

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        for chunk in chunks:
            self._text.append(completion_text(chunk))
            self._finish_reason = chunk.finish_reason or self._finish_reason
            self._tokens = chunk.usage or self._tokens
        return b""

    def _error(self, _: GatewayError) -> bytes:
        return b""
