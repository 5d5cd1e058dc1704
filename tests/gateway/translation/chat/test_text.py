"""Words as chat chunks: each once, in the field clients look at."""

from typing import Any

import msgspec

from codex_proapi.gateway.formats.codex.items import Citation, MessageItem, Part, ReasoningItem
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.translation.chat.text import RAW, SUMMARY, ChatText
from codex_proapi.gateway.translation.stream.stop_sequences import StopCutter

PLACE = ("msg_1", 0, 0)


def chat_text(*stops: str, **options: Any) -> ChatText:
    return ChatText(cutter=StopCutter(stops) if stops else None, **options)


def said(text: str) -> list[ChatChunk]:
    return [ChatChunk(content=text)]


def thought(text: str) -> list[ChatChunk]:
    return [ChatChunk(reasoning=text)]


def test_text_is_said_once_whoever_repeats_it() -> None:
    words = chat_text()

    assert words.text_delta("Hel", PLACE) == said("Hel")
    assert words.text_delta("", PLACE) == []
    assert words.text_done("Hello", PLACE) == []
    assert words.message_item(MessageItem("msg_1", [Part("output_text", "Hello")]), 0) == []


def test_text_without_deltas_is_said_whole() -> None:
    words = chat_text()

    assert words.text_done("Hello", PLACE) == said("Hello")
    assert words.message_item(MessageItem("msg_1", [Part("output_text", "Hello")]), 0) == []


def test_all_parts_of_a_message_are_said() -> None:
    parts = [
        Part("output_text", "a"),
        Part("output_text", "b"),
        Part("image", "c"),
        Part("refusal", refusal="d"),
    ]

    assert chat_text().message_item(MessageItem("msg_1", parts), 0) == said("a") + said("b") + said(
        "d"
    )
    assert chat_text().message_item(MessageItem("msg_1", None), 0) == []


def test_a_refusal_is_text_except_for_whom_parses_a_schema() -> None:
    words, schema = chat_text(), chat_text(refusal_as_refusal=True)

    assert words.refusal_delta("No", PLACE) == said("No")
    assert words.refusal_delta("", PLACE) == []
    assert words.refusal_done("No", PLACE) == []
    assert schema.refusal_done("No", PLACE) == [ChatChunk(refusal="No")]
    assert (words.any_text, schema.any_text) == (True, True)


def test_parts_of_a_summary_are_apart_by_a_blank_line() -> None:
    words = chat_text()

    assert words.reasoning_delta("One", ("rs_1", 0, 0), SUMMARY) == thought("One")
    assert words.reasoning_delta(" more", ("rs_1", 0, 0), SUMMARY) == thought(" more")
    assert words.reasoning_delta("Two", ("rs_1", 0, 1), SUMMARY) == thought("\n\nTwo")
    assert words.reasoning_delta("", ("rs_1", 0, 2), SUMMARY) == []
    assert words.reasoning_delta("Three", ("rs_2", 3, 0), SUMMARY) == thought("\n\nThree")
    assert words.reasoning_delta("Four", ("rs_3", None, 0), SUMMARY) == thought("\n\nFour")


def test_reasoning_is_told_once_and_in_one_of_its_two_forms() -> None:
    words = chat_text()
    item = ReasoningItem(
        "rs_1",
        [Part("summary_text", "One"), Part("summary_text", "Two"), Part("x")],
        [Part("reasoning_text", "raw")],
    )

    assert words.reasoning_delta("One", ("rs_1", 0, 0), SUMMARY) == thought("One")
    assert words.reasoning_delta("raw", ("rs_1", 0, 0), RAW) == []
    assert words.reasoning_done("One", ("rs_1", 0, 0), SUMMARY) == []
    assert words.reasoning_item(item, 0) == thought("\n\nTwo")
    assert not words.any_text


def test_raw_reasoning_is_told_where_there_is_no_summary() -> None:
    words = chat_text()

    assert words.reasoning_item(
        ReasoningItem("rs_1", [], [Part("reasoning_text", "raw")]), 0
    ) == thought("raw")
    assert words.reasoning_delta("sum", ("rs_2", 1, 0), SUMMARY) == []


def test_citations_are_remembered_once() -> None:
    words = chat_text()
    citation = Citation("url_citation", "https://a.example")
    annotations = msgspec.Raw(b'[{"type":"url_citation","url":"https://a.example"}]')

    words.cite([citation, citation])
    words.message_item(MessageItem("msg_1", [Part("output_text", "x", annotations=annotations)]), 0)

    assert words.citations == [citation]


def test_text_ends_at_a_stop_string() -> None:
    words = chat_text("END")

    assert words.text_delta("Hello E", PLACE) == said("Hello ")
    assert words.text_delta("N", PLACE) == []
    assert words.flush() == said("EN")
    assert not words.stopped
    assert words.text_delta("x END y", PLACE) == said("x ")
    assert words.stopped
    assert words.flush() == []


def test_deltas_may_pass_untouched_only_where_nothing_is_done_to_them() -> None:
    words = chat_text()
    assert (words.text_position, words.reasoning_position) == (None, None)

    words.text_delta("x", ("msg_1", 2, 1))
    words.reasoning_delta("x", ("rs_1", 0, 1), SUMMARY)
    assert (words.text_position, words.reasoning_position) == ((2, 1), (0, 1))

    words.reasoning_delta("x", ("rs_1", None, 1), SUMMARY)
    assert words.reasoning_position is None

    stopping = chat_text("x")
    stopping.text_delta("y", PLACE)
    nowhere = chat_text()
    nowhere.text_delta("y", ("msg_1", None, 0))
    raw = chat_text()
    raw.reasoning_delta("y", PLACE, RAW)
    assert [s.text_position or s.reasoning_position for s in (stopping, nowhere, raw)] == [None] * 3


def test_its_state_can_be_seen_but_not_its_words() -> None:
    words = chat_text()
    assert repr(words) == "<ChatText no text>"

    words.text_delta("secret", PLACE)
    assert repr(words) == "<ChatText some text>"
