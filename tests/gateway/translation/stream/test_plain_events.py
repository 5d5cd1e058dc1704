"""Events that are read in one step, or only looked at, beside the same events that all are decoded."""

import json
from collections.abc import Callable

import pytest
from gateway.translation.stream.test_one_event_reads import COMPLETION, RESPONSE, TRANSLATORS
from hypothesis import given
from hypothesis import strategies as st
from support import answers, full_answers
from support import upstream_says as says
from support.playbook import in_pieces, messages, pumped

from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.translator import ChatTranslator
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.translator import MessagesTranslator
from codex_proapi.gateway.translation.responses import translator as responses_translator
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator
from codex_proapi.gateway.translation.stream import answer_translator
from codex_proapi.gateway.translation.stream.event_translator import EventTranslator

CHAT = ChatOptions(include_usage=True, stop=("Hello",), structured=True)
MESSAGES = MessagesOptions(thinking=True, structured=True)
RENAMED = ResponseOptions(model="asked", tool_names={"short": "a_long_name"})
MADE: dict[str, Callable[[], EventTranslator]] = {
    **{kind: made for kind, made in TRANSLATORS.items() if kind != "passed on"},
    "chat with stops": lambda: ChatTranslator(CHAT, **COMPLETION),
    "structured messages": lambda: MessagesTranslator(MESSAGES, message_id="m", model="asked"),
    "renamed responses": lambda: ResponsesTranslator(RENAMED, **RESPONSE),
}


@pytest.mark.parametrize("kind", MADE)
@given(data=full_answers.written(), cuts=st.lists(st.integers(0, 4000), max_size=4))
def test_an_event_that_is_only_looked_at_is_told_like_any_other(
    kind: str, data: bytes, cuts: list[int]
) -> None:
    fast, slow = MADE[kind](), MADE[kind]()
    said = messages(pumped(fast, in_pieces(data, *cuts)))

    assert said == messages(pumped(slow, [answers.unnamed(data)]))
    assert fast.report == slow.report


def usual() -> bytes:
    """An answer of one message, as nearly all are."""
    item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant"}
    part = {"type": "output_text", "text": "Hi you", "annotations": [], "logprobs": []}
    done = {**item, "status": "completed", "content": [part]}
    about = full_answers.about
    ended = {"status": "completed", "output": [done], "usage": says.USAGE}
    bodies = [
        {"type": "response.created", "response": full_answers.RESPONSE},
        {"type": "response.in_progress", "response": full_answers.RESPONSE},
        says.added({**item, "content": []}),
        about("content_part.added", "msg_1", 0, content_index=0, part={**part, "text": ""}),
        says.text("Hi"),
        says.text(" you"),
        says.text_done("Hi you"),
        about("content_part.done", "msg_1", 0, content_index=0, part=part),
        says.done(done),
        {"type": "response.completed", "response": {**full_answers.RESPONSE, **ended}},
    ]
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (body["type"].encode(), written(body, number))
        for number, body in enumerate(bodies)
    )


def written(body: says.Body, number: int) -> bytes:
    return json.dumps({**body, "sequence_number": number}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("kind", "module", "decoded"),
    [
        ("chat", answer_translator, []),
        ("completions", answer_translator, []),
        ("messages", answer_translator, []),
        ("responses", responses_translator, []),
    ],
)
def test_of_the_usual_answer_hardly_an_event_is_decoded(
    kind: str, module: object, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    decode = module.decode_block  # type: ignore[attr-defined]

    def counted(block: bytes) -> object:
        names.append(block.partition(b"\n")[0].decode().removeprefix("event: response."))
        return decode(block)

    monkeypatch.setattr(module, "decode_block", counted)
    translator = TRANSLATORS[kind]()
    out = translator.feed(usual())

    assert b" you" in out
    assert translator.done
    assert names == decoded
    assert translator.report.events == usual().count(b"\n\n")


def test_the_second_object_of_a_response_is_written_as_the_first() -> None:
    created, under_way, *_ = messages(TRANSLATORS["responses"]().feed(usual()))

    assert under_way == {**created, "type": "response.in_progress", "sequence_number": 1}


def test_what_a_client_has_sent_of_a_response_comes_back_as_upstream_writes_it() -> None:
    """Instructions and tools may be long, and are not decoded."""
    data = usual().replace(b'"Answer."', b'"Answer. \\u00e9", "tools": [ {"a" : 1e0} ]')
    out = TRANSLATORS["responses"]().feed(data)

    assert data.count(b'"tools": [ {"a" : 1e0} ]') == 3
    assert out.count(b'"tools":[ {"a" : 1e0} ]') == 3
    assert out.count(b'"Answer. \\u00e9"') == 3


@pytest.mark.parametrize("kind", MADE)
def test_a_message_that_turns_out_to_be_commentary_is_told_as_such_from_then_on(kind: str) -> None:
    comment = {**says.message("late"), "phase": "commentary"}
    bodies = [
        says.created(),
        says.text("early"),
        says.added({**comment, "content": []}),
        says.text("late"),
        says.done(comment),
        says.completed(comment),
    ]
    data = b"".join(
        b"event: %b\ndata: %b\n\n" % (body["type"].encode(), written(body, number))
        for number, body in enumerate(bodies)
    )
    fast, slow = MADE[kind](), MADE[kind]()

    assert messages(fast.feed(data)) == messages(slow.feed(answers.unnamed(data)))
