"""Chat chunks as bytes, exactly as clients want them."""

import json

import pytest
from support.playbook import messages

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.codex.items import Citation
from codex_proapi.gateway.formats.openai.chat_chunks import (
    CUSTOM,
    LEGACY,
    CallDelta,
    ChatChunk,
    ChunkEncoder,
    completion,
    whole_call,
)

ENCODER = ChunkEncoder(completion_id="chatcmpl-1", created=7, model='gpt "5"')
CITATION = Citation("url_citation", "https://a.example", None, 1, 2)


def test_a_chunk_is_one_line_with_all_fields() -> None:
    assert ENCODER.encode(ChatChunk(role="assistant", content="")) == (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,'
        b'"model":"gpt \\"5\\"","choices":[{"index":0,"delta":{"role":"assistant","content":""},'
        b'"logprobs":null,"finish_reason":null}]}\n\n'
    )


@pytest.mark.parametrize(
    ("chunk", "delta"),
    [
        (ChatChunk(content="é\n"), {"content": "é\n"}),
        (ChatChunk(content="\ud83d"), {"content": "\ud83d"}),
        (ChatChunk(reasoning="Hm"), {"reasoning_content": "Hm"}),
        (ChatChunk(refusal="No"), {"refusal": "No"}),
        (
            ChatChunk(citations=(CITATION,)),
            {
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "url": "https://a.example",
                            "title": "",
                            "start_index": 1,
                            "end_index": 2,
                        },
                    }
                ]
            },
        ),
        (
            ChatChunk(call=CallDelta(index=1, id="call_1", name="f")),
            {
                "tool_calls": [
                    {
                        "index": 1,
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": ""},
                    }
                ]
            },
        ),
        (
            ChatChunk(call=CallDelta(index=1, text='{"a":')),
            {"tool_calls": [{"index": 1, "function": {"arguments": '{"a":'}}]},
        ),
        (
            ChatChunk(call=CallDelta(form=CUSTOM, id="call_1", name="p", text="*")),
            {
                "tool_calls": [
                    {
                        "index": 0,
                        "id": "call_1",
                        "type": "custom",
                        "custom": {"name": "p", "input": "*"},
                    }
                ]
            },
        ),
        (
            ChatChunk(call=CallDelta(form=CUSTOM, text="*")),
            {"tool_calls": [{"index": 0, "custom": {"input": "*"}}]},
        ),
        (
            ChatChunk(call=CallDelta(form=LEGACY, id="call_1", name="f")),
            {"function_call": {"name": "f", "arguments": ""}},
        ),
        (ChatChunk(call=CallDelta(form=LEGACY, text="{}")), {"function_call": {"arguments": "{}"}}),
    ],
)
def test_each_kind_of_chunk_has_its_delta(chunk: ChatChunk, delta: object) -> None:
    (message,) = messages(ENCODER.encode(chunk))

    assert message["choices"] == [
        {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    ]


def test_the_finish_reason_comes_with_an_empty_delta() -> None:
    (message,) = messages(ENCODER.encode(ChatChunk(finish_reason="tool_calls")))

    assert message["choices"] == [
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "tool_calls"}
    ]


def test_usage_has_a_chunk_without_choices_and_every_count() -> None:
    tokens = Tokens(input=10, cached=8, output=5, reasoning=2)
    (message,) = messages(ENCODER.encode(ChatChunk(usage=tokens)))

    assert message["choices"] == []
    assert message["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


@pytest.mark.parametrize(
    ("around", "chunk"),
    [
        (ENCODER.around("content"), ChatChunk(content="x")),
        (ENCODER.around("reasoning_content"), ChatChunk(reasoning="x")),
        (ENCODER.around_call(CallDelta(index=2)), ChatChunk(call=CallDelta(index=2, text="x"))),
        (
            ENCODER.around_call(CallDelta(form=CUSTOM)),
            ChatChunk(call=CallDelta(form=CUSTOM, text="x")),
        ),
        (
            ENCODER.around_call(CallDelta(form=LEGACY)),
            ChatChunk(call=CallDelta(form=LEGACY, text="x")),
        ),
    ],
)
def test_a_string_between_the_shared_bytes_is_the_same_chunk(
    around: tuple[bytes, bytes], chunk: ChatChunk
) -> None:
    before, after = around

    assert before + b'"x"' + after == ENCODER.encode(chunk)


def test_a_completion_is_one_body() -> None:
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [whole_call("function", id_="c", name="f", text="{}")],
    }
    body = completion(
        completion_id="chatcmpl-1",
        created=7,
        model="m",
        message=message,
        finish_reason="tool_calls",
        tokens=Tokens(input=1, output=2),
    )

    assert json.loads(body) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "c",
                            "type": "function",
                            "function": {"name": "f", "arguments": "{}"},
                        }
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
