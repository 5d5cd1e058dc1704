"""Where each item stands, and what the finished response holds."""

from typing import Any

import pytest
from support import upstream_says as says

from codex_proapi.gateway.translation.responses.items import ResponseItems, is_empty


def items(**options: Any) -> ResponseItems:
    made = ResponseItems(**{"rename": {}, "strip_namespace": "functions", **options})
    made.response_id = "resp_abc"
    return made


def test_an_item_keeps_its_place() -> None:
    passing = items()
    first, fresh = passing.begin(says.message(), 2)

    assert fresh
    assert (first.id, first.index, first.type) == ("msg_1", 2, "message")
    assert passing.begin(says.message(), 2) == (first, False)
    assert passing.begin(says.message(), None) == (first, False)
    assert passing.begin({"type": "message"}, 2) == (first, False)
    assert repr(passing) == "<ResponseItems 1>"


@pytest.mark.parametrize("index", [None, True, -1, "0", 1.5])
def test_an_item_without_an_index_comes_after_the_others(index: Any) -> None:
    passing = items()
    passing.begin(says.message(), 4)

    assert passing.begin(says.call("f"), index)[0].index == 5


@pytest.mark.parametrize(
    ("item", "id_"),
    [
        ({"type": "function_call"}, "fc_abc_0"),
        ({"type": "message", "id": None}, "msg_abc_0"),
        ({"type": "new_thing", "id": ""}, "item_abc_0"),
        ({}, "item_abc_0"),
        ({"id": "x" * 100}, "x" * 64),
    ],
)
def test_every_item_gets_an_id(item: Any, id_: str) -> None:
    passing = items()
    begun, _ = passing.begin(item, 0)

    assert begun.id == id_
    assert passing.rendered(item, begun)["id"] == id_


def test_an_event_finds_its_item_by_id_then_by_index_then_as_the_last_one() -> None:
    passing = items()
    assert passing.find({}) is None

    one, _ = passing.begin(says.message(), 0)
    two, _ = passing.begin(says.call("f"), 1)

    assert passing.find({"item_id": "msg_1", "output_index": 1}) is one
    assert passing.find({"item_id": "changed", "output_index": 0}) is one
    assert passing.find({"item_id": "changed"}) is two
    assert passing.find({"item_id": "changed"}, two.type) is two
    assert passing.find({"item_id": "changed"}, "reasoning") is None
    assert passing.find({"output_index": 7}) is None


def test_an_item_is_shown_under_the_clients_names() -> None:
    passing = items(rename={"short": "the.long/name"})
    begun, _ = passing.begin(says.call("short"), 0)

    assert passing.rendered({**says.call("short"), "namespace": "functions"}, begun) == says.call(
        "the.long/name"
    )
    assert passing.rendered({**says.call("other"), "namespace": "theirs"}, begun) == {
        **says.call("other"),
        "namespace": "theirs",
    }
    assert passing.rendered({"id": "ws_1", "name": ["odd"]}, begun)["name"] == ["odd"]


def test_the_finished_items_stand_in_for_an_empty_output() -> None:
    passing = items()
    call, message = says.call("f", "{}"), says.message("x")
    passing.begin(call, 1)[0].whole = call
    passing.begin(message, 0)[0].whole = message
    passing.begin(says.reasoning(), 2)

    shorter: list[Any] = [[], None, {}, [says.message("x")]]
    for provided in shorter:
        assert passing.output(provided) == [message, call]


def test_upstreams_own_output_counts_and_gets_ids() -> None:
    passing = items()
    passing.begin(says.message(), 0)[0].whole = says.message("x")

    assert passing.output([{"type": "message", "content": []}, "odd", {"type": "reasoning"}]) == [
        {"type": "message", "content": [], "id": "msg_1", "status": "completed"},
        {"type": "reasoning", "id": "rs_abc_1"},
    ]


def test_anything_heard_but_reasoning_is_known() -> None:
    passing = items()
    begun, _ = passing.begin(says.message(), 0)
    thinking, _ = passing.begin(says.reasoning(), 1)
    thinking.delivered.add(("summary_index", 0))
    assert not passing.anything_delivered

    begun.delivered.add(("content_index", 0))
    assert passing.anything_delivered


@pytest.mark.parametrize(
    ("output", "empty"),
    [
        ([], True),
        ([says.reasoning("Hm")], True),
        ([says.message()], True),
        ([says.reasoning("Hm"), says.message("x")], False),
        ([says.call("f")], False),
        ([{"type": "compaction"}], False),
    ],
)
def test_an_output_is_empty_without_a_word_or_a_call(output: Any, empty: bool) -> None:
    assert is_empty(output) is empty


def test_items_that_began_and_did_not_end_are_unfinished() -> None:
    passing = items()
    one, _ = passing.begin(says.message(), 1)
    two, _ = passing.begin(says.call("f"), 0)
    passing.begin(says.reasoning(), 2)
    one.begun = two.begun = says.message()
    assert passing.unfinished == [two, one]

    two.whole = says.call("f", "{}")
    assert passing.unfinished == [one]


@pytest.mark.parametrize(
    ("item", "fields"),
    [
        ({"type": "function_call"}, {"status": "completed", "call_id": "fc_abc_0"}),
        (
            {"type": "custom_tool_call", "status": None},
            {"status": "completed", "call_id": "ctc_abc_0"},
        ),
        ({"type": "message", "status": "incomplete"}, {"status": "incomplete"}),
        ({"type": "web_search_call"}, {"status": "completed"}),
        ({"type": "reasoning"}, {}),
    ],
)
def test_items_have_the_fields_schemas_require(item: Any, fields: Any) -> None:
    passing = items()
    begun, _ = passing.begin(item, 0)

    assert passing.rendered(item, begun) == {**item, "id": begun.id, **fields}
    if item.get("status") is None and "status" in fields:
        assert passing.rendered(item, begun, status="in_progress")["status"] == "in_progress"
