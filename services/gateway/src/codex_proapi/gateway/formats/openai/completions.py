"""The answer side of legacy completions: chunks and whole answers as bytes.

Field for field as the public API reference has them (objects `text_completion`).
"""

from typing import Any

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk, chat_usage

OBJECT = "text_completion"
FINISH_REASONS = frozenset({"stop", "length", "content_filter"})
"""Why an answer may have ended; there are no calls."""


def completion_text(chunk: ChatChunk) -> str:
    """What a chat chunk adds to the text: content or refusal. Reasoning has no place in it."""
    return chunk.content or chunk.refusal or ""


def completion_reason(reason: str) -> str:
    """The `finish_reason` for that of a chat answer."""
    return reason if reason in FINISH_REASONS else "stop"


class CompletionEncoder:
    """Writes the chunks of one answer: what they share is encoded once."""

    def __init__(self, *, completion_id: str, created: int, model: str) -> None:
        shared = {"id": completion_id, "object": OBJECT, "created": created, "model": model}
        self._head = b"data: " + write(shared)[:-1]
        before = self._head + b',"choices":[{"index":0,"text":'
        self.around_text = before, b',"logprobs":null,"finish_reason":null}]}\n\n'
        """The bytes before and after a JSON string that is a piece of text."""

    def encode(self, chunk: ChatChunk) -> bytes:
        """One chunk as a message of the stream; b"" for what completions have no field for."""
        if chunk.usage is not None:
            return b'%b,"choices":[],"usage":%b}\n\n' % (self._head, write(chat_usage(chunk.usage)))
        before, after = self.around_text
        text = completion_text(chunk)
        if chunk.finish_reason is not None:
            reason = write(completion_reason(chunk.finish_reason))
            return b'%b%b,"logprobs":null,"finish_reason":%b}]}\n\n' % (before, write(text), reason)
        return before + write(text) + after if text else b""


def text_completion(
    *, completion_id: str, created: int, model: str, text: str, finish_reason: str, tokens: Tokens
) -> bytes:
    """A whole answer as one JSON body."""
    choice: dict[str, Any] = {
        "index": 0,
        "text": text,
        "logprobs": None,
        "finish_reason": completion_reason(finish_reason),
    }
    return write(
        {
            "id": completion_id,
            "object": OBJECT,
            "created": created,
            "model": model,
            "choices": [choice],
            "usage": chat_usage(tokens),
        }
    )
