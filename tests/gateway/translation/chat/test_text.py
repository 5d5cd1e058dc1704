"""Words as chat chunks: each once, in the field clients look at."""

from typing import Any

import msgspec

from codex_proapi.gateway.formats.codex.items import Citation, MessageItem, Part, ReasoningItem
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.translation.chat.text import RAW, SUMMARY, ChatText

PLACE = ("msg_1", 0, 0)


def speech(**options: Any) -> ChatText:
    return ChatText(**{"stop": (), "refusal_as_refusal": False, **options})


def said(text: str) -> list[ChatChunk]:
    return [ChatChunk(content=text)]


def thought(text: str) -> list[ChatChunk]:
    return [ChatChunk(reasoning=text)]


def test_text_is_said_once_whoever_repeats_it() -> None:
    words = speech()

    assert words.text("Hel", PLACE) == said("Hel")
    assert words.text("", PLACE) == []
    assert words.text_done("Hello", PLACE) == []
    assert words.message(MessageItem("msg_1", [Part("output_text", "Hello")]), 0) == []


def test_text_without_deltas_is_said_whole() -> None:
    words = speech()

    assert words.text_done("Hello", PLACE) == said("Hello")
    assert words.message(MessageItem("msg_1", [Part("output_text", "Hello")]), 0) == []


def test_all_parts_of_a_message_are_said() -> None:
    parts = [
        Part("output_text", "a"),
        Part("output_text", "b"),
        Part("image", "c"),
        Part("refusal", refusal="d"),
    ]

    assert speech().message(MessageItem("msg_1", parts), 0) == said("a") + said("b") + said("d")
    assert speech().message(MessageItem("msg_1", None), 0) == []


def test_a_refusal_is_text_except_for_whom_parses_a_schema() -> None:
    words, schema = speech(), speech(refusal_as_refusal=True)

    assert words.refusal("No", PLACE) == said("No")
    assert words.refusal("", PLACE) == []
    assert words.refusal_done("No", PLACE) == []
    assert schema.refusal_done("No", PLACE) == [ChatChunk(refusal="No")]
    assert (words.said, schema.said) == (True, True)


def test_parts_of_a_summary_are_apart_by_a_blank_line() -> None:
    words = speech()

    assert words.thought("One", ("rs_1", 0, 0), SUMMARY) == thought("One")
    assert words.thought(" more", ("rs_1", 0, 0), SUMMARY) == thought(" more")
    assert words.thought("Two", ("rs_1", 0, 1), SUMMARY) == thought("\n\nTwo")
    assert words.thought("", ("rs_1", 0, 2), SUMMARY) == []
    assert words.thought("Three", ("rs_2", 3, 0), SUMMARY) == thought("\n\nThree")
    assert words.thought("Four", ("rs_3", None, 0), SUMMARY) == thought("\n\nFour")


def test_reasoning_is_told_once_and_in_one_of_its_two_forms() -> None:
    words = speech()
    item = ReasoningItem(
        "rs_1",
        [Part("summary_text", "One"), Part("summary_text", "Two"), Part("x")],
        [Part("reasoning_text", "raw")],
    )

    assert words.thought("One", ("rs_1", 0, 0), SUMMARY) == thought("One")
    assert words.thought("raw", ("rs_1", 0, 0), RAW) == []
    assert words.thought_done("One", ("rs_1", 0, 0), SUMMARY) == []
    assert words.reasoning(item, 0) == thought("\n\nTwo")
    assert not words.said


def test_raw_reasoning_is_told_where_there_is_no_summary() -> None:
    words = speech()

    assert words.reasoning(
        ReasoningItem("rs_1", [], [Part("reasoning_text", "raw")]), 0
    ) == thought("raw")
    assert words.thought("sum", ("rs_2", 1, 0), SUMMARY) == []


def test_citations_are_remembered_once() -> None:
    words = speech()
    citation = Citation("url_citation", "https://a.example")
    annotations = msgspec.Raw(b'[{"type":"url_citation","url":"https://a.example"}]')

    words.cite([citation, citation])
    words.message(MessageItem("msg_1", [Part("output_text", "x", annotations=annotations)]), 0)

    assert words.citations == [citation]


def test_text_ends_at_a_stop_string() -> None:
    words = speech(stop=("END",))

    assert words.text("Hello E", PLACE) == said("Hello ")
    assert words.text("N", PLACE) == []
    assert words.flush() == said("EN")
    assert not words.stopped
    assert words.text("x END y", PLACE) == said("x ")
    assert words.stopped
    assert words.flush() == []


def test_deltas_may_pass_untouched_only_where_nothing_is_done_to_them() -> None:
    words = speech()
    assert (words.text_position, words.thought_position) == (None, None)

    words.text("x", ("msg_1", 2, 1))
    words.thought("x", ("rs_1", 0, 1), SUMMARY)
    assert (words.text_position, words.thought_position) == ((2, 1), (0, 1))

    words.thought("x", ("rs_1", None, 1), SUMMARY)
    assert words.thought_position is None

    stopping = speech(stop=("x",))
    stopping.text("y", PLACE)
    nowhere = speech()
    nowhere.text("y", ("msg_1", None, 0))
    raw = speech()
    raw.thought("y", PLACE, RAW)
    assert [s.text_position or s.thought_position for s in (stopping, nowhere, raw)] == [None] * 3


def test_its_state_can_be_seen_but_not_its_words() -> None:
    words = speech()
    assert repr(words) == "<ChatText silent>"

    words.text("secret", PLACE)
    assert repr(words) == "<ChatText said something>"
