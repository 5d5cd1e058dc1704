"""Streams on the wire: any cut of the bytes gives the same answer, any end is told honestly."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import answers
from support import upstream_says as says
from support.playbook import in_pieces, messages, pumped, sse, transcript, truncated_at_every_byte
from support.strict_messages import StrictReader

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.errors import GatewayError, Malformed, Overloaded, Truncated
from codex_proapi.gateway.formats.anthropic.events import PING
from codex_proapi.gateway.formats.codex.requests import Shape, UpstreamRequest
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.messages.answer.aggregator import MessagesAggregator
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.tool_arguments import shape_of
from codex_proapi.gateway.translation.messages.answer.translator import MessagesTranslator
from codex_proapi.gateway.translation.messages.answer.translator_factory import messages_translator
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    HistoryMode,
    TranslatedRequest,
)

WRITE = {"properties": {"path": {}, "content": {}}, "required": ["path", "content"]}
OPTIONS = MessagesOptions(thinking=True, tool_shapes={"Write": shape_of(WRITE)}, input_tokens=7)

WHOLE = sse(
    says.created(),
    says.rate_limits(),
    says.added(says.reasoning()),
    says.thought("Hm — "),
    says.thought("😀"),
    says.done(says.reasoning("Hm — 😀")),
    says.added(says.message(), at=1),
    says.text("Hällo ", at=1),
    says.text("wörld", at=1),
    says.text("", at=1),
    says.text("!", at=1),
    says.done(says.message("Hällo wörld!"), at=1),
    says.added(says.call("Write"), at=2),
    says.arguments('{"path":"ä",', at=2),
    says.arguments('"content":', at=2),
    says.arguments('"\\n"}', at=2),
    says.done(says.call("Write", '{"path":"ä","content":"\\n"}'), at=2),
    says.completed(),
)
CONTENT = [
    {"type": "thinking", "thinking": "Hm — 😀", "signature": "cpa1::gAAAA"},
    {"type": "text", "text": "Hällo wörld!"},
    {
        "type": "tool_use",
        "id": "call_1",
        "name": "Write",
        "input": {"path": "ä", "content": "\n"},
    },
]


def made(options: MessagesOptions = OPTIONS) -> MessagesTranslator:
    return MessagesTranslator(options, message_id="msg_1", model="claude-x", request_id="req_1")


def folded(data: bytes, options: MessagesOptions = OPTIONS) -> dict[str, Any]:
    wire = MessagesAggregator(options, message_id="msg_1", model="claude-x")
    message: dict[str, Any] = json.loads(pumped(wire, [data]))
    return message


def test_whole_stream() -> None:
    wire = made()
    reader = StrictReader().read(pumped(wire, [WHOLE]))

    assert reader.stopped
    assert reader.content == CONTENT
    assert reader.pings == 1
    assert (wire.report.ending, wire.report.response_id) == (Ending.WHOLE, "resp_1")
    assert wire.report.tokens is not None
    assert wire.report.quota is not None


def test_answer_in_one_piece_says_the_same() -> None:
    reader = StrictReader().read(pumped(made(), [WHOLE]))

    assert folded(WHOLE) == reader.message


def test_byte_by_byte() -> None:
    assert pumped(made(), in_pieces(WHOLE, *range(len(WHOLE)))) == pumped(made(), [WHOLE])


def test_crlf() -> None:
    crlf = WHOLE.replace(b"\n", b"\r\n")

    assert pumped(made(), in_pieces(crlf, *range(len(crlf)))) == pumped(made(), [WHOLE])


def test_events_without_names_and_as_a_websocket_names_the_end() -> None:
    bare = sse(says.created(), says.text("A"), says.completed(), named=False)
    done = bare.replace(b"response.completed", b"response.done")

    assert folded(done)["content"] == [{"type": "text", "text": "A"}]


@given(st.lists(st.integers(0, len(WHOLE))))
def test_any_cut(cuts: list[int]) -> None:
    assert pumped(made(), in_pieces(WHOLE, *cuts)) == pumped(made(), [WHOLE])


def test_stream_that_breaks_off_is_an_error_with_every_finished_block_whole() -> None:
    for cut, data, wire in truncated_at_every_byte(made, WHOLE):
        reader = StrictReader().read(data)
        whole = cut >= len(WHOLE.rstrip())
        assert reader.stopped is whole
        assert (reader.error is None) is whole
        expected = CONTENT[: len(reader.complete)]
        assert reader.complete == expected
        if not whole:
            assert reader.error is not None
            assert reader.error["type"] == "api_error"
            assert wire.report.ending is Ending.BROKEN


def test_answer_in_one_piece_raises_what_broke_it() -> None:
    wire = MessagesAggregator(OPTIONS, message_id="msg_1", model="claude-x")
    with pytest.raises(Truncated):
        pumped(wire, [WHOLE[:-40]])

    assert wire.report.ending is Ending.BROKEN


def test_error_names_the_request_and_what_came_before_it_is_written() -> None:
    wire = made()
    first = wire.feed(sse(says.created(), says.text("A")))
    last = wire.fail(Overloaded("Busy."))
    reader = StrictReader().read(first + last)

    assert reader.error == {"type": "overloaded_error", "message": "Busy."}
    assert b'"request_id":"req_1"' in last
    assert wire.fail(Overloaded("Busy.")) == b""
    assert wire.feed(b"data: {}\n\n") == b""
    assert wire.finish() == b""


def test_what_was_translated_before_a_fault_is_not_lost() -> None:
    wire = made()
    with pytest.raises(Malformed):
        wire.feed(sse(says.created(), says.text("A")) + b"event: response.completed\ndata: {\n\n")

    assert StrictReader().read(wire.fail(Malformed("bad"))).content == [
        {"type": "text", "text": "A"}
    ]


@given(answers.answers(), st.booleans())
def test_the_fast_path_says_what_the_slow_path_says(
    bodies: list[says.Body], summaries: bool
) -> None:
    stream = answers.encoded(bodies)
    options = msgspec.structs.replace(OPTIONS, summaries=summaries)
    fast, slow = made(options), made(options)

    said, again = pumped(fast, [stream]), pumped(slow, [answers.unnamed(stream)])

    assert messages(said) == messages(again)
    assert fast.report == slow.report


def test_pieces_of_thinking_are_not_decoded() -> None:
    wire = made()
    wire.feed(sse(says.created(), says.added(says.reasoning()), says.thought("One ")))
    decoded: list[bytes] = []
    slow = wire._slow
    wire._slow = lambda block: decoded.append(block) or slow(block)  # type: ignore[method-assign, func-returns-value]

    told = wire.feed(sse(says.thought("two "), says.thought("three")))

    assert [each["delta"]["thinking"] for each in messages(told)] == ["two ", "three"]
    assert decoded == []


def test_silence_is_filled_with_pings() -> None:
    assert made().keep_alive == PING


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_bytes_that_are_no_utf8_are_replaced_and_the_answer_is_whole(fast: bool, cut: int) -> None:
    before = [says.text("x")] if fast else []
    stream = sse(*before, says.text("w#rd"), says.text("é"), says.completed())
    stream = stream.replace(b"w#rd", b"w\xff\xc3rd")
    whole = ("x" if fast else "") + "w\ufffd\ufffdrdé"
    wire = made()

    reader = StrictReader().read(pumped(wire, in_pieces(stream, *range(0, len(stream), cut))))

    assert reader.content == folded(stream)["content"] == [{"type": "text", "text": whole}]
    assert wire.report.ending is Ending.WHOLE


def test_second_half_of_an_emoji_comes_in_the_next_delta() -> None:
    halves = b"".join(
        b'data: {"type":"response.output_text.delta","item_id":"m","output_index":0,'
        b'"content_index":0,"delta":"\\u%b"}\n\n' % half
        for half in (b"d83d", b"de00")
    )
    written = pumped(made(), [halves + sse(says.completed())])

    assert rb"\ud83d" in written
    assert folded(halves + sse(says.completed()))["content"][0]["text"] == "😀"


def test_answer_cut_by_a_stop_sequence_is_whole() -> None:
    options = msgspec.structs.replace(OPTIONS, stop=("STOP",))
    wire = made(options)
    reader = StrictReader().read(
        pumped(wire, [sse(says.text("One STOP"), says.incomplete("content_filter"))])
    )

    assert reader.message is not None
    assert reader.message["stop_reason"] == "stop_sequence"
    assert (wire.report.ending, wire.report.code) == (Ending.WHOLE, "")


@pytest.mark.parametrize("ends", [True, False])
def test_stop_sequence_and_then_silence(ends: bool) -> None:
    options = msgspec.structs.replace(OPTIONS, stop=("STOP",))
    data = sse(says.text("One STOP")) + (sse(says.failed()) if ends else b"")

    assert folded(data, options)["stop_reason"] == "stop_sequence"
    assert StrictReader().read(pumped(made(options), [data])).stopped


def test_account_that_answers_signs() -> None:
    wire = made()
    wire.report.account = "acc_1"

    assert b"cpa1:" in pumped(wire, [WHOLE])
    assert b"cpa1::" not in pumped(wire, [WHOLE])
    assert b"acc_1" not in pumped(wire, [WHOLE])


TEXTS = st.text(min_size=1, max_size=5)
EVENTS = st.one_of(
    st.builds(says.text, TEXTS, at=st.integers(0, 3)),
    st.builds(says.text_done, TEXTS, at=st.integers(0, 3)),
    st.builds(says.refusal, TEXTS, at=st.integers(0, 3)),
    st.builds(says.thought, TEXTS, at=st.integers(0, 3), part=st.integers(0, 1)),
    st.builds(lambda at: says.added(says.reasoning(), at=at), st.integers(0, 3)),
    st.builds(lambda at, t: says.done(says.reasoning(t), at=at), st.integers(0, 3), TEXTS),
    st.builds(
        lambda at, name: says.added(says.call(name, id_=f"fc_{at}", call_id=f"call_{at}"), at=at),
        st.integers(4, 7),
        st.sampled_from(["Write", "Other"]),
    ),
    st.builds(
        lambda at, piece: says.arguments(piece, item=f"fc_{at}", at=at),
        st.integers(4, 7),
        st.sampled_from(['{"path":1,', '"content":2}', "{}", ""]),
    ),
    st.builds(
        lambda at, whole: says.arguments_done(whole, item=f"fc_{at}", at=at),
        st.integers(4, 7),
        st.sampled_from(['{"path":1,"content":2}', "[", ""]),
    ),
    st.builds(
        lambda at, status: says.done(
            {**says.call("Write", "{}", id_=f"fc_{at}", call_id=f"call_{at}"), "status": status},
            at=at,
        ),
        st.integers(4, 7),
        st.sampled_from(["completed", "incomplete"]),
    ),
    st.just(says.done({"type": "web_search_call", "id": "ws", "action": {"query": "q"}})),
    st.just(says.created()),
    st.just(says.rate_limits()),
)
ENDS = st.sampled_from([says.completed(), says.incomplete(), says.failed(), None])


@settings(max_examples=400)
@given(st.lists(EVENTS, max_size=15), ENDS, st.booleans(), st.booleans())
def test_any_stream_is_well_formed(
    bodies: list[says.Body], end: says.Body | None, thinking: bool, stops: bool
) -> None:
    options = msgspec.structs.replace(OPTIONS, thinking=thinking, stop=("a",) if stops else ())
    data = sse(*bodies, *([end] if end else []))
    reader = StrictReader().read(pumped(made(options), [data]))

    assert reader.stopped is not (reader.error is not None)
    try:
        message = folded(data, options)
    except GatewayError:
        assert reader.error is not None
    else:
        assert message == reader.message


@settings(max_examples=200)
@given(st.lists(EVENTS, max_size=10), ENDS, st.lists(st.integers(0, 4000), max_size=8))
def test_any_stream_cut_anywhere(
    bodies: list[says.Body], end: says.Body | None, cuts: list[int]
) -> None:
    data = sse(*bodies, *([end] if end else []))

    assert pumped(made(), in_pieces(data, *cuts)) == pumped(made(), [data])


@pytest.mark.parametrize(
    ("stream", "kind"), [(True, MessagesTranslator), (False, MessagesAggregator)]
)
def test_translator_by_what_was_asked(stream: bool, kind: type) -> None:
    asked = TranslatedRequest(
        request=UpstreamRequest(model="m", shape=Shape.LITE, session_id="", input=()),
        asked_model="claude-x",
        stream=stream,
        answer=OPTIONS,
        tool_names={"short": "long.name"},
        basis=Basis(
            key_id="", history_mode=HistoryMode.STRUCTURED, verbatim=False, lane=None, session=None
        ),
    )
    wire = messages_translator(asked, request_id="req_ab", created=0)
    written = pumped(wire, [sse(says.done(says.call("short", "{}")), says.completed())])

    assert isinstance(wire, kind)
    assert b'"msg_ab"' in written
    assert b'"long.name"' in written
    with pytest.raises(TypeError):
        messages_translator(
            msgspec.structs.replace(asked, answer=ChatOptions()), request_id="req_ab", created=0
        )


def test_recorded_stream_says_the_same_streamed_and_whole() -> None:
    data = transcript("text_reasoning_tool")
    reader = StrictReader().read(pumped(made(), in_pieces(data, *range(0, len(data), 7))))

    assert reader.stopped
    assert folded(data) == reader.message
