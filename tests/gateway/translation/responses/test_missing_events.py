"""Events upstream left out, made from what it did say."""

from typing import Any

import pytest
from support import upstream_says as says

from codex_proapi.gateway.translation.responses.items import ResponseItems
from codex_proapi.gateway.translation.responses.missing_events import (
    BY_DELTA,
    BY_DONE,
    before_delta,
    before_done,
    before_item_done,
    beginning_of,
    finished_item,
    item_added,
    part_added,
)

TEXT = BY_DELTA["response.output_text.delta"]
ARGUMENTS = BY_DELTA["response.function_call_arguments.delta"]
AT = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
MESSAGE_ADDED = {
    "type": "response.output_item.added",
    "output_index": 0,
    "item": {
        "id": "msg_1",
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    },
}
PART_ADDED = {
    "type": "response.content_part.added",
    **AT,
    "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
}


def items(*begun: says.Body) -> ResponseItems:
    made = ResponseItems(rename={}, strip_namespace="functions")
    made.response_id = "resp_1"
    for i, item in enumerate(begun):
        made.begin(item, i)
    return made


def kinds(bodies: list[says.Body] | None) -> list[str]:
    return [body["type"].removeprefix("response.") for body in bodies or []]


def test_a_delta_is_announced_by_its_item_and_its_part_once() -> None:
    passing = items()

    assert before_delta(TEXT, says.text("a"), passing) == [MESSAGE_ADDED, PART_ADDED]
    assert before_delta(TEXT, says.text("b"), passing) == []
    assert kinds(before_delta(TEXT, says.text("c", part=1), passing)) == ["content_part.added"]


def test_a_delta_gets_the_fields_it_lacks() -> None:
    passing = items(says.message())
    body = {"type": "response.output_text.delta", "delta": "x"}
    before_delta(TEXT, body, passing)

    assert body == {**says.text("x")}


def test_a_delta_of_an_unknown_call_cannot_be_told_yet() -> None:
    assert before_delta(ARGUMENTS, says.arguments("{"), items()) is None


def test_a_delta_of_a_known_call_needs_nothing_before_it() -> None:
    assert before_delta(ARGUMENTS, says.arguments("{"), items(says.call("f"))) == []


def test_all_of_a_text_without_deltas_becomes_one() -> None:
    passing = items()
    done = BY_DONE["response.output_text.done"]

    assert before_done(done, says.text_done("Hi"), passing) == [
        MESSAGE_ADDED,
        PART_ADDED,
        says.text("Hi"),
    ]
    assert before_done(done, says.text_done("Hi"), passing) == []
    assert before_done(done, says.text_done("", part=1), passing) == [
        {**PART_ADDED, "content_index": 1}
    ]


def test_all_of_the_arguments_without_deltas_become_one() -> None:
    done = BY_DONE["response.function_call_arguments.done"]

    assert before_done(done, says.arguments_done("{}"), items(says.call("f"))) == [
        says.arguments("{}")
    ]
    assert before_done(done, says.arguments_done("{}"), items()) is None
    assert (
        before_done(done, {**says.arguments_done(""), "arguments": None}, items(says.call("f")))
        == []
    )


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (
            says.message("Hi"),
            [
                PART_ADDED,
                says.text("Hi"),
                says.text_done("Hi"),
                {
                    **PART_ADDED,
                    "type": "response.content_part.done",
                    "part": {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []},
                },
            ],
        ),
        (says.call("f", "{}"), [says.arguments("{}"), says.arguments_done("{}")]),
        (says.call("f", ""), []),
        ({**says.call("f"), "arguments": {"odd": 1}}, []),
        ({"type": "compaction", "id": "cmp_1"}, []),
        ({**says.message(), "content": None}, []),
        ({**says.message(), "content": ["odd", {"type": "image"}, {"type": "output_text", "text": None}]}, []),
    ],
)  # fmt: skip
def test_what_was_not_told_of_a_finished_item_is_told(item: says.Body, told: Any) -> None:
    passing = items(item).begin(item, 0)[0]

    bodies = before_item_done(item, passing)

    assert [{k: v for k, v in body.items() if k != "logprobs"} for body in bodies] == [
        {k: v for k, v in body.items() if k != "logprobs"} for body in told
    ]
    assert before_item_done(item, passing) == []


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (
            {"id": "msg_1", "type": "message", "content": [{"type": "refusal", "refusal": "No"}]},
            ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"],
        ),
        (
            says.reasoning("One"),
            [
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
            ],
        ),
        (
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "raw"}]},
            ["content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done"],
        ),
        (
            says.custom("p", "*"),
            ["custom_tool_call_input.delta", "custom_tool_call_input.done"],
        ),
    ],
)  # fmt: skip
def test_every_kind_of_part_has_its_events(item: says.Body, told: list[str]) -> None:
    assert kinds(before_item_done(item, items(item).begin(item, 0)[0])) == told


def test_the_beginning_of_a_part_passes_once_and_after_that_of_its_item() -> None:
    passing = items()

    assert part_added({**PART_ADDED}, passing) == [MESSAGE_ADDED, PART_ADDED]
    assert part_added({**PART_ADDED}, passing) == []


@pytest.mark.parametrize("part", [None, {}, {"type": "brand_new"}])
def test_the_beginning_of_an_unknown_part_passes(part: Any) -> None:
    body = {**PART_ADDED, "part": part}

    assert part_added(body, items()) == [body]


def test_an_item_of_which_only_the_end_is_known_begins_empty() -> None:
    call = says.call("f", "{}")
    passing = items(call).begin(call, 0)[0]

    assert item_added(call, passing) == says.added(
        {**call, "arguments": "", "status": "in_progress"}
    )
    assert beginning_of("compaction") == {}


def test_an_item_whose_parts_all_ended_can_be_finished() -> None:
    passing = items()
    before_done(BY_DONE["response.output_text.done"], says.text_done("b", part=1), passing)
    before_done(BY_DONE["response.output_text.done"], says.text_done("a"), passing)
    (begun,) = passing.unfinished

    assert finished_item(begun) == {
        "id": "msg_1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [
            {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
            for text in "ab"
        ],
    }


def test_a_call_whose_arguments_ended_can_be_finished() -> None:
    passing = items(says.call("f"))
    before_done(
        BY_DONE["response.function_call_arguments.done"], says.arguments_done("{}"), passing
    )
    begun, _ = passing.begin(says.call("f"), 0)
    begun.begun = says.call("f")

    assert finished_item(begun) == {**says.call("f", "{}"), "status": "completed"}


def test_an_item_of_which_some_part_did_not_end_cannot() -> None:
    passing = items()
    before_delta(TEXT, says.text("a"), passing)
    (begun,) = passing.unfinished
    assert finished_item(begun) is None

    before_done(BY_DONE["response.output_text.done"], says.text_done("b", part=1), passing)
    assert finished_item(begun) is None
