"""One completion out of one stream: what a client would have put together itself."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from support import answers
from support import upstream_says as says
from support.playbook import in_pieces, messages, pumped, sse, transcript

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import (
    EmptyAnswer,
    GatewayError,
    Malformed,
    Truncated,
    UpstreamRefused,
)
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.translation.chat.aggregator import ChatAggregator, Folded
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.translator import ChatTranslator

STREAM = transcript("text_reasoning_tool")


def fold(**options: Any) -> ChatAggregator:
    return ChatAggregator(
        ChatOptions(**options), completion_id="chatcmpl-1", created=7, model="asked"
    )


def folded(*bodies: says.Body, **options: Any) -> Any:
    chat = fold(**options)
    chat.feed(sse(*bodies))
    return json.loads(chat.finish())["choices"][0]


def test_the_sample_stream_becomes_this_completion() -> None:
    chat = fold()

    assert chat.feed(STREAM) == b""
    assert chat.done
    assert json.loads(chat.finish()) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "asked",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Let me look.",
                    "refusal": None,
                    "annotations": [],
                    "reasoning_content": "**Checking the weather**",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
                        }
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 7378,
            "completion_tokens": 64,
            "total_tokens": 7442,
            "prompt_tokens_details": {"cached_tokens": 7168},
            "completion_tokens_details": {"reasoning_tokens": 32},
        },
    }


def test_all_parts_are_joined_and_an_answer_without_text_has_null_content() -> None:
    assert folded(says.done(says.message("Hel", "lo")), says.completed())["message"] == {
        "role": "assistant",
        "content": "Hello",
        "refusal": None,
        "annotations": [],
    }
    assert folded(says.done(says.call("f", "{}")), says.completed())["message"]["content"] is None


def test_citations_are_annotations() -> None:
    cited = {
        "type": "url_citation",
        "url": "https://a.example",
        "title": "A",
        "start_index": 0,
        "end_index": 1,
    }

    assert folded(says.done(says.message("x", annotations=(cited,))), says.completed())["message"][
        "annotations"
    ] == [
        {
            "type": "url_citation",
            "url_citation": {
                "url": "https://a.example",
                "title": "A",
                "start_index": 0,
                "end_index": 1,
            },
        }
    ]


def test_a_refusal_stands_where_whom_asked_will_look() -> None:
    bodies = (says.refusal("No."), says.completed())

    assert folded(*bodies)["message"]["content"] == "No."
    assert folded(*bodies, refusal_as_refusal=True)["message"]["refusal"] == "No."


def test_a_custom_call_and_a_legacy_call_have_their_own_form() -> None:
    patch = folded(
        says.done(says.custom("patch", "*")),
        says.completed(),
        custom_tools=frozenset({"patch"}),
    )
    legacy = folded(
        says.done(says.call("f", "{}")),
        says.done(says.call("g", "{}", id_="fc_2"), at=1),
        says.completed(),
        legacy_functions=True,
    )

    assert patch["message"]["tool_calls"] == [
        {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "*"}}
    ]
    assert legacy["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in legacy["message"]
    assert legacy["finish_reason"] == "function_call"


def test_a_cut_answer_is_short_and_no_error() -> None:
    chat = fold()
    chat.feed(sse(says.text("Hel"), says.incomplete()))

    assert json.loads(chat.finish())["choices"][0]["finish_reason"] == "length"
    assert (chat.report.ending, chat.report.code) == (Ending.SHORT, "max_output_tokens")


def test_a_stop_string_cuts_it_whatever_upstream_does_after() -> None:
    for end in ([says.completed()], [says.failed()], []):
        chat = fold(stop=("END",))
        chat.feed(sse(says.text("one END two"), *end))
        choice = json.loads(chat.finish())["choices"][0]

        assert (choice["message"]["content"], choice["finish_reason"]) == ("one ", "stop")
        assert chat.report.ending is Ending.WHOLE


def test_failures_are_raised() -> None:
    with pytest.raises(UpstreamRefused):
        fold().feed(sse(says.text("x"), says.failed()))
    with pytest.raises(EmptyAnswer):
        fold().feed(sse(says.created(), says.completed()))
    with pytest.raises(Malformed):
        fold().feed(b"x" * 20_000_000)
    with pytest.raises(Malformed):
        fold().feed(b'data: {"type\n\n')
    with pytest.raises(Truncated):
        fold().finish()


def test_an_error_of_our_own_is_raised_again_and_reported() -> None:
    chat = fold()
    chat.feed(sse(says.text("x")))

    with pytest.raises(Truncated):
        chat.fail(Truncated("Gone."))
    assert chat.done
    assert (chat.report.ending, chat.report.code) == (Ending.BROKEN, "upstream_stream_truncated")
    assert chat.feed(sse(says.completed())) == b""


def test_a_stream_cut_off_at_any_byte_is_an_error() -> None:
    for cut in range(len(STREAM) - 2):
        chat = fold()
        chat.feed(STREAM[:cut])
        with pytest.raises(Truncated):
            chat.finish()


def test_only_the_last_blank_line_may_be_missing() -> None:
    chat = fold()
    chat.feed(STREAM[:-2])

    assert not chat.done
    assert json.loads(chat.finish())["choices"][0]["finish_reason"] == "tool_calls"
    assert repr(chat) == "<ChatAggregator finished>"


def put_together(stream: bytes) -> Any:
    """What a client makes of a chat stream."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "refusal": ""}
    calls: list[dict[str, Any]] = []
    reason = usage = None
    for chunk in messages(stream)[:-1]:
        if not chunk["choices"]:
            usage = chunk["usage"]
            continue
        delta = chunk["choices"][0]["delta"]
        reason = chunk["choices"][0]["finish_reason"] or reason
        for field in message:
            message[field] += delta.get(field) or ""
        for piece in delta.get("tool_calls", []):
            if piece["index"] == len(calls):
                calls.append({**piece, "function": dict(piece["function"])})
            else:
                calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    tools = [{name: call[name] for name in ("id", "type", "function")} for call in calls]
    return message, tools, reason, usage


def finished(chat: ChatAggregator, pieces: Iterable[bytes]) -> Any:
    for piece in pieces:
        chat.feed(piece)
    return json.loads(chat.finish())


@given(answers.answers(), answers.cuts)
def test_a_stream_folded_is_the_answer_without_a_stream(
    bodies: list[says.Body], cuts: list[int]
) -> None:
    stream = answers.encoded(bodies)
    chat = ChatTranslator(
        ChatOptions(include_usage=True), completion_id="chatcmpl-1", created=7, model="asked"
    )
    whole = fold()
    streamed = pumped(chat, [stream])
    failed = json.loads(streamed.rpartition(b"data: ")[2]) if b"[DONE]" not in streamed else None
    if failed:
        with pytest.raises(GatewayError) as caught:
            finished(whole, in_pieces(stream, *cuts))
        assert caught.value.code == failed["error"]["code"]
        return

    body = finished(whole, in_pieces(stream, *cuts))
    message = body["choices"][0]["message"]
    content, tools, reason, usage = put_together(streamed)
    assert {name: message.get(name) or "" for name in content} == content
    assert message.get("tool_calls", []) == tools
    assert (body["choices"][0]["finish_reason"], body["usage"]) == (reason, usage)
    assert whole.report == chat.report


def test_its_pieces_show_their_number_and_not_their_words() -> None:
    pieces = Folded()
    pieces.add(ChatChunk(content="secret", finish_reason="stop"))

    assert repr(pieces) == "<Folded 0 calls stop>"
