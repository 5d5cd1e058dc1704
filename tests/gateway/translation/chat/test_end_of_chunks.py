"""How a chat stream ends: cuts, failures, stop strings, and bytes that end early."""

import msgspec
import pytest
from support import upstream_says as says
from support.chat_streams import ROLE, call, chunks, events, finish, said
from support.playbook import play

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import EmptyAnswer, Truncated, UpstreamRefused
from codex_proapi.gateway.formats.codex.events import (
    ResponseCompleted,
    ResponseCreated,
    TextDelta,
)
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.formats.openai.errors import error_fields
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatStream
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.stream.answer_state import AnswerState
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

TOKENS = Tokens(input=100, cached=80, cache_write=8, output=20, reasoning=5)


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("odd", "length")],
)
def test_an_answer_cut_by_upstream_says_why(reason: str, finish_reason: str) -> None:
    assert chunks(says.text("Hel"), says.incomplete(reason))[1:] == [
        said("Hel"),
        finish(finish_reason),
    ]


def test_a_cut_inside_a_call_is_length_and_never_tool_calls() -> None:
    assert chunks(
        says.added(says.call("f")),
        says.arguments('{"a'),
        says.done({**says.call("f", '{"a'), "status": "incomplete"}),
        says.incomplete(),
    )[1:] == [call(id="call_1", name="f"), call('{"a'), finish("length")]


def test_a_cut_after_a_complete_call_is_tool_calls_and_never_length() -> None:
    assert chunks(says.done(says.call("f", "{}")), says.text("Hel", at=1), says.incomplete())[
        1:
    ] == [
        call("{}", id="call_1", name="f"),
        said("Hel"),
        finish("tool_calls"),
    ]


def test_a_cut_behind_a_complete_call_drops_what_was_not_told() -> None:
    one, two = says.call("a"), says.call("b", id_="fc_2", call_id="call_2")

    assert chunks(
        says.added(one),
        says.arguments_done("{}"),
        says.done({**one, "arguments": "{}"}),
        says.added(two, at=1),
        says.incomplete(),
    )[-1] == finish("length")
    assert chunks(
        says.added(one),
        says.added(two, at=1),
        says.arguments('{"x', item="fc_2", at=1),
        says.arguments_done("{}"),
        says.incomplete(),
    )[-1] == finish("length")


def test_nothing_said_before_a_cut_is_an_honest_length() -> None:
    assert chunks(says.created(), says.incomplete()) == [ROLE, finish("length")]


def test_usage_has_its_own_chunk_only_if_asked_for() -> None:
    bodies = (says.text("x"), says.completed())

    assert chunks(*bodies, include_usage=True)[-2:] == [finish("stop"), ChatChunk(usage=TOKENS)]
    assert chunks(*bodies)[-1] == finish("stop")
    assert chunks(says.text("x"), says.completed(usage=None), include_usage=True)[-1] == ChatChunk(
        usage=Tokens()
    )


@pytest.mark.parametrize(
    "bodies",
    [
        (),
        (says.created(),),
        (says.thought("Hm"), says.done(says.reasoning("Hm"))),
        (says.done(says.message("")),),
        (says.text(""),),
    ],
)
def test_an_answer_without_a_word_or_a_call_is_an_error(bodies: tuple[says.Body, ...]) -> None:
    stream = ChatStream(ChatOptions(), report=ResponseReport())
    play(stream, *events(*bodies))

    with pytest.raises(EmptyAnswer):
        play(stream, *events(says.completed()))
    assert stream.state is AnswerState.FAILED


@pytest.mark.parametrize(
    "failure",
    [
        says.failed("server_error", "Broke."),
        {"type": "error", "code": "server_error", "message": "Broke."},
    ],
)
def test_a_failure_is_raised_with_upstreams_code_and_words(failure: says.Body) -> None:
    stream = ChatStream(ChatOptions(), report=ResponseReport())
    play(stream, *events(says.text("Hel")))

    with pytest.raises(UpstreamRefused, match="Broke") as caught:
        play(stream, *events(failure))
    fields = error_fields(caught.value)
    assert (fields["type"], fields["code"]) == ("server_error", "server_error")
    assert play(stream, *events(says.text("more"), says.completed())) == []


def test_nothing_comes_after_the_end() -> None:
    bodies = (says.text("Hi"), says.completed())

    assert chunks(*bodies, says.text("x"), says.completed(), says.failed()) == chunks(*bodies)


def test_bytes_that_end_early_are_truncated() -> None:
    for bodies in ((), (says.text("Hel"),)):
        stream = ChatStream(ChatOptions(), report=ResponseReport())
        play(stream, *events(*bodies))

        with pytest.raises(Truncated):
            stream.finish()
        assert stream.state is AnswerState.FAILED


def test_bytes_that_end_after_the_end_are_whole() -> None:
    stream = ChatStream(ChatOptions(), report=ResponseReport())
    play(stream, *events(says.text("Hi"), says.completed()))

    stream.finish()

    assert stream.state is AnswerState.FINISHED
    assert repr(stream) == "<ChatStream finished>"


def test_a_stop_string_ends_the_text_at_once_and_usage_follows() -> None:
    assert chunks(
        says.text("one E"),
        says.text("ND two"),
        says.text("three"),
        says.done(says.call("f", "{}"), at=1),
        says.completed(),
        stop=("END",),
        include_usage=True,
    )[1:] == [said("one "), finish("stop"), ChatChunk(usage=TOKENS)]


def test_what_only_looked_like_a_stop_string_is_said_before_what_follows() -> None:
    assert chunks(
        says.text("one E"), says.done(says.call("f", "{}"), at=1), says.completed(), stop=("END",)
    )[1:] == [said("one "), said("E"), call("{}", id="call_1", name="f"), finish("tool_calls")]
    assert chunks(says.text("one E"), says.completed(), stop=("END",))[1:] == [
        said("one "),
        said("E"),
        finish("stop"),
    ]


def test_a_stop_string_in_the_finished_response_cuts_too() -> None:
    assert chunks(says.completed(says.message("one END")), stop=("END",))[1:] == [
        said("one "),
        finish("stop"),
    ]
    assert chunks(says.incomplete(output=[says.message("one END")]), stop=("END",))[1:] == [
        said("one "),
        finish("stop"),
    ]


@pytest.mark.parametrize("end", [says.completed(), says.incomplete(), says.failed(), None])
def test_after_a_stop_string_no_end_of_upstream_matters(end: says.Body | None) -> None:
    stream = ChatStream(ChatOptions(stop=("END",)), report=ResponseReport())
    play(stream, *events(says.text("x END")))
    assert stream.state.value == "cut"

    assert play(stream, *events(*([end] if end else []))) == []
    stream.finish()

    assert stream.state is AnswerState.FINISHED


def test_tokens_are_those_of_the_end() -> None:
    again = says.completed(usage={"input_tokens": 1})

    assert chunks(says.text("x"), says.completed(), again, include_usage=True)[-1] == ChatChunk(
        usage=TOKENS
    )


def test_a_terminal_event_of_any_shape_is_an_end() -> None:
    stream = ChatStream(ChatOptions(), report=ResponseReport())

    assert play(
        stream, ResponseCreated(), TextDelta("Hi"), ResponseCompleted(msgspec.Raw(b"5"))
    ) == [
        ROLE,
        said("Hi"),
        finish("stop"),
    ]
