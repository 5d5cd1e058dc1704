"""Bytes in, bytes out: a Responses stream for everybody but Codex, however the bytes are cut."""

import json
from typing import Any

import openai
import pytest
from hypothesis import given
from support import answers, sdk_clients
from support import upstream_says as says
from support.playbook import (
    in_pieces,
    messages,
    pumped,
    sse,
    transcript,
    truncated_at_every_byte,
)

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import (
    EmptyAnswer,
    Malformed,
    Truncated,
    UpstreamRefused,
    UpstreamSlow,
)
from codex_proapi.gateway.formats.openai.responses import PUBLIC_EVENTS
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator

STREAM = transcript("text_reasoning_tool")


def translator(**options: Any) -> ResponsesTranslator:
    return ResponsesTranslator(ResponseOptions(**options), response_id="resp_ours", created=7)


def told(*bodies: says.Body, **options: Any) -> list[Any]:
    return messages(pumped(translator(**options), [sse(*bodies)]))


def kinds(out: list[Any]) -> list[str]:
    return [body["type"].removeprefix("response.") for body in out]


def test_the_sample_stream_passes_whole_with_its_output_rebuilt() -> None:
    answer = translator(model="asked")
    out = messages(answer.feed(STREAM))
    given = messages(STREAM)

    assert answer.done
    assert kinds(out) == kinds(given)
    assert out[6:8] == given[6:8]
    assert [item["type"] for item in out[-1]["response"]["output"]] == [
        "reasoning",
        "message",
        "function_call",
    ]
    assert {body["response"]["model"] for body in out if "response" in body} == {"asked"}
    assert out[-1]["response"]["usage"] == given[-1]["response"]["usage"]


def test_the_report_tells_what_upstream_said() -> None:
    answer = translator(keep_response=True)
    answer.feed(STREAM)
    report = answer.report

    assert report.tokens == Tokens(
        input=7378, cached=7168, cache_write=128, output=64, reasoning=32
    )
    assert (report.answered_model, report.response_id) == ("gpt-5.5", "resp_0a1b")
    assert (report.ending, report.code) == (Ending.WHOLE, "")
    assert [item["id"] for item in answer.response["output"]] == ["rs_1", "msg_1", "fc_1"]
    assert report.response == write(answer.response)


def test_the_sample_stream_is_the_same_at_every_cut_and_byte_by_byte() -> None:
    expected = translator().feed(STREAM)

    for cut in range(0, len(STREAM), 2):
        assert pumped(translator(), in_pieces(STREAM, cut)) == expected
    assert pumped(translator(), [STREAM[i : i + 1] for i in range(len(STREAM))]) == expected


def test_a_stream_cut_off_at_any_byte_has_an_honest_ending() -> None:
    whole = translator().feed(STREAM)

    for cut, out, answer in truncated_at_every_byte(translator, STREAM):
        if cut >= len(STREAM) - 2:  # only the blank line is missing, or nothing
            assert out == whole
            continue
        said, failed, error = out.rpartition(b"event: response.failed")
        assert whole.startswith(said) or cut < STREAM.index(b"\n\n")
        ending = messages(failed + error)
        assert kinds(ending) == ["failed", "error"]
        assert ending[0]["response"]["error"]["code"] == "upstream_stream_truncated"
        assert ending[1]["error"]["code"] == ending[1]["code"] == "upstream_stream_truncated"
        assert answer.report.ending is Ending.BROKEN
        assert numbered(messages(out))


def numbered(out: list[Any]) -> bool:
    return [body["sequence_number"] for body in out] == list(range(len(out)))


@given(answers.streams(), answers.cuts)
def test_any_cut_gives_the_same_bytes(stream: bytes, cuts: list[int]) -> None:
    assert pumped(translator(), in_pieces(stream, *cuts)) == pumped(translator(), [stream])


@given(answers.answers())
def test_the_fast_path_says_what_the_slow_path_says(bodies: list[says.Body]) -> None:
    stream = answers.encoded(bodies)
    fast, slow = translator(keep_response=True), translator(keep_response=True)

    assert messages(pumped(fast, [stream])) == messages(pumped(slow, [answers.unnamed(stream)]))
    kept, expected = [json.loads(each.report.response or b"0") for each in (fast, slow)]
    fast.report.response = slow.report.response = b""
    assert kept == expected
    assert fast.report == slow.report


@given(answers.streams())
def test_whatever_comes_in_a_strict_helper_can_follow(stream: bytes) -> None:
    answer = translator()
    out = messages(pumped(answer, [stream]))

    assert numbered(out)
    assert {body["type"] for body in out} <= PUBLIC_EVENTS
    assert out[0]["type"] == "response.created"
    assert kinds(out).count("created") == 1
    assert follow(out) in ("completed", "incomplete", "failed")
    if kinds(out)[-1] == "error":
        assert kinds(out)[-2] == "failed"
        assert answer.report.ending is Ending.BROKEN
    else:
        assert answer.report.ending in (Ending.WHOLE, Ending.SHORT)


def follow(out: list[Any]) -> str:
    """Put the answer together as the SDKs' helpers do, which throw at whatever is missing."""
    output: list[Any] = []
    for body in out:
        match body["type"]:
            case "response.output_item.added":
                output += [None] * (body["output_index"] + 1 - len(output))
                output[body["output_index"]] = body["item"]
            case "response.content_part.added":
                content = output[body["output_index"]].setdefault("content", [])
                content += [None] * (body["content_index"] + 1 - len(content))
                content[body["content_index"]] = body["part"]
            case "response.output_text.delta":
                part = output[body["output_index"]]["content"][body["content_index"]]
                part["text"] += body["delta"]
            case "response.function_call_arguments.delta":
                output[body["output_index"]]["arguments"] += body["delta"]
            case "response.completed" | "response.incomplete" | "response.failed":
                assert all(item["id"] for item in body["response"]["output"])
                return str(body["response"]["status"])
            case _:
                pass
    return ""


def test_a_delta_that_names_no_item_is_never_told_of_one_of_another_type() -> None:
    nameless = {"type": "response.function_call_arguments.delta", "item_id": "?", "delta": "{}"}
    out = told(
        says.created(),
        says.added(says.reasoning()),
        nameless,
        says.done(says.call("f", "{}"), at=1),
        says.completed(),
    )

    assert follow(out) == "completed"
    assert kinds(out).count("function_call_arguments.delta") == 1


def test_deltas_pass_as_the_bytes_they_came_in() -> None:
    odd = b'event: response.output_text.delta\ndata: { "type":"response.output_text.delta", "logprobs":[],"sequence_number":%d,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"\\u00e9"}\n\n'
    answer = translator()
    answer.feed(sse(says.created(), says.text("x")))

    assert answer.feed(odd % 4) == odd % 4
    assert answer.feed(odd % 99) == odd % 5, "renumbered"


def test_a_number_that_cannot_be_found_is_written_anew() -> None:
    answer = translator()
    answer.feed(sse(says.created(), says.text("x")))
    body = json.dumps({**says.text("y"), "sequence_number": 77}).replace('"seq', '"\\u0073eq')
    spaced = says.text("y") | {"sequence_number": 77}

    for data in (body, json.dumps(spaced)):
        (out,) = messages(
            answer.feed(b"event: response.output_text.delta\ndata: " + data.encode() + b"\n\n")
        )
        assert out["delta"] == "y"
        assert out["sequence_number"] in (4, 5)


def test_events_left_out_leave_no_gap_in_the_numbers() -> None:
    out = told(
        says.rate_limits(),
        says.created(),
        says.text("a"),
        {"type": "keepalive"},
        says.text("b"),
        says.thought("c", at=1),
        says.thought("d", at=1),
        says.added(says.call("f"), at=2),
        says.arguments("{", at=2),
        says.arguments("}", at=2),
        says.added(says.custom("p"), at=3),
        says.input_("*", at=3),
        says.input_("*", at=3),
        says.completed(),
    )

    assert numbered(out)
    assert [body["delta"] for body in out if "delta" in body] == list("abcd{}**")


@pytest.mark.parametrize(
    "bad", [b'"delta":7', b'"delta":null', b'"delta":', b'"delta":"x","x":"\x00"']
)
def test_a_spoilt_delta_breaks_the_answer_honestly(bad: bytes) -> None:
    answer = translator()
    data = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":4,"logprobs":[],"item_id":"msg_1","output_index":0,"content_index":0,%b}\n\n'
    with pytest.raises(Malformed) as caught:
        answer.feed(sse(says.created(), says.text("é")) + data % b'"delta":"\xc3\xa9"' + data % bad)
    out = messages(answer.fail(caught.value))

    assert [body["delta"] for body in out if "delta" in body] == ["é", "é"]
    assert kinds(out)[-2:] == ["failed", "error"]
    assert out[-1]["code"] == "upstream_malformed"
    assert numbered(out)


def test_an_endless_line_breaks_the_answer_honestly() -> None:
    out = messages(pumped(translator(), [sse(says.text("x")), *[b"data: " + b"x" * 10**6] * 50]))

    assert out[-1]["code"] == "upstream_malformed"


def test_events_may_come_in_any_framing() -> None:
    bodies = (says.created(), says.text("Hi"), says.text(" there"), says.completed())
    expected = told(*bodies)

    assert messages(pumped(translator(), [sse(*bodies, named=False)])) == expected
    assert messages(pumped(translator(), [sse(*bodies).replace(b"\n", b"\r\n")])) == expected
    assert messages(pumped(translator(), [b": comment\n\n" + sse(*bodies)])) == expected
    assert messages(pumped(translator(), [b"data: ping\n\ndata: 5\n\n" + sse(*bodies)])) == expected
    nameless = sse(*bodies).replace(b'"type": "response.', b'"x": "response.')
    assert [b["type"] for b in messages(pumped(translator(), [nameless]))] == [
        b["type"] for b in expected
    ]


@pytest.mark.parametrize(
    ("status", "kind"), [("completed", "completed"), ("incomplete", "incomplete")]
)
def test_response_done_gets_its_public_name(status: str, kind: str) -> None:
    end = {"type": "response.done", "response": {"id": "resp_1", "status": status}}

    assert kinds(told(says.created(), says.text("x"), end))[-1] == kind


def test_a_failure_is_told_as_response_failed_then_error() -> None:
    out = told(
        says.created(),
        says.text("Hel"),
        says.failed("rate_limit_exceeded", "Please try again in 1.5s.", usage=says.USAGE),
    )

    assert kinds(out)[-2:] == ["failed", "error"]
    assert out[-2]["response"]["error"] == {
        "code": "rate_limit_exceeded",
        "message": "Please try again in 1.5s.",
    }
    assert out[-2]["response"]["usage"] == says.USAGE
    assert out[-1] == {
        "type": "error",
        "sequence_number": len(out) - 1,
        "code": "rate_limit_exceeded",
        "message": "Please try again in 1.5s.",
        "param": None,
        "error": {
            "message": "Please try again in 1.5s.",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        },
    }


def test_an_error_event_alone_is_told_as_both() -> None:
    answer = translator()
    with pytest.raises(UpstreamRefused) as caught:
        answer.feed(sse(says.created(), {"type": "error", "code": "server_error", "message": "m"}))

    assert kinds(messages(answer.fail(caught.value))) == ["created", "failed", "error"]
    assert (answer.report.ending, answer.report.code) == (Ending.BROKEN, "server_error")


def test_an_error_of_our_own_before_everything_is_begun_first() -> None:
    answer = translator()
    out = messages(answer.fail(UpstreamSlow("No word for long.")))

    assert kinds(out) == ["created", "failed", "error"]
    assert numbered(out)
    assert answer.feed(sse(says.created())) == answer.finish() == answer.fail(Truncated("x")) == b""
    assert answer.report.code == "upstream_timeout"


def test_an_empty_answer_is_an_error() -> None:
    answer = translator()
    with pytest.raises(EmptyAnswer):
        answer.feed(sse(says.created(), says.completed()))


def test_after_the_end_nothing_matters() -> None:
    answer = translator()
    answer.feed(sse(says.text("Hi"), says.completed()) + b"data: {\n\n")

    assert answer.feed(b"data: {\n\n") == answer.finish() == answer.fail(Truncated("late")) == b""
    assert answer.report.ending is Ending.WHOLE
    assert repr(answer) == "<ResponsesTranslator finished>"


def test_the_id_the_client_knows_is_the_one_reported() -> None:
    answer = translator()
    answer.feed(sse(says.text("Hi"), says.completed()))

    assert answer.report.response_id == answer.response["id"] == "resp_ours"


def test_an_unreadable_field_nobody_needs_breaks_it_all_the_same() -> None:
    data = b'data: {"type":"response.created","x":"\x00"}\n\n'

    with pytest.raises(Malformed):
        translator().feed(data)


@pytest.mark.parametrize(
    ("bodies", "types"),
    [
        ((says.text("Hi"), says.done(says.message("Hi"))), ["message"]),
        ((says.text_done("Hi"),), ["message"]),
        (
            (says.done(says.reasoning("Hm")), says.done(says.call("f", "{}"), at=1)),
            ["reasoning", "function_call"],
        ),
        ((says.completed(says.message("Hi"), says.call("f", "{}")),), ["message", "function_call"]),
    ],
)
def test_the_official_helper_puts_the_answer_together(
    bodies: tuple[says.Body, ...], types: list[str]
) -> None:
    stream = pumped(translator(), [sse(*bodies, says.completed())])

    with sdk_clients.client(stream).responses.stream(model="m", input="x") as helper:
        response = helper.get_final_response()

    assert [item.type for item in response.output] == types
    assert response.output_text == ("Hi" if "message" in types else "")
    assert response.usage is not None
    assert response.usage.total_tokens == 120


def test_the_official_sdk_raises_at_a_failure() -> None:
    stream = pumped(translator(), [sse(says.text("x"), says.failed("server_error", "Broke."))])

    with (
        pytest.raises(openai.APIError, match="Broke"),
        sdk_clients.client(stream).responses.stream(model="m", input="x") as helper,
    ):
        helper.until_done()


@pytest.mark.parametrize("name", ["x", "delta"])
def test_bytes_that_are_no_utf8_are_replaced_and_the_answer_is_whole(name: str) -> None:
    spoilt = sse({**says.text("ab"), name: "w#rd"}).replace(b"#", b"\xff")
    answer = translator()

    out = messages(answer.feed(sse(says.text("é")) + spoilt + sse(says.completed())))

    assert any(body.get(name) == "w\ufffdrd" for body in out)
    assert kinds(out)[-1] == "completed"
    assert numbered(out)
