from typing import Any

import msgspec
import pytest

from codex_proapi.commons.codex.minimal_request import LITE_HEADER, LITE_KEY
from codex_proapi.gateway.upstream.websocket.continuation import (
    ADDED,
    COMPLETED,
    DONE,
    MOST_ITEMS,
    AnswerMarks,
    Asked,
    Continuation,
)
from codex_proapi.gateway.upstream.websocket.frames import CreateRequest

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
MORE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "more"}]}
SAID = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "phase": "final_answer",
    "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "hello"}],
}
THOUGHT = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "…"}],
    "content": None,
    "encrypted_content": "gAAAAA",
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "status": "completed",
    "namespace": "functions",
    "name": "read",
    "call_id": "call_1",
    "arguments": '{"path": "a"}',
}


def asked(*items: Any, headers: Any = None, **fields: Any) -> Asked:
    body = {"model": "m", "instructions": "Be brief.", "input": items, "store": False, **fields}
    encoded = msgspec.json.encode(body)
    return Asked(CreateRequest(encoded, headers or {}), len(encoded))


def marks(*output: Any, response_id: str = "resp_1") -> AnswerMarks:
    found = AnswerMarks()
    for index, item in enumerate(output):
        note(found, DONE, item=item, output_index=index)
    note(found, COMPLETED, response={"id": response_id, "status": "completed", "output": []})
    return found


def note(found: AnswerMarks, name: bytes, **fields: Any) -> None:
    found.note(name, msgspec.json.encode({"type": name.decode(), **fields}))


def after(first: Asked, *output: Any) -> Continuation:
    first.note()
    made = first.continuation(marks(*output).answered())
    assert made is not None
    return made


def new_items(following: Asked, last: Continuation) -> list[Any] | None:
    """The items of the frame that follows; None where everything must be sent."""
    frame = following.after(last)
    if not frame:
        return None
    decoded = msgspec.json.decode(frame)
    assert decoded["previous_response_id"] == "resp_1"
    assert decoded["type"] == "response.create"
    return list(decoded["input"])


def without(item: Any, *names: str, **changes: Any) -> Any:
    return {name: value for name, value in item.items() if name not in names} | changes


@pytest.mark.parametrize(
    ("made", "returned"),
    [
        (SAID, SAID),
        (SAID, without(SAID, "id", "status")),
        (SAID, without(SAID, "id", "status", "phase")),
        (
            SAID,
            without(SAID, "id", "status", content=[{"type": "output_text", "text": "hello"}]),
        ),
        (THOUGHT, THOUGHT),
        (THOUGHT, without(THOUGHT, "id", "content")),
        (THOUGHT, without(THOUGHT, "id", "content", summary=[])),
        (CALL, CALL),
        (CALL, without(CALL, "id", "status", "namespace", arguments='{"path":"a"}')),
    ],
)
def test_an_item_that_says_the_same_is_the_same(made: Any, returned: Any) -> None:
    last = after(asked(USER), made)

    assert new_items(asked(USER, returned, MORE), last) == [MORE]


@pytest.mark.parametrize(
    ("made", "returned"),
    [
        (SAID, without(SAID, content=[{"type": "output_text", "text": "hello!"}])),
        (SAID, without(SAID, phase="commentary")),
        (SAID, without(SAID, role="user")),
        (THOUGHT, without(THOUGHT, encrypted_content="gBBBB")),
        (THOUGHT, without(THOUGHT, "encrypted_content")),
        (THOUGHT, without(THOUGHT, summary=[{"type": "summary_text", "text": "other"}])),
        (CALL, without(CALL, arguments='{"path":"b"}')),
        (CALL, without(CALL, name="write")),
        (CALL, without(CALL, call_id="call_2")),
        (CALL, without(CALL, namespace="files")),
        (SAID, MORE),
    ],
)
def test_an_item_that_says_something_else_is_a_difference(made: Any, returned: Any) -> None:
    last = after(asked(USER), made)

    assert new_items(asked(USER, returned, MORE), last) is None


@pytest.mark.parametrize(
    "following",
    [
        asked(USER, SAID, MORE, instructions="Be long."),
        asked(USER, SAID, MORE, model="n"),
        asked(USER, SAID, MORE, tools=[{"type": "web_search"}]),
        asked(USER, SAID, MORE, reasoning={"effort": "low"}),
        asked(without(USER, role="developer"), SAID, MORE),
        asked(without(USER, id="msg_9"), SAID, MORE),
        asked(USER, USER, SAID, MORE),
        asked(USER, MORE, SAID),
        asked(SAID, MORE),
        asked(USER, SAID),
        asked(USER),
        asked(),
    ],
)
def test_everything_else_must_be_equal_to_the_letter(following: Asked) -> None:
    assert new_items(following, after(asked(USER), SAID)) is None


def test_what_differs_from_turn_to_turn_is_no_difference() -> None:
    last = after(asked(USER, client_metadata={"turn_id": "1"}), SAID)

    assert new_items(asked(USER, SAID, MORE, client_metadata={"turn_id": "2"}), last) == [MORE]


def test_a_prepared_conversation_without_items_is_continued() -> None:
    last = after(asked())

    assert new_items(asked(USER, MORE), last) == [USER, MORE]


def test_an_item_that_is_longer_than_the_last_input_is_no_continuation_of_it() -> None:
    last = after(asked(USER), SAID)
    longer = asked({**USER, "content": [{"type": "input_text", "text": "hi, more"}]}, SAID, MORE)

    assert new_items(longer, last) is None


def test_items_are_compared_in_their_order_whenever_they_were_finished() -> None:
    first = asked(USER)
    first.note()
    found = AnswerMarks()
    note(found, DONE, item=SAID, output_index=1)
    note(found, DONE, item=THOUGHT, output_index=0)
    note(found, COMPLETED, response={"id": "resp_1"})
    last = first.continuation(found.answered())

    assert last is not None
    assert new_items(asked(USER, THOUGHT, SAID, MORE), last) == [MORE]
    assert new_items(asked(USER, SAID, THOUGHT, MORE), last) is None


@pytest.mark.parametrize(
    "events",
    [
        [(DONE, {"item": SAID, "output_index": 1})],
        [(DONE, {"item": SAID, "output_index": 0}), (DONE, {"item": SAID, "output_index": 0})],
        [(ADDED, {"item": SAID, "output_index": 0})],
        [(DONE, {"item": "no item", "output_index": 0})],
        [(DONE, {"item": SAID})],
        [(DONE, {"item": SAID, "output_index": index}) for index in range(MOST_ITEMS + 1)],
    ],
)
def test_an_answer_that_was_not_understood_is_not_continued(events: Any) -> None:
    found = AnswerMarks()
    for name, fields in events:
        note(found, name, **fields)
    note(found, COMPLETED, response={"id": "resp_1"})

    assert found.answered() is None


@pytest.mark.parametrize("response", [{"id": ""}, {"id": "resp_1", "status": "incomplete"}, {}])
def test_only_a_whole_answer_with_an_id_is_continued(response: Any) -> None:
    found = AnswerMarks()
    note(found, COMPLETED, response=response)

    assert found.answered() is None


def test_the_lite_flag_stands_in_every_frame() -> None:
    lite = {LITE_HEADER: "true"}
    last = after(asked(USER, headers=lite, client_metadata={"a": "b"}), SAID)
    following = asked(USER, SAID, MORE, headers=lite, client_metadata={"a": "c"})
    for frame in (following.whole(), following.after(last)):
        assert msgspec.json.decode(frame)["client_metadata"] == {"a": "c", LITE_KEY: "true"}


def test_a_request_that_was_forgotten_leaves_its_digests() -> None:
    first = asked(USER)
    first.note()
    first.forget()
    last = first.continuation(marks(SAID).answered())

    assert last is not None
    assert new_items(asked(USER, SAID, MORE), last) == [MORE]
