"""One response out of one stream: the one its last event would have held."""

import json
from typing import Any

import pytest
from hypothesis import given
from support import answers
from support import upstream_says as says
from support.playbook import in_pieces, messages, pumped, sse, transcript

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import EmptyAnswer, GatewayError, Truncated, UpstreamRefused
from codex_proapi.gateway.translation.responses.aggregator import ResponsesAggregator
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator

STREAM = transcript("text_reasoning_tool")


def fold(**options: Any) -> ResponsesAggregator:
    return ResponsesAggregator(ResponseOptions(**options), response_id="resp_ours", created=7)


def translator(**options: Any) -> ResponsesTranslator:
    return ResponsesTranslator(ResponseOptions(**options), response_id="resp_ours", created=7)


def finished(answer: ResponsesAggregator, pieces: Any) -> Any:
    for piece in pieces:
        assert answer.feed(piece) == b""
    return json.loads(answer.finish())


def test_the_sample_stream_becomes_the_response_of_its_last_event() -> None:
    answer = fold(model="asked", keep_response=True)
    body = finished(answer, [STREAM])

    assert answer.done
    assert body == messages(translator(model="asked").feed(STREAM))[-1]["response"]
    assert [item["type"] for item in body["output"]] == ["reasoning", "message", "function_call"]
    assert (body["status"], body["model"]) == ("completed", "asked")
    assert json.loads(answer.report.response) == body
    assert answer.report.ending is Ending.WHOLE


@given(answers.answers(), answers.cuts)
def test_a_stream_folded_is_the_answer_without_a_stream(
    bodies: list[says.Body], cuts: list[int]
) -> None:
    stream = answers.encoded(bodies)
    streamed, whole = translator(), fold()
    last = messages(pumped(streamed, [stream]))[-1]

    if last["type"] == "error":
        with pytest.raises(GatewayError) as caught:
            finished(whole, in_pieces(stream, *cuts))
        assert caught.value.code == last["code"]
    else:
        assert finished(whole, in_pieces(stream, *cuts)) == last["response"]
        assert whole.report == streamed.report


def test_a_cut_answer_is_incomplete_and_no_error() -> None:
    body = finished(fold(), [sse(says.done(says.message("Hel")), says.incomplete())])

    assert (body["status"], body["incomplete_details"]["reason"]) == (
        "incomplete",
        "max_output_tokens",
    )


def test_a_compaction_has_a_form_of_its_own() -> None:
    item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAA"}
    body = finished(fold(compact=True), [sse(says.created(), says.done(item), says.completed())])

    assert body == {
        "id": "resp_1",
        "created_at": 7,
        "output": [item],
        "usage": says.USAGE,
        "object": "response.compaction",
    }


def test_failures_are_raised() -> None:
    with pytest.raises(UpstreamRefused):
        fold().feed(sse(says.text("x"), says.failed()))
    with pytest.raises(EmptyAnswer):
        fold().feed(sse(says.created(), says.completed()))
    with pytest.raises(Truncated):
        finished(fold(), [STREAM[:-40]])


def test_an_error_of_our_own_is_raised_again_and_reported() -> None:
    answer = fold()
    answer.feed(sse(says.text("x")))

    with pytest.raises(Truncated):
        answer.fail(Truncated("Gone."))
    assert answer.done
    assert answer.report.code == "upstream_stream_truncated"
    assert repr(answer) == "<ResponsesAggregator of <ResponsesTranslator failed>>"
