"""Stream events as bytes, each of the shape the API reference shows."""

import json

import pytest

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.anthropic.events import (
    PING,
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageDelta,
    MessageStart,
    MessageStop,
    StreamEvent,
    around_delta,
    encode,
    input_delta,
    signature_delta,
    text_block,
    text_delta,
    thinking_block,
    thinking_delta,
    tool_use_block,
    usage_of,
)


@pytest.mark.parametrize(
    ("event", "name", "body"),
    [
        (
            MessageStart(message_id="msg_1", model="claude-x", input_tokens=12),
            "message_start",
            {
                "message": {
                    "id": "msg_1",
                    "type": "message",
                    "role": "assistant",
                    "model": "claude-x",
                    "content": [],
                    "stop_reason": None,
                    "stop_sequence": None,
                    "usage": {
                        "input_tokens": 12,
                        "cache_creation_input_tokens": 0,
                        "cache_read_input_tokens": 0,
                        "output_tokens": 1,
                    },
                }
            },
        ),
        (
            BlockStart(0, text_block()),
            "content_block_start",
            {"index": 0, "content_block": {"type": "text", "text": ""}},
        ),
        (
            BlockStart(1, thinking_block()),
            "content_block_start",
            {"index": 1, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
        ),
        (
            BlockStart(2, tool_use_block("call_1", "Bash")),
            "content_block_start",
            {
                "index": 2,
                "content_block": {"type": "tool_use", "id": "call_1", "name": "Bash", "input": {}},
            },
        ),
        (
            BlockDelta(0, text_delta("Hé\n\n")),
            "content_block_delta",
            {"index": 0, "delta": {"type": "text_delta", "text": "Hé\n\n"}},
        ),
        (
            BlockDelta(0, thinking_delta("Hm")),
            "content_block_delta",
            {"index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
        ),
        (
            BlockDelta(0, signature_delta("s")),
            "content_block_delta",
            {"index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        ),
        (
            BlockDelta(0, input_delta('{"a":')),
            "content_block_delta",
            {"index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
        ),
        (BlockStop(3), "content_block_stop", {"index": 3}),
        (
            MessageDelta(stop_reason="end_turn", tokens=Tokens(input=9, cached=4, output=2)),
            "message_delta",
            {
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {
                    "input_tokens": 5,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 4,
                    "output_tokens": 2,
                },
            },
        ),
        (MessageStop(), "message_stop", {}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | dict) else "",
)
def test_event_as_bytes(event: StreamEvent, name: str, body: dict[str, object]) -> None:
    head, data, rest = encode(event).split(b"\n", 2)

    assert head == b"event: " + name.encode()
    assert rest == b"\n"
    assert json.loads(data.removeprefix(b"data: ")) == {"type": name, **body}


def test_lone_surrogates_are_written_as_they_came() -> None:
    assert rb"\ud83d" in encode(BlockDelta(0, text_delta("\ud83d")))


def test_usage_is_without_the_cache() -> None:
    tokens = Tokens(input=100, cached=80, cache_write=8, output=20, reasoning=5)

    assert usage_of(tokens, web_searches=2) == {
        "input_tokens": 12,
        "cache_creation_input_tokens": 8,
        "cache_read_input_tokens": 80,
        "output_tokens": 20,
        "server_tool_use": {"web_search_requests": 2},
    }


def test_usage_is_never_negative() -> None:
    assert usage_of(Tokens(input=5, cached=9))["input_tokens"] == 0


def test_safeguards_are_answered_in_the_delta() -> None:
    results = ({"type": "t"},)
    event = encode(MessageDelta(stop_reason="end_turn", safeguard_results=results))

    assert json.loads(event.split(b"data: ")[1])["delta"]["safeguard_results"] == [{"type": "t"}]


@pytest.mark.parametrize("delta", [text_delta, thinking_delta, input_delta])
def test_bytes_around_a_delta_make_the_same_event(delta) -> None:
    before, after = around_delta(7, delta)

    assert before + b'"x"' + after == encode(BlockDelta(7, delta("x")))


def test_ping_is_an_event() -> None:
    assert PING == b'event: ping\ndata: {"type":"ping"}\n\n'
