"""Aggregates upstream's bytes into one completion, for a client without a stream.

It aggregates the chunks that a stream would have, so both have the same content.
"""

from typing import Any, NoReturn

import msgspec

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.openai.chat_chunks import (
    LEGACY,
    CallDelta,
    ChatChunk,
    annotation_of,
    completion,
    whole_call,
)
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatStream
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.stream.answer_translator import AnswerTranslator


class Folded:
    """The message made of the chunks of one answer."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._named: list[CallDelta] = []
        self._texts: list[list[str]] = []
        self._annotations: list[dict[str, Any]] = []
        self.finish_reason = ""
        self.tokens = Tokens()

    def __repr__(self) -> str:
        return f"<Folded {len(self._named)} calls {self.finish_reason}>"

    def add(self, chunk: ChatChunk) -> None:
        """Add the next chunk."""
        self._content.append(chunk.content or "")
        self._reasoning.append(chunk.reasoning or "")
        self._refusal.append(chunk.refusal or "")
        self._annotations += [annotation_of(citation) for citation in chunk.citations]
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.tokens = chunk.usage or self.tokens
        if chunk.call is not None:
            if chunk.call.name is not None:
                self._named.append(chunk.call)
                self._texts.append([])
            self._texts[chunk.call.index].append(chunk.call.text)

    def message(self) -> dict[str, Any]:
        """Return the assistant's message."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self._content) or None,
            "refusal": "".join(self._refusal) or None,
            "annotations": self._annotations,
        }
        if reasoning := "".join(self._reasoning):
            message["reasoning_content"] = reasoning
        calls = [(call, "".join(text)) for call, text in zip(self._named, self._texts, strict=True)]
        if calls and calls[0][0].form == LEGACY:
            call, text = calls[0]
            message["function_call"] = {"name": call.name, "arguments": text}
        elif calls:
            message["tool_calls"] = [
                whole_call(call.form, id_=call.id or "", name=call.name or "", text=text)
                for call, text in calls
            ]
        return message


class ChatAggregator(AnswerTranslator[ChatChunk]):
    """Aggregates one answer for a chat client."""

    def __init__(
        self, options: ChatOptions, *, completion_id: str, created: int, model: str
    ) -> None:
        """Arguments as for `ChatTranslator`."""
        super().__init__()
        asked = msgspec.structs.replace(options, include_usage=True)
        self._stream = ChatStream(asked, report=self.report, fallback_id=completion_id)
        self._folded = Folded()
        self._completion_id = completion_id
        self._created = created
        self._model = model

    def finish(self) -> bytes:
        """Return the completion as JSON, once `done` or when upstream has closed.

        Raises `Truncated` if the answer is incomplete.
        """
        super().finish()
        return completion(
            completion_id=self._completion_id,
            created=self._created,
            model=self._model,
            message=self._folded.message(),
            finish_reason=self._folded.finish_reason,
            tokens=self._folded.tokens,
        )

    def fail(self, error: GatewayError) -> NoReturn:
        """Raise the error: an aggregator has no stream to write it into."""
        super().fail(error)
        raise error

    def _write(self, chunks: list[ChatChunk]) -> bytes:
        for chunk in chunks:
            self._folded.add(chunk)
        return b""

    def _error(self, _: GatewayError) -> bytes:
        return b""
