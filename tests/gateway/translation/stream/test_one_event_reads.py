"""Reads of one event, which go to a handler as they are, beside the same bytes cut anywhere else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import answers
from support import upstream_says as says
from support.playbook import in_pieces, pumped

from codex_proapi.gateway.formats.sse import MAX_MESSAGE_BYTES
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.translator import ChatTranslator
from codex_proapi.gateway.translation.completions.options import CompletionOptions
from codex_proapi.gateway.translation.completions.translator import CompletionTranslator
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.translator import MessagesTranslator
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.passthrough import ResponsesPassthrough
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator
from codex_proapi.gateway.translation.stream.event_translator import EventTranslator

COMPLETION: dict[str, Any] = {"completion_id": "x_1", "created": 7, "model": "asked-model"}
RESPONSE: dict[str, Any] = {"response_id": "resp_ours", "created": 7}
TRANSLATORS: dict[str, Callable[[], EventTranslator]] = {
    "chat": lambda: ChatTranslator(ChatOptions(), **COMPLETION),
    "completions": lambda: CompletionTranslator(CompletionOptions(), **COMPLETION),
    "messages": lambda: MessagesTranslator(MessagesOptions(), message_id="msg_x", model="asked"),
    "responses": lambda: ResponsesTranslator(ResponseOptions(model="asked"), **RESPONSE),
    "passed on": lambda: ResponsesPassthrough(ResponseOptions(model="asked"), **RESPONSE),
}
LINE_ENDS = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", "\r"])


@st.composite
def one_event(draw: st.DrawFn, body: says.Body) -> bytes:
    """An event as some JSON writer may put it: any order, blanks, escapes, line ends, fields of more."""
    fields = list(body.items())
    if draw(st.booleans()):
        fields = draw(st.permutations(fields))
    more: list[tuple[str, Any]] = draw(
        st.sampled_from([[], [], [("obfuscation", "x\n\n")], [("delta2", {"delta": "no"})]])
    )
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")]))
    text = json.dumps(
        dict([*fields, *more]), separators=separators, ensure_ascii=draw(st.booleans())
    )
    end = draw(LINE_ENDS)
    name = draw(st.sampled_from([f"event: {body['type']}{end}"] * 4 + ["", f"id: 1{end}"]))
    start = draw(st.sampled_from(["data: "] * 4 + ["data:", ": c\ndata: "]))
    spoilt = draw(st.sampled_from([b""] * 8 + [b"\xff", b"\r", b"}", b"\n\n"]))
    data = f"{name}{start}{text}".encode(errors="surrogatepass")
    at = draw(st.integers(0, len(data)))
    return data[:at] + spoilt + data[at:] + (end * 2).encode()


@st.composite
def events(draw: st.DrawFn) -> list[bytes]:
    """The events of an answer, one a read."""
    return [draw(one_event(body)) for body in draw(answers.answers())]


@pytest.mark.parametrize("kind", TRANSLATORS)
@given(reads=events(), data=st.data())
def test_a_read_of_one_event_gives_what_its_bytes_give_in_two_reads(
    kind: str, reads: list[bytes], data: st.DataObject
) -> None:
    """Cut within, no read is one whole event, and none goes to a handler as it is."""
    one, two = TRANSLATORS[kind](), TRANSLATORS[kind]()
    cuts = [data.draw(st.integers(1, len(read) - 1)) for read in reads]
    halves = [half for read, cut in zip(reads, cuts, strict=True) for half in in_pieces(read, cut)]

    assert pumped(one, reads) == pumped(two, halves)
    assert one.report == two.report


def a_delta(text: str, number: int) -> bytes:
    """A text delta as the backend writes it."""
    body = {**says.text(text), "logprobs": [], "sequence_number": number}
    data = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return f"event: {body['type']}\ndata: {data}\n\n".encode()


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_most_reads_are_their_handlers_as_they_are(kind: str) -> None:
    translator = TRANSLATORS[kind]()
    split: list[bytes] = []
    feed_whole = translator._feed_whole
    translator._feed_whole = lambda whole: split.append(whole) or feed_whole(whole)  # type: ignore[func-returns-value, method-assign]
    translator.feed(answers.encoded([says.created(), says.added(says.message())]))
    reads = [a_delta(f"é\\n {number}", number + 2) for number in range(4)]
    out = [translator.feed(read) for read in reads]

    assert len(split) == 2  # what came before, and the first delta: its kind is looked up
    assert all(f" {number}".encode() in piece for number, piece in enumerate(out))
    assert translator.report.events == 2 + len(reads)


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_an_event_that_is_too_long_is_refused_in_one_read_too(kind: str) -> None:
    translator = TRANSLATORS[kind]()
    opening = answers.encoded([says.created(), says.added(says.message())])
    said = pumped(translator, [opening, a_delta("a", 2), a_delta("b" * MAX_MESSAGE_BYTES, 3)])

    assert b"bbbb" not in said
    assert translator.report.code == "upstream_malformed"


def test_nothing_is_translated_after_the_end_or_a_failure() -> None:
    translator = TRANSLATORS["chat"]()
    pumped(translator, [answers.encoded([says.created()]), a_delta("a", 1), a_delta("b", 2)])

    assert translator.done
    assert translator.feed(a_delta("c", 3)) == b""
