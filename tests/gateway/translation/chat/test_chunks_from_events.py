"""Given these events, exactly those chunks: every rule of a chat answer."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import upstream_says as says
from support.playbook import play

from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.errors import EmptyAnswer, Truncated, UpstreamRefused
from codex_proapi.gateway.formats.codex.events import (
    ResponseCompleted,
    ResponseCreated,
    TextDelta,
    UnknownEvent,
    UpstreamEvent,
    decode_event,
)
from codex_proapi.gateway.formats.codex.items import Citation
from codex_proapi.gateway.formats.openai.chat_chunks import CUSTOM, LEGACY, CallDelta, ChatChunk
from codex_proapi.gateway.formats.openai.errors import error_fields
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatState, ChatStream
from codex_proapi.gateway.translation.chat.options import ChatOptions

ROLE = ChatChunk(role="assistant", content="")
TOKENS = Tokens(input=100, cached=80, cache_write=8, output=20, reasoning=5)


def events(*bodies: says.Body) -> list[UpstreamEvent]:
    return [decode_event(None, json.dumps(body).encode()) for body in bodies]


def chunks(*bodies: says.Body, **options: Any) -> list[ChatChunk]:
    return play(ChatStream(ChatOptions(**options)), *events(*bodies))


def said(text: str) -> ChatChunk:
    return ChatChunk(content=text)


def call(text: str = "", *, index: int = 0, **first: Any) -> ChatChunk:
    return ChatChunk(call=CallDelta(index=index, text=text, **first))


def finish(reason: str) -> ChatChunk:
    return ChatChunk(finish_reason=reason)


def test_role_comes_once_and_first() -> None:
    assert chunks(
        says.created(), says.created(), says.text("Hel"), says.text("lo"), says.completed()
    ) == [
        ROLE,
        said("Hel"),
        said("lo"),
        finish("stop"),
    ]


def test_role_comes_also_without_response_created() -> None:
    assert chunks(says.text("Hi"), says.completed()) == [ROLE, said("Hi"), finish("stop")]


def test_reasoning_goes_before_text_in_a_field_of_its_own() -> None:
    assert chunks(
        says.thought("One"),
        {
            "type": "response.reasoning_summary_text.done",
            "item_id": "rs_1",
            "output_index": 0,
            "summary_index": 0,
            "text": "One",
        },
        says.thought("Two", part=1),
        says.done(says.reasoning("One", "Two")),
        says.text("Hi", at=1),
        says.completed(),
    ) == [
        ROLE,
        ChatChunk(reasoning="One"),
        ChatChunk(reasoning="\n\nTwo"),
        said("Hi"),
        finish("stop"),
    ]


def test_reasoning_without_deltas_is_taken_from_its_end() -> None:
    done = {"type": "response.reasoning_summary_text.done", "item_id": "rs_1", "summary_index": 0}
    raw = {"type": "response.reasoning_text.delta", "item_id": "rs_1", "content_index": 0}

    assert chunks({**done, "text": "One"})[1:] == [ChatChunk(reasoning="One")]
    assert chunks(says.done(says.reasoning("One", "Two")))[1:] == [
        ChatChunk(reasoning="One"),
        ChatChunk(reasoning="\n\nTwo"),
    ]
    assert chunks(
        {**raw, "delta": "x"}, {**raw, "type": "response.reasoning_text.done", "text": "x"}
    )[1:] == [ChatChunk(reasoning="x")]


def test_a_call_is_announced_then_told_in_pieces_then_the_reason_is_tool_calls() -> None:
    assert chunks(
        says.created(),
        says.added(says.call("get_weather")),
        says.arguments('{"city":'),
        says.arguments('"Oslo"}'),
        says.arguments_done('{"city":"Oslo"}'),
        says.done(says.call("get_weather", '{"city":"Oslo"}')),
        says.completed(),
    ) == [
        ROLE,
        call(id="call_1", name="get_weather"),
        call('{"city":'),
        call('"Oslo"}'),
        finish("tool_calls"),
    ]


def test_parallel_calls_are_never_interleaved() -> None:
    one, two = says.call("a"), says.call("b", id_="fc_2", call_id="call_2")

    assert chunks(
        says.added(one, at=0),
        says.added(two, at=1),
        says.arguments("{2", item="fc_2", at=1),
        says.arguments("{1", at=0),
        says.arguments("}", item="fc_2", at=1),
        says.arguments("}", at=0),
        says.done({**two, "arguments": "{2}"}, at=1),
        says.done({**one, "arguments": "{1}"}, at=0),
        says.completed(),
    ) == [
        ROLE,
        call(id="call_1", name="a"),
        call("{1"),
        call("}"),
        call("{2}", index=1, id="call_2", name="b"),
        finish("tool_calls"),
    ]


def test_a_call_known_only_by_its_finished_item_is_one_chunk() -> None:
    assert chunks(says.done(says.call("f", "{}")), says.completed())[1:] == [
        call("{}", id="call_1", name="f"),
        finish("tool_calls"),
    ]


def test_arguments_known_only_by_their_end_are_one_chunk() -> None:
    assert chunks(says.added(says.call("f")), says.arguments_done("{}"), says.completed())[1:] == [
        call(id="call_1", name="f"),
        call("{}"),
        finish("tool_calls"),
    ]


def test_a_custom_tool_is_custom_for_whom_declared_it_and_else_a_function() -> None:
    bodies = (
        says.added(says.custom("apply_patch")),
        says.input_("*** Begin"),
        {"type": "response.custom_tool_call_input.done", "item_id": "ctc_1", "input": "*** Begin"},
        says.done(says.custom("apply_patch", "*** Begin")),
        says.completed(),
    )
    declared = {"custom_tools": frozenset({"apply_patch"})}

    assert chunks(*bodies, **declared)[1:] == [
        call(id="call_1", name="apply_patch", form=CUSTOM),
        call("*** Begin", form=CUSTOM),
        finish("tool_calls"),
    ]
    as_function = [
        call(id="call_1", name="apply_patch"),
        call("*** Begin"),
        finish("tool_calls"),
    ]
    assert chunks(*bodies, **declared, custom_as_function=True)[1:] == as_function
    assert chunks(*bodies)[1:] == as_function


def test_a_custom_input_known_only_by_its_end_is_one_chunk() -> None:
    done = {"type": "response.custom_tool_call_input.done", "item_id": "ctc_1", "input": "*"}

    assert chunks(says.added(says.custom("p")), done)[-1] == call("*")


def test_legacy_functions_are_answered_as_such() -> None:
    assert chunks(
        says.added(says.call("f")),
        says.arguments("{}"),
        says.done(says.call("f", "{}")),
        says.completed(),
        legacy_functions=True,
    )[1:] == [
        call(id="call_1", name="f", form=LEGACY),
        call("{}", form=LEGACY),
        finish("function_call"),
    ]


def test_tool_names_are_the_clients_own() -> None:
    bodies = (says.done(says.call("mcp__x_1", "{}")), says.completed())

    assert chunks(*bodies, tool_names={"mcp__x_1": "mcp__server__x"})[1] == call(
        "{}", id="call_1", name="mcp__server__x"
    )


def test_a_refusal_is_text_for_agents_and_a_refusal_for_whom_parses() -> None:
    bodies = (
        says.refusal("I "),
        says.refusal("can't."),
        {
            "type": "response.refusal.done",
            "item_id": "msg_1",
            "content_index": 0,
            "refusal": "I can't.",
        },
        says.completed(),
    )

    assert chunks(*bodies)[1:] == [said("I "), said("can't."), finish("stop")]
    assert chunks(*bodies, refusal_as_refusal=True)[1:] == [
        ChatChunk(refusal="I "),
        ChatChunk(refusal="can't."),
        finish("stop"),
    ]


def test_citations_come_in_one_chunk_before_the_end() -> None:
    cited = {
        "type": "url_citation",
        "url": "https://a.example",
        "title": "A",
        "start_index": 0,
        "end_index": 1,
    }
    found = Citation("url_citation", "https://a.example", "A", 0, 1)

    assert chunks(
        says.text("x"),
        {"type": "response.output_text.annotation.added", "annotation": cited},
        says.done(says.message("x", annotations=(cited,))),
        says.completed(),
    )[1:] == [said("x"), ChatChunk(citations=(found,)), finish("stop")]


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


def test_an_answer_only_in_the_finished_response_is_said_too() -> None:
    output = (
        says.reasoning("Hm"),
        says.message("Hel", "lo"),
        says.call("f", "{}"),
        {"type": "odd"},
    )

    assert chunks(says.created(), says.completed(*output)) == [
        ROLE,
        ChatChunk(reasoning="Hm"),
        said("Hel"),
        said("lo"),
        call("{}", id="call_1", name="f"),
        finish("tool_calls"),
    ]


def test_an_answer_is_not_said_again_by_the_finished_response() -> None:
    assert chunks(says.text("Hi"), says.completed(says.message("Hi")))[1:] == [
        said("Hi"),
        finish("stop"),
    ]
    assert chunks(says.text("Hi"), says.completed(output={"not": "a list"}))[1:] == [
        said("Hi"),
        finish("stop"),
    ]


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
    stream = ChatStream(ChatOptions())
    play(stream, *events(*bodies))

    with pytest.raises(EmptyAnswer):
        play(stream, *events(says.completed()))
    assert stream.state is ChatState.FAILED


@pytest.mark.parametrize(
    "failure",
    [
        says.failed("server_error", "Broke."),
        {"type": "error", "code": "server_error", "message": "Broke."},
    ],
)
def test_a_failure_is_raised_with_upstreams_code_and_words(failure: says.Body) -> None:
    stream = ChatStream(ChatOptions())
    play(stream, *events(says.text("Hel")))

    with pytest.raises(UpstreamRefused, match="Broke") as caught:
        play(stream, *events(failure))
    fields = error_fields(caught.value)
    assert (fields["type"], fields["code"]) == ("server_error", "server_error")
    assert play(stream, *events(says.text("more"), says.completed())) == []


def test_nothing_comes_after_the_end() -> None:
    bodies = (says.text("Hi"), says.completed())

    assert chunks(*bodies, says.text("x"), says.completed(), says.failed()) == chunks(*bodies)


def test_events_nobody_needs_change_nothing() -> None:
    stream = ChatStream(ChatOptions())

    assert play(stream, UnknownEvent("new.thing"), *events(says.rate_limits())) == []
    assert stream.state is ChatState.WAITING
    assert chunks(says.added(says.message()), says.done({"type": "web_search_call"})) == [ROLE]


def test_bytes_that_end_early_are_truncated() -> None:
    for bodies in ((), (says.text("Hel"),)):
        stream = ChatStream(ChatOptions())
        play(stream, *events(*bodies))

        with pytest.raises(Truncated):
            stream.finish()
        assert stream.state is ChatState.FAILED


def test_bytes_that_end_after_the_end_are_whole() -> None:
    stream = ChatStream(ChatOptions())
    play(stream, *events(says.text("Hi"), says.completed()))

    stream.finish()

    assert stream.state is ChatState.FINISHED
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
    stream = ChatStream(ChatOptions(stop=("END",)))
    play(stream, *events(says.text("x END")))
    assert stream.state.value == "cut"

    assert play(stream, *events(*([end] if end else []))) == []
    stream.finish()

    assert stream.state is ChatState.FINISHED


def test_tokens_are_those_of_the_end() -> None:
    stream = ChatStream(ChatOptions())
    play(
        stream, *events(says.text("x"), says.completed(), says.completed(usage={"input_tokens": 1}))
    )

    assert stream.tokens == TOKENS


def test_a_terminal_event_of_any_shape_is_an_end() -> None:
    stream = ChatStream(ChatOptions())

    assert play(
        stream, ResponseCreated(), TextDelta("Hi"), ResponseCompleted(msgspec.Raw(b"5"))
    ) == [
        ROLE,
        said("Hi"),
        finish("stop"),
    ]


some_bodies = st.sampled_from(
    [
        says.created(),
        says.text("a"),
        says.text("b", at=3, part=1),
        says.text_done("a"),
        says.thought("t"),
        says.thought("u", part=1),
        says.refusal("no"),
        says.added(says.call("f")),
        says.added(says.call("g", id_="fc_2", call_id="call_2"), at=1),
        says.arguments("{"),
        says.arguments("}", item="fc_2", at=1),
        says.arguments_done("{}"),
        says.done(says.call("f", "{}")),
        says.done(says.call("g", "{}", id_="fc_2", call_id="call_2"), at=1),
        says.done({**says.call("g", "{"), "status": "incomplete"}),
        says.done(says.message("a")),
        says.done(says.reasoning("t")),
        {"type": "new.thing"},
        says.completed(),
        says.completed(says.message("late")),
        says.incomplete(),
        says.failed(),
    ]
)


@given(st.lists(some_bodies, max_size=12))
def test_whatever_comes_in_the_laws_of_a_chat_stream_hold(bodies: list[says.Body]) -> None:
    stream = ChatStream(ChatOptions(include_usage=True))
    out: list[ChatChunk] = []
    try:
        for event in events(*bodies):
            out += stream.feed(event)
        stream.finish()
    except (EmptyAnswer, Truncated, UpstreamRefused):
        assert stream.state is ChatState.FAILED

    roles = [i for i, chunk in enumerate(out) if chunk.role]
    ends = [i for i, chunk in enumerate(out) if chunk.finish_reason]
    indexes = [chunk.call.index for chunk in out if chunk.call]
    named = [chunk.call.index for chunk in out if chunk.call and chunk.call.name]
    assert roles == ([0] if out else [])
    assert len(ends) == (stream.state is ChatState.FINISHED)
    assert not ends or all(chunk.usage for chunk in out[ends[0] + 1 :])
    assert indexes == sorted(indexes), "calls are interleaved"
    assert named == list(range(len(named))), "an index is skipped or named twice"


COMMENTARY = {**says.message("I look."), "phase": "commentary"}
FINAL = {**says.message('{"a":1}', id_="msg_2"), "phase": "final_answer"}


def _texts(*bodies: says.Body, **options: Any) -> tuple[str, str]:
    """Content and reasoning of an answer."""
    found = play(ChatStream(ChatOptions(**options)), *events(*bodies, says.completed()))
    return (
        "".join(each.content or "" for each in found),
        "".join(each.reasoning or "" for each in found),
    )


WHOLE_ITEMS = (says.done(COMMENTARY), says.done(FINAL, at=1))
IN_PIECES = (
    says.added({**COMMENTARY, "content": []}),
    says.text("I "),
    says.text("look."),
    says.done(COMMENTARY),
    says.added({**FINAL, "content": []}, at=1),
    says.text('{"a"', item="msg_2", at=1),
    says.text(":1}", item="msg_2", at=1),
    says.done(FINAL, at=1),
)


@pytest.mark.parametrize("bodies", [WHOLE_ITEMS, IN_PIECES])
def test_commentary_is_no_part_of_a_structured_answer(bodies: tuple[says.Body, ...]) -> None:
    assert _texts(*bodies, structured=True) == ('{"a":1}', "I look.")


@pytest.mark.parametrize("bodies", [WHOLE_ITEMS, IN_PIECES])
def test_messages_of_an_answer_are_paragraphs(bodies: tuple[says.Body, ...]) -> None:
    assert _texts(*bodies) == ('I look.\n\n{"a":1}', "")


@pytest.mark.parametrize("structured", [True, False])
def test_commentary_that_no_answer_follows_is_the_answer(structured: bool) -> None:
    assert _texts(*IN_PIECES[:4], structured=structured) == ("I look.", "")
    assert _texts(says.done(COMMENTARY), structured=structured) == ("I look.", "")


def test_a_message_whose_id_changes_stays_one_paragraph() -> None:
    assert _texts(says.text("a", item="msg_1"), says.text("b", item="msg_x")) == ("ab", "")
