"""Calls and results made to agree."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.askings import assistant, call, result, user

from codex_proapi.gateway.translation.history import call_pairing
from codex_proapi.gateway.translation.history.call_pairing import INTERRUPTED, ORPHANED, paired

HI = user("hi")


def _orphan(text: str | None) -> dict[str, Any]:
    parts = [{"type": "input_text", "text": ORPHANED}]
    if text:
        parts.append({"type": "input_text", "text": text})
    return {"type": "message", "role": "user", "content": parts}


def _paired(*items: Any) -> list[Any]:
    before = copy.deepcopy(items)
    found = paired(list(items))
    assert items == before
    return found


def test_a_history_without_calls_is_itself() -> None:
    items = [HI, assistant("a")]

    assert paired(items) is items


def test_what_agrees_stays_as_it_is() -> None:
    items = [HI, call("a", "f"), call("b", "f"), result("a", "1"), result("b", "2"), HI]

    assert _paired(*items) == items
    assert _paired(*items)[1] is items[1]


def test_results_in_another_order_find_their_calls() -> None:
    items = [call("a", "f"), call("b", "f"), result("b", "2"), HI, result("a", "1")]

    assert _paired(*items) == items


def test_a_result_before_its_call_comes_after_it() -> None:
    assert _paired(result("a", "1"), HI, call("a", "f"), call("b", "f"), result("b", "2")) == [
        HI,
        call("a", "f"),
        call("b", "f"),
        result("a", "1"),
        result("b", "2"),
    ]


def test_calls_without_results_were_interrupted() -> None:
    assert _paired(call("a", "f"), call("b", "f"), result("b", "2"), HI, call("c", "f")) == [
        call("a", "f"),
        call("b", "f"),
        result("a", INTERRUPTED),
        result("b", "2"),
        HI,
        call("c", "f"),
        result("c", INTERRUPTED),
    ]


def test_results_without_calls_become_reports() -> None:
    image = {"type": "input_image", "image_url": "https://x/y"}

    assert _paired(HI, result("gone", "text"), result("gone", ""), result("gone", [image])) == [
        HI,
        _orphan("text"),
        _orphan(None),
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": ORPHANED}, image],
        },
    ]


def test_a_second_result_of_one_call_is_a_report() -> None:
    assert _paired(call("a", "f"), result("a", "1"), result("a", "2")) == [
        call("a", "f"),
        result("a", "1"),
        _orphan("2"),
    ]


def test_an_id_used_twice_gets_a_number() -> None:
    assert _paired(
        call("a", "f"), result("a", "1"), call("a", "f"), call("a_2", "f"), result("a", "2"),
        result("a_2", "3"),
    ) == [
        call("a", "f"), result("a", "1"), call("a_3", "f"), call("a_2", "f"), result("a_3", "2"),
        result("a_2", "3"),
    ]  # fmt: skip


def test_missing_ids_are_made_up_and_matched_in_turn() -> None:
    assert _paired(
        HI, call("", "f"), call("", "g"), result("", "1"), result("", "2"), result("", "3")
    ) == [
        HI,
        call("call_1", "f"),
        call("call_2", "g"),
        result("call_1", "1"),
        result("call_2", "2"),
        _orphan("3"),
    ]


def test_a_made_up_id_is_not_one_a_client_gave() -> None:
    assert _paired(call("", "f"), call("call_0", "f"), result("call_0", "1"), result("", "2")) == [
        call("call_0_2", "f"),
        call("call_0", "f"),
        result("call_0", "1"),
        result("call_0_2", "2"),
    ]


def test_a_result_without_an_id_goes_to_the_tool_it_names() -> None:
    named = {**result("", "2"), "name": "g"}

    assert _paired(call("", "f"), call("", "g"), named, {**result("", "1"), "name": "f"}) == [
        call("call_0", "f"),
        call("call_1", "g"),
        result("call_1", "2"),
        result("call_0", "1"),
    ]


def test_a_call_that_has_its_result_is_passed_over() -> None:
    named = {**result("", "2"), "name": "f"}

    assert _paired(call("", "f"), call("", "f"), result("", "1"), named) == [
        call("call_0", "f"),
        call("call_1", "f"),
        result("call_0", "1"),
        result("call_1", "2"),
    ]


def test_a_result_without_an_id_never_goes_to_a_later_call() -> None:
    assert _paired(result("", "1"), call("", "f")) == [
        _orphan("1"),
        call("call_1", "f"),
        result("call_1", INTERRUPTED),
    ]


def test_long_ids_are_shortened_alike_on_both_sides() -> None:
    first, second = "c" * 65, "c" * 66
    found = _paired(call(first, "f"), call(second, "f"), result(second, "2"), result(first, "1"))
    ids = [item["call_id"] for item in found]

    assert ids == [ids[0], ids[1], ids[1], ids[0]]
    assert len(set(ids)) == 2
    assert all(len(each) == 64 and each.startswith("c" * 47) for each in ids)


def test_a_result_takes_its_calls_kind() -> None:
    custom = {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": "x"}

    assert _paired(custom, result("a", "done")) == [
        custom,
        {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
    ]


def test_reasoning_stays_before_its_call() -> None:
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "E"}

    assert _paired(thought, call("a", "f"), thought, call("b", "f"), result("b", "2")) == [
        thought,
        call("a", "f"),
        result("a", INTERRUPTED),
        thought,
        call("b", "f"),
        result("b", "2"),
    ]


def test_a_long_history_of_bad_ids_takes_no_longer_than_its_length() -> None:
    calls = [call("", "f"), call("same", "f"), call("same", "f"), result("", "1")]
    found = paired(calls * 20_000)

    assert len({item["call_id"] for item in found if item["type"] == "function_call"}) == 60_000


_FOREIGN = {"custom_tool_call": {"output"}, "custom_tool_call_output": {"name", "input"}}
_IDS = st.sampled_from(["a", "b", "c", "", "x" * 65])
_CUSTOM = st.builds(
    lambda call_id, kind: {
        "type": kind,
        "call_id": call_id,
        "name": "p",
        "input": "",
        "output": "",
    },
    _IDS,
    st.sampled_from(["custom_tool_call", "custom_tool_call_output"]),
).map(lambda item: {name: item[name] for name in item if name not in _FOREIGN[item["type"]]})
_ITEMS = st.lists(
    st.builds(call, _IDS, st.just("f"))
    | st.builds(result, _IDS, st.just("1"))
    | _CUSTOM
    | st.just(HI),
    max_size=8,
)


@given(_ITEMS)
def test_a_history_that_agrees_at_first_sight_is_what_pairing_makes_of_it(
    items: list[dict[str, Any]],
) -> None:
    found = paired(items)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(call_pairing, "_is_paired", lambda _: False)
        assert paired(items) == found
