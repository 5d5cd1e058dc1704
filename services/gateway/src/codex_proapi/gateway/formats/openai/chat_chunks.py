"""Answers of the chat dialect: chunks and completions, as values and as bytes.

Events are translated into chunks in `translation`.
"""

from typing import Any, Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.codex.items import Citation

FUNCTION: Final = "function"
CUSTOM: Final = "custom"
LEGACY: Final = "legacy"
"""The three forms of a call: a tool of either type, or the deprecated `function_call`."""


class CallDelta(msgspec.Struct, frozen=True, kw_only=True):
    """A delta of a call; the first one has its name and id."""

    index: int = 0
    form: str = FUNCTION
    text: str = ""
    """Arguments of a function, input of a custom tool."""
    id: str | None = None
    name: str | None = None


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one chunk; usually a single field is set."""

    role: str | None = None
    content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    call: CallDelta | None = None
    citations: tuple[Citation, ...] = ()
    finish_reason: str | None = None
    """A plain word; nothing else is set with it."""
    usage: Tokens | None = None
    """Set only in the usage chunk, which has no choice."""


OPENING: Final = ChatChunk(role="assistant", content="")
"""The first chunk of every answer."""
_BEFORE: Final = b',"choices":[{"index":0,"delta":'
_AFTER: Final = b',"logprobs":null,"finish_reason":null}]}\n\n'
_OPENED: Final = _BEFORE + b'{"role":"assistant","content":""}' + _AFTER
_ENDED: Final = _BEFORE + b'{},"logprobs":null,"finish_reason":"%b"}]}\n\n'
_USED: Final = (
    b',"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d'
    b',"prompt_tokens_details":{"cached_tokens":%d}'
    b',"completion_tokens_details":{"reasoning_tokens":%d}}}\n\n'
)
"""What `chat_usage` gives, encoded; a test compares them."""


class ChunkEncoder:
    """Encodes the chunks of one answer; their common fields are encoded once."""

    __slots__ = ("_head",)

    def __init__(self, *, completion_id: str, created: int, model: str) -> None:
        shared = {
            "id": completion_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._head = b"data: " + write(shared)[:-1]

    def around(self, field: str) -> tuple[bytes, bytes]:
        """The bytes before and after the JSON string of a delta of this field."""
        return b'%b%b{"%b":' % (self._head, _BEFORE, field.encode()), b"}" + _AFTER

    def around_call(self, call: CallDelta) -> tuple[bytes, bytes]:
        """The bytes before and after the JSON string of a later delta of this call."""
        head, _, tail = write(call_delta(call)).rpartition(b'""')
        return self._head + _BEFORE + head, tail + _AFTER

    def encode(self, chunk: ChatChunk) -> bytes:
        """Encode one chunk."""
        head = self._head
        if chunk is OPENING:
            return head + _OPENED
        if (used := chunk.usage) is not None:
            total = used.input + used.output
            counts = (used.input, used.output, total, used.cached, used.reasoning)
            return head + _USED % counts
        if chunk.finish_reason is not None:
            return head + _ENDED % chunk.finish_reason.encode()
        return head + _BEFORE + write(delta_of(chunk)) + _AFTER


def delta_of(chunk: ChatChunk) -> dict[str, Any]:
    """The `delta` object of a chunk."""
    delta: dict[str, Any] = {}
    if chunk.role is not None:
        delta["role"] = chunk.role
    if chunk.content is not None:
        delta["content"] = chunk.content
    if chunk.reasoning is not None:
        delta["reasoning_content"] = chunk.reasoning
    if chunk.refusal is not None:
        delta["refusal"] = chunk.refusal
    if chunk.call is not None:
        delta |= call_delta(chunk.call)
    if chunk.citations:
        delta["annotations"] = [annotation_of(citation) for citation in chunk.citations]
    return delta


def call_delta(call: CallDelta) -> dict[str, Any]:
    """The fields of a `delta` for a call; its text comes last."""
    if call.form == LEGACY:
        named = {} if call.name is None else {"name": call.name}
        return {"function_call": {**named, "arguments": call.text}}
    field = "input" if call.form == CUSTOM else "arguments"
    if call.name is None:
        return {"tool_calls": [{"index": call.index, call.form: {field: call.text}}]}
    whole = whole_call(call.form, id_=call.id or "", name=call.name, text=call.text)
    return {"tool_calls": [{"index": call.index, **whole}]}


def whole_call(form: str, *, id_: str, name: str, text: str) -> dict[str, Any]:
    """A call as it occurs in a message."""
    field = "input" if form == CUSTOM else "arguments"
    return {"id": id_, "type": form, form: {"name": name, field: text}}


def annotation_of(citation: Citation) -> dict[str, Any]:
    """A URL citation in chat form."""
    return {
        "type": "url_citation",
        "url_citation": {
            "url": citation.url,
            "title": citation.title or "",
            "start_index": citation.start_index or 0,
            "end_index": citation.end_index or 0,
        },
    }


def chat_usage(tokens: Tokens) -> dict[str, Any]:
    """The usage of a chat answer: all three counts, and the details clients read."""
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.total,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }


def completion(
    *,
    completion_id: str,
    created: int,
    model: str,
    message: dict[str, Any],
    finish_reason: str,
    tokens: Tokens,
) -> bytes:
    """Encode a complete answer as one JSON body."""
    return write(
        {
            "id": completion_id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
            ],
            "usage": chat_usage(tokens),
        }
    )
