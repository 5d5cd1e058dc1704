"""Bytes in, bytes out: a chat stream exactly as clients want it, however the bytes are cut."""

import json

import pytest
from support import upstream_says as says
from support.chat_translators import ROLE, STREAM, USAGE, short, translator
from support.playbook import (
    deltas,
    messages,
    pumped,
    sse,
)

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import (
    EmptyAnswer,
    Malformed,
    Truncated,
    UpstreamRefused,
    UpstreamSlow,
)


def test_the_sample_stream_becomes_this_chat_stream() -> None:
    chat = translator(include_usage=True)
    out = chat.feed(STREAM)

    assert chat.done
    assert deltas(out) == [
        ROLE,
        {"reasoning_content": "**Checking the weather**"},
        {"content": "Let me"},
        {"content": " look."},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Oslo"}'}}]},
        "tool_calls",
        {
            "prompt_tokens": 7378,
            "completion_tokens": 64,
            "total_tokens": 7442,
            "prompt_tokens_details": {"cached_tokens": 7168},
            "completion_tokens_details": {"reasoning_tokens": 32},
        },
        "[DONE]",
    ]
    assert {
        (m["id"], m["object"], m["created"], m["model"]) for m in messages(out) if m != "[DONE]"
    } == {("chatcmpl-1", "chat.completion.chunk", 7, "asked-model")}


def test_the_report_tells_what_upstream_said() -> None:
    chat = translator()
    chat.feed(STREAM)
    report = chat.report

    assert report.tokens == Tokens(
        input=7378, cached=7168, cache_write=128, output=64, reasoning=32
    )
    assert (report.answered_model, report.response_id) == ("gpt-5.5", "resp_0a1b")
    assert (report.ending, report.code) == (Ending.WHOLE, "")
    assert report.unknown_events == {}


def test_deltas_of_each_kind_pass_on_the_fast_path() -> None:
    bodies = [
        says.created(),
        says.thought("a"),
        says.thought("b"),
        says.thought(""),
        says.text("c", at=1),
        says.text("dé", at=1),
        says.text("", at=1),
        says.added(says.call("f"), at=2),
        says.arguments("{", at=2),
        says.arguments("}", at=2),
        says.arguments("", at=2),
        says.completed(),
    ]

    assert [d for d in short(*bodies) if isinstance(d, dict)][1:] == [
        {"reasoning_content": "a"},
        {"reasoning_content": "b"},
        {"content": "c"},
        {"content": "dé"},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "f", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
    ]


def test_a_new_summary_part_leaves_the_fast_path() -> None:
    assert short(says.thought("a"), says.thought("b"), says.thought("c", part=1))[1:4] == [
        {"reasoning_content": "a"},
        {"reasoning_content": "b"},
        {"reasoning_content": "\n\nc"},
    ]


def test_arguments_of_a_second_call_leave_the_fast_path() -> None:
    one, two = says.call("a"), says.call("b", id_="fc_2", call_id="call_2")
    out = short(
        says.added(one),
        says.arguments("{"),
        says.added(two, at=1),
        says.arguments("[", item="fc_2", at=1),
        says.arguments("}"),
        says.done({**one, "arguments": "{}"}),
        says.arguments("]", item="fc_2", at=1),
        says.completed(),
    )

    assert [d["tool_calls"][0]["index"] for d in out if isinstance(d, dict) and "tool_calls" in d] == [
        0, 0, 0, 1, 1, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":7}\n\n',
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":null}\n\n',
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","output_index":0,\n\n',
        b'event: response.reasoning_summary_text.delta\ndata: {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":[]}\n\n',
        b"event: response.reasoning_summary_text.delta\ndata: {\n\n",
        b'event: response.function_call_arguments.delta\ndata: {"type":"response.function_call_arguments.delta","item_id":"fc_1","delta":{}}\n\n',
        b"event: response.function_call_arguments.delta\ndata: {\n\n",
    ],
)
def test_a_spoilt_delta_breaks_the_answer_honestly(data: bytes) -> None:
    before = sse(
        says.text("x"),
        says.thought("y"),
        says.added(says.call("f"), at=1),
        says.arguments("{", at=1),
    )
    chat = translator()
    with pytest.raises(Malformed) as caught:
        chat.feed(before + data)
    out = deltas(chat.fail(caught.value))

    assert {"content": "x"} in out
    assert out[-1]["error"]["code"] == "upstream_malformed"
    assert "[DONE]" not in out


def test_an_endless_line_breaks_the_answer_honestly() -> None:
    out = deltas(pumped(translator(), [sse(says.text("x")), *[b"data: " + b"x" * 10**6] * 50]))

    assert out[1] == {"content": "x"}
    assert out[-1]["error"]["code"] == "upstream_malformed"


def test_events_may_come_in_any_framing() -> None:
    bodies = (says.created(), says.text("Hi"), says.text(" there"), says.completed())
    expected = pumped(translator(), [sse(*bodies)])
    split = b"".join(
        b"data:" + json.dumps(body, indent=1).replace("\n", "\ndata: ").encode() + b"\n\n"
        for body in bodies
    )

    assert pumped(translator(), [sse(*bodies, named=False)]) == expected
    assert pumped(translator(), [sse(*bodies).replace(b"\n", b"\r\n")]) == expected
    assert pumped(translator(), [b": comment\n\n" + sse(*bodies)]) == expected
    assert pumped(translator(), [split]) == expected
    assert pumped(translator(), [sse(*bodies) + b"data: [DONE]\n\n"]) == expected


def test_half_an_emoji_passes_as_it_came() -> None:
    data = rb'{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"%b"}'
    halves = [
        b"event: response.output_text.delta\ndata: " + data % half + b"\n\n"
        for half in (b"x", rb"\ud83d", rb"\ude00")
    ]
    out = deltas(pumped(translator(), [b"".join(halves) + sse(says.completed())]))

    assert "".join(d["content"] for d in out if isinstance(d, dict)) == "x\ud83d\ude00"


def test_a_failure_in_the_stream_is_an_error_event_without_done() -> None:
    out = short(says.text("Hel"), says.failed("server_error", "Broke."))

    assert out == [
        ROLE,
        {"content": "Hel"},
        {
            "error": {
                "message": "Broke.",
                "type": "server_error",
                "param": None,
                "code": "server_error",
            }
        },
    ]


def test_a_failure_is_reported_with_its_refusal() -> None:
    chat = translator()
    with pytest.raises(UpstreamRefused) as caught:
        chat.feed(sse(says.text("Hel"), says.failed("usage_limit_reached", usage=says.USAGE)))
    chat.fail(caught.value)

    assert chat.report.ending is Ending.BROKEN
    assert chat.report.code == "usage_limit_reached"
    assert chat.report.refusal is not None
    assert chat.report.tokens is not None


def test_an_empty_answer_is_an_error() -> None:
    chat = translator()
    with pytest.raises(EmptyAnswer) as caught:
        chat.feed(sse(says.created(), says.completed()))
    chat.fail(caught.value)

    assert (chat.report.ending, chat.report.code) == (Ending.BROKEN, "upstream_empty_answer")


def test_an_error_of_our_own_ends_the_stream_in_the_same_way() -> None:
    chat = translator()
    out = chat.feed(sse(says.text("Hel"))) + chat.fail(UpstreamSlow("No word for long."))

    assert deltas(out)[-1]["error"]["code"] == "upstream_timeout"
    assert chat.feed(sse(says.text("more"))) == chat.finish() == chat.fail(Truncated("x")) == b""


def test_after_the_end_nothing_matters() -> None:
    chat = translator()
    chat.feed(sse(says.text("Hi"), says.completed()))

    assert chat.feed(b"data: {\n\n") == b""
    assert chat.feed(b"x" * 20_000_000) == b""
    assert chat.finish() == b""
    assert chat.fail(Truncated("late")) == b""
    assert chat.report.ending is Ending.WHOLE
    assert repr(chat) == "<ChatTranslator finished>"


def test_usage_comes_last_and_only_if_asked_for() -> None:
    assert short(says.text("x"), says.completed(), include_usage=True)[-2:] == [USAGE, "[DONE]"]
    assert short(says.text("x"), says.completed())[-2:] == ["stop", "[DONE]"]


@pytest.mark.parametrize("end", [[says.completed()], [says.incomplete()], [says.failed()], []])
def test_a_stop_string_ends_the_answer_whatever_upstream_does(end: list[says.Body]) -> None:
    chat = translator(stop=("END",))
    out = deltas(pumped(chat, [sse(says.text("one END two"), *end)]))

    assert out == [ROLE, {"content": "one "}, "stop", "[DONE]"]
    assert (chat.report.ending, chat.report.code) == (Ending.WHOLE, "")


def test_a_stop_string_ends_the_answer_though_the_connection_breaks() -> None:
    chat = translator(stop=("END",))
    out = deltas(chat.feed(sse(says.text("one END two"))) + chat.fail(Truncated("It broke off.")))

    assert out == [ROLE, {"content": "one "}, "stop", "[DONE]"]
    assert chat.report.ending is Ending.BROKEN


def test_a_short_answer_is_reported_as_short() -> None:
    chat = translator()
    out = deltas(chat.feed(sse(says.text("x"), says.incomplete())))

    assert out[-2:] == ["length", "[DONE]"]
    assert (chat.report.ending, chat.report.code) == (Ending.SHORT, "max_output_tokens")


def test_custom_and_legacy_calls_pass_in_their_own_form() -> None:
    patch = (
        says.added(says.custom("patch")),
        says.input_("*"),
        says.input_("**"),
        says.done(says.custom("patch", "***")),
        says.completed(),
    )
    legacy = (
        says.added(says.call("f")),
        says.arguments("{"),
        says.arguments("}"),
        says.completed(),
    )

    assert short(*patch, custom_tools=frozenset({"patch"}))[1:4] == [
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_1",
                    "type": "custom",
                    "custom": {"name": "patch", "input": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "custom": {"input": "*"}}]},
        {"tool_calls": [{"index": 0, "custom": {"input": "**"}}]},
    ]
    assert short(*legacy, legacy_functions=True)[1:5] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{"}},
        {"function_call": {"arguments": "}"}},
        "function_call",
    ]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_bytes_that_are_no_utf8_are_replaced_and_the_answer_is_whole(fast: bool, cut: int) -> None:
    before = [says.text("x")] if fast else []
    stream = sse(*before, says.text("w#rd"), says.text("é"), says.completed())
    stream = stream.replace(b"w#rd", b"w\xff\xc3rd")
    chat = translator()

    out = deltas(b"".join(map(chat.feed, pieces(stream, cut))))

    text = "".join(each.get("content", "") for each in out if isinstance(each, dict))
    assert text == ("x" if fast else "") + "w\ufffd\ufffdrdé"
    assert chat.report.ending is Ending.WHOLE


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]
