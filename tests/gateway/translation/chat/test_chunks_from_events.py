"""Given these events, exactly those chunks: every rule of a chat answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import upstream_says as says
from support.chat_streams import ROLE, call, chunks, events, finish, said
from support.playbook import play

from codex_proapi.gateway.errors import EmptyAnswer, Truncated, UpstreamRefused
from codex_proapi.gateway.formats.codex.events import (
    UnknownEvent,
)
from codex_proapi.gateway.formats.codex.items import Citation
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.translation.chat.chunks_from_events import ChatStream
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.stream.answer_state import AnswerState
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport


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


def test_events_nobody_needs_change_nothing() -> None:
    stream = ChatStream(ChatOptions(), report=ResponseReport())

    assert play(stream, UnknownEvent("new.thing"), *events(says.rate_limits())) == []
    assert stream.state is AnswerState.WAITING
    assert chunks(says.added(says.message()), says.done({"type": "web_search_call"})) == [ROLE]


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
    stream = ChatStream(ChatOptions(include_usage=True), report=ResponseReport())
    out: list[ChatChunk] = []
    try:
        for event in events(*bodies):
            out += stream.feed(event)
        stream.finish()
    except (EmptyAnswer, Truncated, UpstreamRefused):
        assert stream.state is AnswerState.FAILED

    roles = [i for i, chunk in enumerate(out) if chunk.role]
    ends = [i for i, chunk in enumerate(out) if chunk.finish_reason]
    indexes = [chunk.call.index for chunk in out if chunk.call]
    named = [chunk.call.index for chunk in out if chunk.call and chunk.call.name]
    assert roles == ([0] if out else [])
    assert len(ends) == (stream.state is AnswerState.FINISHED)
    assert not ends or all(chunk.usage for chunk in out[ends[0] + 1 :])
    assert indexes == sorted(indexes), "calls are interleaved"
    assert named == list(range(len(named))), "an index is skipped or named twice"


COMMENTARY = {**says.message("I look."), "phase": "commentary"}
FINAL = {**says.message('{"a":1}', id_="msg_2"), "phase": "final_answer"}


def _texts(*bodies: says.Body, **options: Any) -> tuple[str, str]:
    """Content and reasoning of an answer."""
    found = play(
        ChatStream(ChatOptions(**options), report=ResponseReport()),
        *events(*bodies, says.completed()),
    )
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
