"""Answers of the Messages API: stream events and whole messages, as values and as bytes.

An answer is `message_start`, then content blocks with rising indexes of which one at a time is
open (`content_block_start`, deltas, `content_block_stop`), then `message_delta` with the stop
reason and the final usage, then `message_stop` (API reference, "Streaming messages", 2026).
"""

import functools
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.commons.usage.token_counts import Tokens

PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
"""Keep-alive event: SDKs skip it anywhere in a stream, and clients reset their time-outs."""

END_TURN: Final = "end_turn"
TOOL_USE: Final = "tool_use"
MAX_TOKENS: Final = "max_tokens"
REFUSAL: Final = "refusal"
STOP_SEQUENCE: Final = "stop_sequence"
CONTEXT_FULL: Final = "model_context_window_exceeded"


class MessageStart(msgspec.Struct, frozen=True, kw_only=True):
    """Event `message_start`."""

    message_id: str
    """Id, unique for each answer: clients merge two answers with one id."""
    model: str
    """The requested model."""
    input_tokens: int = 0
    """Estimated input tokens; some clients read only this figure."""


class BlockStart(msgspec.Struct, frozen=True):
    """Event `content_block_start`."""

    index: int
    block: dict[str, Any]
    """The block, with empty text, thinking or input."""


class BlockDelta(msgspec.Struct, frozen=True):
    """Event `content_block_delta`, for the open content block."""

    index: int
    delta: dict[str, Any]


class BlockStop(msgspec.Struct, frozen=True):
    """Event `content_block_stop`."""

    index: int


class MessageDelta(msgspec.Struct, frozen=True, kw_only=True):
    """Event `message_delta`: stop reason and usage."""

    stop_reason: str
    stop_sequence: str | None = None
    tokens: Tokens | None = None
    """The usage; None if the backend sent none."""
    web_searches: int = 0
    safeguard_results: tuple[dict[str, Any], ...] = ()


class MessageStop(msgspec.Struct, frozen=True):
    """Event `message_stop`."""


StreamEvent = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop


def text_block() -> dict[str, Any]:
    """Return an empty `text` block."""
    return {"type": "text", "text": ""}


def thinking_block() -> dict[str, Any]:
    """Return an empty `thinking` block."""
    return {"type": "thinking", "thinking": "", "signature": ""}


def tool_use_block(call_id: str, name: str) -> dict[str, Any]:
    """Return a `tool_use` block with empty input."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def text_delta(text: str) -> dict[str, Any]:
    """Return a `text_delta`."""
    return {"type": "text_delta", "text": text}


def thinking_delta(text: str) -> dict[str, Any]:
    """Return a `thinking_delta`."""
    return {"type": "thinking_delta", "thinking": text}


def signature_delta(signature: str) -> dict[str, Any]:
    """Return a `signature_delta`."""
    return {"type": "signature_delta", "signature": signature}


def input_delta(text: str) -> dict[str, Any]:
    """Return an `input_json_delta`."""
    return {"type": "input_json_delta", "partial_json": text}


def usage_of(tokens: Tokens, *, web_searches: int = 0) -> dict[str, Any]:
    """Return the usage; unlike the backend's, `input_tokens` excludes tokens from the cache."""
    usage: dict[str, Any] = {
        "input_tokens": max(0, tokens.input - tokens.cached - tokens.cache_write),
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
    }
    if web_searches:
        usage["server_tool_use"] = {"web_search_requests": web_searches}
    return usage


def empty_message(start: MessageStart) -> dict[str, Any]:
    """Return the message of `message_start`."""
    usage = usage_of(Tokens(input=start.input_tokens, output=1))
    return {
        "id": start.message_id,
        "type": "message",
        "role": "assistant",
        "model": start.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def encode(event: StreamEvent) -> bytes:
    """Encode one event; `event:` always repeats the type."""
    match event:
        case BlockDelta(index=index, delta=delta):
            kind, body = "content_block_delta", {"index": index, "delta": delta}
        case BlockStart(index=index, block=block):
            if block == _TEXT_BLOCK:
                return _TEXT_STARTED % index
            kind, body = "content_block_start", {"index": index, "content_block": block}
        case BlockStop(index=index):
            return _STOPPED % index
        case MessageStart(message_id=id_, model=model, input_tokens=tokens):
            return _STARTED % (write(id_), write(model), max(0, tokens))
        case MessageDelta(stop_reason=reason, stop_sequence=None, web_searches=0) if (
            not event.safeguard_results
        ):
            usage = usage_of(event.tokens or _NO_TOKENS)
            return _ENDING % (reason.encode(), *usage.values())
        case MessageDelta():
            kind, body = "message_delta", _ending(event)
        case MessageStop():
            return _ENDED
    return _encoded(kind, body)


def _encoded(kind: str, body: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), write({"type": kind, **body}))


@functools.lru_cache(maxsize=64)
def around_delta(index: int, make: Callable[[str], dict[str, Any]]) -> tuple[bytes, bytes]:
    """Return the bytes before and after the JSON string of a delta that is made of a text."""
    head, _, tail = encode(BlockDelta(index, make(""))).rpartition(b'""')
    return head, tail


_TEXT_BLOCK: Final = text_block()
_TEXT_STARTED: Final = _encoded(
    "content_block_start", {"index": Raw(b"%d"), "content_block": _TEXT_BLOCK}
)
_STOPPED: Final = _encoded("content_block_stop", {"index": Raw(b"%d")})
_ENDED: Final = _encoded("message_stop", {})
"""Events of every answer, encoded once."""
_NO_TOKENS: Final = Tokens()
_COUNT: Final = Raw(b"%d")
_EMPTY_MESSAGE: Final = empty_message(MessageStart(message_id="", model=""))
_STARTED: Final = _encoded(
    "message_start",
    {
        "message": {
            **_EMPTY_MESSAGE,
            "id": Raw(b"%b"),
            "model": Raw(b"%b"),
            "usage": {**_EMPTY_MESSAGE["usage"], "input_tokens": _COUNT},
        }
    },
)
_ENDING: Final = _encoded(
    "message_delta",
    {
        "delta": {"stop_reason": Raw(b'"%b"'), "stop_sequence": None},
        "usage": dict.fromkeys(usage_of(_NO_TOKENS), _COUNT),
    },
)
"""Events that nearly every answer has in this form, for their ids, words and counts."""


def _ending(event: MessageDelta) -> dict[str, Any]:
    delta: dict[str, Any] = {
        "stop_reason": event.stop_reason,
        "stop_sequence": event.stop_sequence,
    }
    if event.safeguard_results:
        delta["safeguard_results"] = event.safeguard_results
    usage = usage_of(event.tokens or _NO_TOKENS, web_searches=event.web_searches)
    return {"delta": delta, "usage": usage}
