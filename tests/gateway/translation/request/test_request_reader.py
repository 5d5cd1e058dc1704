"""Whole bodies in, whole upstream bodies out: the rules that concern a request as such."""

from typing import Any

import msgspec
import pytest
from support.askings import (
    HI,
    LITE,
    PIXEL,
    asked,
    assistant,
    call,
    chat_call,
    chat_tool,
    developer,
    items,
    result,
    sent,
    tool,
    user,
)

from codex_proapi.gateway.formats.codex.requests import Shape
from codex_proapi.gateway.translation.request.translated_request import (
    HistoryMode,
    RequestOptions,
)


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """A body without the names derived from its conversation."""
    return {name: value for name, value in body.items() if name != "prompt_cache_key"}


def test_a_chat_request_becomes_a_classic_one() -> None:
    body = sent(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Read a.txt"},
                {"role": "assistant", "content": None, "tool_calls": [chat_call("c1", "read")]},
                {"role": "tool", "tool_call_id": "c1", "content": "text"},
            ],
            "tools": [chat_tool("read")],
            "tool_choice": "auto",
            "parallel_tool_calls": False,
            "reasoning_effort": "high",
            "max_tokens": 100,
            "temperature": 0,
            "stream": True,
        }
    )

    assert _plain(body) == {
        "model": "gpt-5.5",
        "stream": True,
        "instructions": "",
        "input": [
            developer("Be brief."),
            user("Read a.txt"),
            call("c1", "read"),
            result("c1", "text"),
        ],
        "tools": [tool("read")],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "high"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_a_chat_request_becomes_a_lite_one_where_the_model_wants_it() -> None:
    translated = asked(
        {
            "model": LITE,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
                    ],
                },
            ],
            "tools": [chat_tool("read")],
        }
    )

    assert translated.request.shape is Shape.LITE
    assert _plain(msgspec.json.decode(translated.request.encode())) == {
        "model": LITE,
        "stream": True,
        "input": [
            {
                "type": "additional_tools",
                "id": f"at_{translated.request.session_id}",
                "role": "developer",
                "tools": [
                    {
                        "type": "namespace",
                        "name": "functions",
                        "description": "",
                        "tools": [tool("read")],
                    }
                ],
            },
            developer("Be brief."),
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_image", "image_url": PIXEL}],
            },
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"context": "all_turns", "effort": "low"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_a_responses_request_keeps_its_instructions_and_loses_what_is_not_upstreams() -> None:
    body = sent(
        {
            "instructions": "Be brief.",
            "input": [
                {"role": "system", "content": [{"type": "input_text", "text": "More."}]},
                {"type": "message", "role": "user", "content": "hi", "id": "msg_1", "status": "x"},
                {
                    "type": "message",
                    "id": "msg_123",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "hello", "annotations": []}],
                },
            ],
            "store": True,
            "truncation": "auto",
            "top_logprobs": 3,
            "max_output_tokens": 100,
            "text": {"verbosity": "low"},
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["web_search_call.action.sources"],
        },
        endpoint="responses",
    )

    assert _plain(body) == {
        "model": "gpt-5.5",
        "stream": True,
        "instructions": "Be brief.",
        "input": [developer("More."), user("hi"), assistant("hello")],
        "reasoning": {"effort": "low", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "text": {"verbosity": "low"},
    }


def test_lite_says_instructions_as_the_developer() -> None:
    body = sent(
        {"model": LITE, "instructions": "Be brief.", "input": "hi"},
        endpoint="responses",
    )

    assert "instructions" not in body
    assert body["input"] == [developer("Be brief."), user("hi")]


def test_instructions_that_are_null_become_empty() -> None:
    assert sent({"instructions": None, "input": "hi"}, endpoint="responses")["instructions"] == ""


@pytest.mark.parametrize("value", [True, False, None])
def test_upstream_always_streams_and_never_stores(value: bool | None) -> None:
    translated = asked({"input": "hi", "stream": value, "store": value}, endpoint="responses")
    body = translated.request.body()

    assert (body["stream"], body["store"]) == (True, False)
    assert translated.stream is (value is True)


def test_what_was_left_out_is_named() -> None:
    translated = asked(
        {
            "messages": [HI],
            "max_tokens": 5,
            "temperature": 1,
            "user": "u",
            "metadata": {"a": "b"},
            "x y": 1,
            "seed": None,
            "n": 1,
            "include": ["message.output_text.logprobs", "reasoning.encrypted_content", 7],
        }
    )

    assert translated.dropped == (
        "max_tokens",
        "temperature",
        "user",
        "metadata",
        "unknown",
        "include.message.output_text.logprobs",
    )


def test_what_only_names_its_items_waits_for_them() -> None:
    translated = asked(
        {"input": [{"type": "item_reference", "id": "msg_1"}], "previous_response_id": "resp_1"},
        endpoint="responses",
    )

    assert translated.unresolved
    assert (translated.previous_response_id, translated.references) == ("resp_1", ("msg_1",))
    assert translated.history == ()


def test_a_previous_response_alone_is_enough_to_go_on() -> None:
    assert asked({"previous_response_id": "resp_1"}, endpoint="responses").unresolved


def test_an_object_asked_for_without_the_word_is_asked_for_in_words() -> None:
    form = {"type": "json_object"}

    assert items(HI, response_format=form) == [
        developer("Answer with one JSON object."),
        user("hi"),
    ]
    assert items({"role": "user", "content": "some Json"}, response_format=form) == [
        user("some Json")
    ]


def test_a_transcript_is_sent_where_settings_want_one() -> None:
    options = RequestOptions(history_mode=HistoryMode.TRANSCRIPT)
    translated = asked(
        {"messages": [{"role": "system", "content": "S"}, HI], "tools": [chat_tool("f")]},
        options=options,
    )

    assert list(translated.request.input) == [user("System: S\nUser: hi")]
    assert list(translated.history) == [developer("S"), user("hi")]
    assert [t.name for t in translated.request.tools] == ["f"]
