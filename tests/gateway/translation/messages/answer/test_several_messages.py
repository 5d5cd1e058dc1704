"""One answer in several messages of upstream: paragraphs of one block, commentary out of structured answers."""

import json
from typing import Any

import pytest
from support import upstream_says as says
from support.messages_streams import content, text, used
from support.playbook import sse
from support.strict_messages import StrictReader

from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.translator import MessagesTranslator

COMMENTARY = {**says.message("I look."), "phase": "commentary"}
FINAL = {**says.message('{"a":1}', id_="msg_2"), "phase": "final_answer"}
SPOKEN = (
    says.added({**COMMENTARY, "content": []}),
    says.text("I "),
    says.text("look."),
    says.done(COMMENTARY),
)
IN_PIECES = (
    *SPOKEN,
    says.added({**FINAL, "content": []}, at=1),
    says.text('{"a"', item="msg_2", at=1),
    says.text(":1}", item="msg_2", at=1),
    says.done(FINAL, at=1),
)
WHOLE_ITEMS = (says.done(COMMENTARY), says.done(FINAL, at=1))
CALL = says.call("Bash", '{"command":"ls"}')


@pytest.mark.parametrize("bodies", [WHOLE_ITEMS, IN_PIECES])
def test_commentary_is_no_part_of_a_structured_answer(bodies: Any) -> None:
    assert content(*bodies, says.completed(), structured=True) == [text('{"a":1}')]


@pytest.mark.parametrize("bodies", [WHOLE_ITEMS, IN_PIECES])
def test_messages_are_paragraphs_of_one_block(bodies: Any) -> None:
    assert content(*bodies, says.completed()) == [text('I look.\n\n{"a":1}')]


@pytest.mark.parametrize("structured", [True, False])
@pytest.mark.parametrize("bodies", [SPOKEN, (says.done(COMMENTARY),)])
def test_commentary_that_no_answer_follows_is_the_answer(bodies: Any, structured: bool) -> None:
    assert content(*bodies, says.completed(), structured=structured) == [text("I look.")]


@pytest.mark.parametrize("structured", [True, False])
@pytest.mark.parametrize("begun", [(says.added(CALL, at=1),), ()])
def test_commentary_before_a_call_stands_before_it(begun: Any, structured: bool) -> None:
    found = content(*SPOKEN, *begun, says.done(CALL, at=1), says.completed(), structured=structured)

    assert found == [text("I look."), used("Bash", command="ls")]


def test_text_after_a_call_begins_a_block_without_a_blank_line() -> None:
    found = content(
        says.done(COMMENTARY), says.done(CALL, at=1), says.done(FINAL, at=2), says.completed()
    )

    assert [block.get("text") for block in found] == ["I look.", None, '{"a":1}']


@pytest.mark.parametrize("structured", [True, False])
def test_a_stream_of_bytes_says_the_same(structured: bool) -> None:
    translator = MessagesTranslator(
        MessagesOptions(structured=structured), message_id="msg_1", model="m"
    )

    out = translator.feed(sse(says.created(), *IN_PIECES, says.completed())) + translator.finish()

    [block] = StrictReader().read(out).content
    assert block == text('{"a":1}' if structured else 'I look.\n\n{"a":1}')
    assert not structured or json.loads(block["text"]) == {"a": 1}


@pytest.mark.parametrize(
    "bodies",
    [
        (says.text("a"), says.refusal("b", item="msg_2", at=1), says.text("c")),
        (
            {**says.text("a"), "output_index": None},
            {**says.text("b", item="msg_2"), "output_index": None},
            {**says.text("c"), "output_index": None},
        ),
    ],
)
def test_a_delta_of_another_message_is_never_passed_on_unseen(bodies: Any) -> None:
    translator = MessagesTranslator(MessagesOptions(), message_id="msg_1", model="m")

    out = translator.feed(sse(says.created(), *bodies, says.completed())) + translator.finish()

    assert StrictReader().read(out).content == [text("a\n\nb\n\nc")]
