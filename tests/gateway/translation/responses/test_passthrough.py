"""For Codex itself: the bytes untouched, but for two repairs."""

import json
from typing import Any

import pytest
from hypothesis import given
from support import answers
from support import upstream_says as says
from support.playbook import (
    in_pieces,
    messages,
    pumped,
    sse,
    transcript,
    truncated_at_every_byte,
)

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import Malformed, Truncated, UpstreamRefused, UpstreamSlow
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.passthrough import ResponsesPassthrough

STREAM = transcript("text_reasoning_tool")
END = STREAM.index(b"event: response.completed")


def translator(**options: Any) -> ResponsesPassthrough:
    return ResponsesPassthrough(ResponseOptions(**options), response_id="resp_ours", created=7)


def test_every_byte_passes_and_the_output_is_put_into_the_end() -> None:
    answer = translator(keep_response=True)
    out = answer.feed(STREAM)
    (given,), (end,) = messages(STREAM[END:]), messages(out[END:])

    assert out[:END] == STREAM[:END]
    assert [item["id"] for item in end["response"].pop("output")] == ["rs_1", "msg_1", "fc_1"]
    del given["response"]["output"]
    assert end == given
    kept = json.loads(answer.report.response)
    assert [item["id"] for item in kept.pop("output")] == ["rs_1", "msg_1", "fc_1"]
    assert kept == end["response"]
    assert answer.report.tokens == Tokens(
        input=7378, cached=7168, cache_write=128, output=64, reasoning=32
    )
    assert answer.report.ending is Ending.WHOLE


@pytest.mark.parametrize(
    "bodies",
    [
        (says.created(), says.text("Hi"), says.completed(says.message("Hi"))),
        (says.created(), {"type": "brand.new"}, says.incomplete()),
        (
            says.created(),
            {"type": "codex.response.metadata", "headers": {"a": "b"}},
            says.completed(),
        ),
    ],
)
def test_a_stream_that_needs_no_repair_passes_to_the_byte(bodies: tuple[says.Body, ...]) -> None:
    stream = b": comment\n\n" + sse(*bodies, named=False)
    answer = translator(keep_response=True)

    assert answer.feed(stream) == stream
    assert answer.done


def test_blank_lines_between_events_are_dropped_and_comments_pass() -> None:
    whole = sse(says.created(), says.text("Hi"), says.completed(says.message("Hi")))
    spread = whole.replace(b"\n\n", b"\n\n\n\n: comment\n\n\n\n", 1)

    assert translator().feed(spread) == whole.replace(b"\n\n", b"\n\n: comment\n\n", 1)


@pytest.mark.parametrize("own_quota", [False, True])
def test_vendor_events_reach_the_report_and_codex_unless_its_key_has_a_quota_of_its_own(
    *, own_quota: bool
) -> None:
    quota, metadata = (
        sse(says.rate_limits()),
        sse({"type": "response.metadata", "headers": {"A": "b"}}),
    )
    answer = translator(own_quota=own_quota)
    out = answer.feed(quota + metadata)

    assert out == (metadata if own_quota else quota + metadata)
    assert answer.report.quota is not None
    assert answer.report.metadata == {"a": "b"}


def test_what_cannot_be_read_passes_and_is_counted() -> None:
    bad = b'event: response.output_item.done\ndata: {"item":\n\n' + b'data: {"type":5}\n\n'
    answer = translator()

    assert answer.feed(bad) == bad
    assert answer.report.malformed_events == 2


def test_the_sample_stream_is_the_same_at_every_cut() -> None:
    expected = translator().feed(STREAM)

    for cut in range(0, len(STREAM), 2):
        assert pumped(translator(), in_pieces(STREAM, cut)) == expected


def test_a_stream_cut_off_at_any_byte_has_an_honest_ending() -> None:
    whole = translator().feed(STREAM)

    for cut, out, answer in truncated_at_every_byte(translator, STREAM):
        if cut >= len(STREAM) - 2:  # only the blank line is missing, or nothing
            assert out == whole
            continue
        said, failed, error = out.rpartition(b"event: response.failed")
        assert STREAM.startswith(said)
        ending = messages(failed + error)
        assert [body["type"] for body in ending] == ["response.failed", "error"]
        assert ending[0]["response"]["error"]["code"] == "upstream_stream_truncated"
        assert ending[0]["sequence_number"] == said.count(b"data: ")
        assert answer.report.code == "upstream_stream_truncated"


@given(answers.streams(), answers.cuts)
def test_any_cut_gives_the_same_bytes(stream: bytes, cuts: list[int]) -> None:
    assert pumped(translator(), in_pieces(stream, *cuts)) == pumped(translator(), [stream])


@given(answers.streams())
def test_whatever_comes_in_the_answer_ends(stream: bytes) -> None:
    answer = translator()
    out = pumped(answer, [stream])

    assert answer.done
    assert answer.report.ending is not None
    if answer.report.ending is Ending.BROKEN:
        *_, failed, error, end = out.split(b"\n\n")
        assert b'"response.failed"' in failed
        assert error.startswith(b"event: error\n")
        assert end == b""


def test_a_failed_response_passes_and_an_error_event_follows() -> None:
    failed = sse(says.created(), says.failed("context_length_exceeded", "Too long."))
    answer = translator()
    with pytest.raises(UpstreamRefused) as caught:
        answer.feed(failed)
    out = answer.fail(caught.value)

    assert out.startswith(failed)
    (error,) = messages(out[len(failed) :])
    assert (error["type"], error["code"]) == ("error", "context_length_exceeded")
    assert answer.report.refusal is not None


def test_an_error_event_alone_becomes_a_failed_response_and_an_error() -> None:
    answer = translator()
    passed = answer.feed(sse(says.created(), says.done(says.message("x"))))
    with pytest.raises(UpstreamRefused) as caught:
        answer.feed(sse({"type": "error", "error": {"code": "slow_down", "message": "m"}}))
    failed, error = messages(answer.fail(caught.value))

    assert passed == sse(says.created(), says.done(says.message("x")))
    assert failed["response"]["id"] == "resp_1"
    assert failed["response"]["output"] == [says.message("x")]
    assert failed["response"]["error"] == {"code": "slow_down", "message": "m"}
    assert [failed["sequence_number"], error["sequence_number"]] == [2, 3]


def test_an_error_of_our_own_before_everything_has_our_id() -> None:
    answer = translator(model="asked")
    failed, error = messages(answer.fail(UpstreamSlow("No word for long.")))

    assert (failed["response"]["id"], failed["response"]["model"]) == ("resp_ours", "asked")
    assert error["code"] == "upstream_timeout"
    assert answer.feed(STREAM) == answer.finish() == answer.fail(Truncated("x")) == b""


@pytest.mark.parametrize("named", [True, False])
def test_response_done_gets_the_name_codex_reads_over_http(named: bool) -> None:
    done = {**says.completed(says.message("x")), "type": "response.done"}
    answer = translator()
    (out,) = messages(answer.feed(sse(done, named=named)))

    assert out == {"sequence_number": 0, **says.completed(says.message("x"))}


def test_tool_names_are_the_clients_own() -> None:
    answer = translator(tool_names={"short": "long/name"})
    out = messages(
        answer.feed(
            sse(
                says.added(says.call("short")),
                says.done(says.call("short", "{}")),
                says.done(says.call("other", "{}"), at=1),
                says.completed("odd", says.call("short", "{}"), says.call("other", "{}")),  # type: ignore[arg-type]
            )
        )
    )

    assert [body["item"]["name"] for body in out[:3]] == ["long/name", "long/name", "other"]
    assert out[3]["response"]["output"] == [
        "odd",
        says.call("long/name", "{}"),
        says.call("other", "{}"),
    ]


def test_items_without_an_index_stand_in_their_order() -> None:
    done = {"type": "response.output_item.done", "item": says.message("x")}
    out = messages(translator().feed(sse(done, {**done, "item": says.call("f")}, says.completed())))

    assert out[-1]["response"]["output"] == [says.message("x"), says.call("f")]


def test_an_end_of_another_shape_is_an_end() -> None:
    answer = translator()
    stream = b'data: {"type":"response.completed","response":5}\n\n'

    assert answer.feed(stream) == stream
    assert answer.done


def test_a_last_event_without_its_blank_line_passes_only_if_it_is_whole() -> None:
    for rest in (b"data: [DO", b'data: {"type":"response.comple', b"event: x", b"data: {}"):
        answer = translator()
        answer.feed(sse(says.created()) + rest)
        with pytest.raises(Truncated) as caught:
            answer.finish()
        assert rest not in answer.fail(caught.value)


def test_an_endless_line_breaks_the_answer_honestly() -> None:
    answer = translator()
    with pytest.raises(Malformed):
        answer.feed(b"x" * 20_000_000)


def test_silence_is_filled_with_events_which_codex_counts() -> None:
    (event,) = messages(translator().keep_alive)

    assert event == {"type": "keepalive"}
    assert repr(translator()) == "<ResponsesPassthrough 0 events>"


def test_a_created_event_of_another_shape_teaches_nothing() -> None:
    answer = translator()
    answer.feed(b'data: {"type":"response.created","response":5}\n\n')

    assert messages(answer.fail(Truncated("x")))[0]["response"]["id"] == "resp_ours"


def test_an_item_of_another_shape_passes_and_is_not_put_into_the_end() -> None:
    stream = b'data: {"type":"response.output_item.done","item":5}\n\n' + sse(says.completed())

    assert translator().feed(stream) == stream


def test_an_end_that_cannot_be_repaired_passes_as_it_is() -> None:
    stream = sse(says.done(says.message("x")))
    end = b'data: {"type":"response.completed","response":{"id":"resp_1"},"x":"\x00"}\n\n'

    assert translator().feed(stream + end) == stream + end


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    stream = sse(says.created(), says.text("w#rd"), says.text("é"), says.completed())

    given = translator().feed(stream.replace(b"#", b"\xff"))

    assert given == stream.replace(b"#", "\ufffd".encode())
