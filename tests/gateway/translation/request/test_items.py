"""What items of the Responses API become."""

from typing import Any

import pytest
from support.askings import HI, PIXEL, asked, assistant, call, developer, result, user

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.items import (
    history_items,
    is_upstream_id,
    references_of,
)
from codex_proapi.gateway.translation.tools.tool_names import ToolNames

CUSTOM = {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "x"}


def _items(entries: Any, **rest: Any) -> list[Any]:
    reading = TranslationContext(names=ToolNames(), dropped=Dropped(), **rest)
    return history_items(entries, "input", reading)


@pytest.mark.parametrize(
    ("entries", "items"),
    [
        ("hi", [user("hi")]),
        ("", []),
        ([], []),
        ({"role": "user", "content": "hi"}, [user("hi")]),
        (["hi"], [user("hi")]),
        ([{"role": "system", "content": "S"}], [developer("S")]),
        (
            [{"type": "message", "role": "assistant", "id": "msg_123", "status": "completed",
              "content": [{"type": "output_text", "text": "a", "annotations": [], "logprobs": []}]}],
            [assistant("a")],
        ),
        ([{"type": "message", "role": "user", "content": "hi"}], [user("hi")]),
        ([{"type": "input_text", "text": "hi"}], [user("hi")]),
        ([{"type": "input_text", "text": ""}], []),
        (
            [{"type": "input_image", "image_url": PIXEL}],
            [{"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": PIXEL}]}],
        ),
        (
            [{"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "",
              "status": "completed", "namespace": "functions"}],
            [call("c", "f")],
        ),
        ([{"type": "function_call", "id": "fc_1", "name": "f", "arguments": {"a": 1}}],
         [call("fc_1", "f", '{"a":1}')]),
        ([{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}], [call("t", "f", '{"a":1}')]),
        ([{**CUSTOM, "id": "ctc_1", "status": "completed"}], [CUSTOM]),
        ([{"type": "custom_tool_call", "call_id": "c", "name": "patch"}], [{**CUSTOM, "input": ""}]),
        ([{"type": "function_call_output", "call_id": "c", "output": "x", "id": "fco_1", "status": "s"}],
         [result("c", "x")]),
        ([{"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "output_text", "text": "x"}]}],
         [result("c", [{"type": "input_text", "text": "x"}])]),
        ([{"type": "tool_result", "tool_use_id": "c", "content": "x"}], [result("c", "x")]),
        ([{"type": "function_call_output", "call_id": "c", "output": None}], [result("c", "")]),
        (
            [{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}, 7],
              "content": None, "encrypted_content": "E", "status": None}],
            [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}], "encrypted_content": "E"}],
        ),
        ([{"type": "reasoning", "id": "rs_1", "encrypted_content": "E", "summary": 7}],
         [{"type": "reasoning", "summary": [], "encrypted_content": "E"}]),
        ([{"type": "reasoning", "id": "rs_1", "summary": [{"text": "t"}]}],
         [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "t"}]}]),
        ([{"type": "reasoning", "id": "rs_1", "summary": []}], []),
        ([{"type": "item_reference", "id": "msg_1"}], [{"type": "item_reference", "id": "msg_1"}]),
        ([{"id": "rs_1"}], [{"type": "item_reference", "id": "rs_1"}]),
        ([{"type": "compaction", "id": "cmp_1", "encrypted_content": "E", "created_by": "x"}],
         [{"type": "compaction", "encrypted_content": "E"}]),
        ([{"type": "compaction_trigger", "x": 1}], [{"type": "compaction_trigger"}]),
        ([{"type": "additional_tools", "tools": []}], []),
        (
            [{"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"},
              "internal_chat_message_metadata_passthrough": {}}],
            [{"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}],
        ),
        ([{"type": "web_search_call", "id": "made up", "status": "x"}],
         [{"type": "web_search_call", "status": "x"}]),
        ([{"type": "something_new", "id": "x", "y": {"z": 1}}],
         [{"type": "something_new", "id": "x", "y": {"z": 1}}]),
    ],
)  # fmt: skip
def test_an_entry_becomes_items(entries: Any, items: Any) -> None:
    assert _items(entries) == items


def test_a_function_call_of_a_custom_tool_is_custom() -> None:
    entry = {"type": "function_call", "call_id": "c", "name": "patch", "arguments": "x"}

    assert _items([entry], custom=frozenset({"patch"})) == [CUSTOM]
    assert _items([CUSTOM], custom=frozenset({"patch"})) == [CUSTOM]


def test_what_passes_is_not_the_clients_own_object() -> None:
    entry = {"type": "something_new", "id": "x"}

    assert _items([entry])[0] is not entry


@pytest.mark.parametrize(
    ("entries", "param"),
    [
        (7, "input"),
        ([7], "input[0]"),
        ([None], "input[0]"),
        ([{}], "input[0].role"),
        ([{"type": 7}], "input[0].type"),
        ([{"type": "function_call", "call_id": "c"}], "input[0].name"),
        ([{"type": "item_reference"}], "input[0].id"),
        ([{"type": "compaction"}], "input[0].encrypted_content"),
        ([{"type": "compaction", "encrypted_content": 7}], "input[0].encrypted_content"),
    ],
)
def test_what_is_no_entry_is_refused(entries: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _items(entries)

    assert refused.value.param == param


def test_references_are_found() -> None:
    assert references_of(_items([{"id": "rs_1"}, "hi", {"type": "item_reference", "id": "b"}])) == (
        "rs_1",
        "b",
    )


@pytest.mark.parametrize(
    ("kind", "item_id", "sound"),
    [
        ("message", "msg_1", True),
        ("message", "item_1", False),
        ("message", "msg_" + "1" * 61, False),
        ("message", 7, False),
        ("something_new", "anything", True),
        ("message", "msg_review:rollout:user", False),
        ("local_shell_call", "", False),
        ("something_new", "a b", False),
    ],
)
def test_ids_that_can_be_upstreams(kind: str, item_id: Any, sound: bool) -> None:
    assert is_upstream_id(kind, item_id) is sound


@pytest.mark.parametrize("kind", ["other", {"a": 1}, ["search"], 7])
def test_a_search_that_upstream_does_not_take_back_is_left_out(kind: Any) -> None:
    other = {"type": "web_search_call", "id": "ws_1", "action": {"type": kind}}
    found = {"type": "web_search_call", "id": "ws_2", "action": {"type": "open_page", "url": "u"}}

    translated = asked({"input": [other, found, HI]}, endpoint="responses")

    assert translated.request.input[0] == found
    assert "input.web_search_call" in translated.dropped
