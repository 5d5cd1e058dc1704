"""The answer side of the Messages API: stream events and whole messages, as values and as bytes.

An answer is `message_start`, then content blocks with rising indexes of which one at a time is
open (`content_block_start`, deltas, `content_block_stop`), then `message_delta` with the stop
reason and the final usage, then `message_stop` (API reference, "Streaming messages", 2026).
"""

from typing import Any, Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.sse import encode_sse

PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
"""What is written in silence: SDKs skip it anywhere in a stream, and clients count it as life."""

END_TURN: Final = "end_turn"
TOOL_USE: Final = "tool_use"
MAX_TOKENS: Final = "max_tokens"
REFUSAL: Final = "refusal"
STOP_SEQUENCE: Final = "stop_sequence"
CONTEXT_FULL: Final = "model_context_window_exceeded"


class MessageStart(msgspec.Struct, frozen=True, kw_only=True):
    """The message begins."""

    message_id: str
    """Unique for each answer: clients merge two answers of one id."""
    model: str
    """The name the client asked for."""
    input_tokens: int = 0
    """An estimate: some clients read only this one."""


class BlockStart(msgspec.Struct, frozen=True):
    """A content block begins."""

    index: int
    block: dict[str, Any]
    """The block with its text, thinking or input still empty."""


class BlockDelta(msgspec.Struct, frozen=True):
    """A piece of the open content block."""

    index: int
    delta: dict[str, Any]


class BlockStop(msgspec.Struct, frozen=True):
    """A content block is complete."""

    index: int


class MessageDelta(msgspec.Struct, frozen=True, kw_only=True):
    """Why the message ends, and what it cost."""

    stop_reason: str
    stop_sequence: str | None = None
    tokens: Tokens | None = None
    """None where the backend told nothing."""
    web_searches: int = 0
    safeguard_results: tuple[dict[str, Any], ...] = ()


class MessageStop(msgspec.Struct, frozen=True):
    """The message is whole."""


StreamEvent = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop


def text_block() -> dict[str, Any]:
    """Return an empty block of text."""
    return {"type": "text", "text": ""}


def thinking_block() -> dict[str, Any]:
    """Return an empty block of thinking."""
    return {"type": "thinking", "thinking": "", "signature": ""}


def tool_use_block(call_id: str, name: str) -> dict[str, Any]:
    """Return a call without its input."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def text_delta(text: str) -> dict[str, Any]:
    """Return a piece of text."""
    return {"type": "text_delta", "text": text}


def thinking_delta(text: str) -> dict[str, Any]:
    """Return a piece of thinking."""
    return {"type": "thinking_delta", "thinking": text}


def signature_delta(signature: str) -> dict[str, Any]:
    """Return the signature of the open thinking block."""
    return {"type": "signature_delta", "signature": signature}


def input_delta(text: str) -> dict[str, Any]:
    """Return a piece of the JSON text that is a call's input."""
    return {"type": "input_json_delta", "partial_json": text}


def usage_of(tokens: Tokens, *, web_searches: int = 0) -> dict[str, Any]:
    """Return the usage of an answer: unlike the backend's, `input_tokens` is without the cache's."""
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
    """Return the message as it stands when it begins."""
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
    """Return one event as a message of the stream; `event:` always repeats the type."""
    name, body = _named(event)
    return encode_sse(write({"type": name, **body}), event=name.encode())


def around_delta(index: int, delta: dict[str, Any]) -> tuple[bytes, bytes]:
    """Return the bytes before and after the JSON string of a delta, whose text must be empty."""
    head, _, tail = encode(BlockDelta(index, delta)).rpartition(b'""')
    return head, tail


def _named(event: StreamEvent) -> tuple[str, dict[str, Any]]:
    match event:
        case MessageStart():
            return "message_start", {"message": empty_message(event)}
        case BlockStart(index=index, block=block):
            return "content_block_start", {"index": index, "content_block": block}
        case BlockDelta(index=index, delta=delta):
            return "content_block_delta", {"index": index, "delta": delta}
        case BlockStop(index=index):
            return "content_block_stop", {"index": index}
        case MessageDelta():
            return "message_delta", _ending(event)
        case MessageStop():
            return "message_stop", {}


def _ending(event: MessageDelta) -> dict[str, Any]:
    delta: dict[str, Any] = {
        "stop_reason": event.stop_reason,
        "stop_sequence": event.stop_sequence,
    }
    if event.safeguard_results:
        delta["safeguard_results"] = event.safeguard_results
    usage = usage_of(event.tokens or Tokens(), web_searches=event.web_searches)
    return {"delta": delta, "usage": usage}
