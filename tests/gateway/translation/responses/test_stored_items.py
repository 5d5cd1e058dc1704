"""Kept items put where a client only named them."""

import json
from typing import Any

import pytest
from support.askings import CODEX, asked, assistant, call, developer, result, tool, user
from support.upstream_rules import broken_rule

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.translation.history.call_pairing import INTERRUPTED
from codex_proapi.gateway.translation.responses.stored_items import expand

FIRST = [
    developer("S"),
    user("hi"),
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "E"},
    {**call("c1", "read"), "id": "fc_1", "status": "completed", "namespace": "functions"},
]
"""What was kept of a first turn: its history, then upstream's own output items."""
REASONING = {"type": "reasoning", "summary": [], "encrypted_content": "E"}


def _kept(*items: Any) -> list[bytes]:
    return [json.dumps(item).encode() for item in items]


def _asked(entries: Any, **rest: Any) -> Any:
    circumstances = {"client": rest.pop("client")} if "client" in rest else {}
    return asked({"input": entries, **rest}, endpoint="responses", **circumstances)


def test_a_previous_response_stands_before_what_is_new() -> None:
    translated = _asked([result("c1", "text")], previous_response_id="resp_1", tools=[tool("read")])
    found = expand(translated, previous_items=_kept(*FIRST), referenced_items={})

    assert list(found.request.input) == [
        developer("S"),
        user("hi"),
        REASONING,
        call("c1", "read"),
        result("c1", "text"),
    ]
    assert not found.unresolved
    assert found.previous_response_id == "resp_1"
    assert found.history == found.request.input
    assert broken_rule(found.request) is None


def test_the_conversation_is_named_as_in_its_first_turn() -> None:
    first = asked({"input": FIRST[:2]}, endpoint="responses")
    translated = _asked([result("c1", "text")], previous_response_id="resp_1")
    found = expand(translated, previous_items=_kept(*FIRST), referenced_items={})

    assert found.fingerprint_source == first.fingerprint_source
    assert found.request.session_id == first.request.session_id


def test_an_unknown_previous_response_is_refused_in_the_words_clients_look_for() -> None:
    translated = _asked("hi", previous_response_id="resp_gone")

    with pytest.raises(BadRequest) as refused:
        expand(translated, previous_items=None, referenced_items={})

    assert refused.value.code == "previous_response_not_found"
    assert refused.value.param == "previous_response_id"
    assert refused.value.message == "Previous response with id 'resp_gone' not found."


def test_references_are_replaced_where_they_stand() -> None:
    entries = [
        user("hi"),
        {"type": "item_reference", "id": "rs_1"},
        {"type": "item_reference", "id": "fc_1"},
        result("c1", "text"),
    ]
    known = {item["id"]: json.dumps(item).encode() for item in FIRST if "id" in item}
    found = expand(_asked(entries), previous_items=None, referenced_items=known)

    assert list(found.request.input) == [
        user("hi"),
        REASONING,
        call("c1", "read"),
        result("c1", "text"),
    ]


def test_lost_reasoning_is_done_without() -> None:
    entries = [user("hi"), {"type": "item_reference", "id": "rs_gone"}, assistant("a")]
    found = expand(_asked(entries), previous_items=None, referenced_items={})

    assert list(found.request.input) == [user("hi"), assistant("a")]


def test_any_other_lost_item_is_refused() -> None:
    translated = _asked([user("hi"), {"id": "msg_gone"}])

    with pytest.raises(BadRequest, match="'msg_gone' not found") as refused:
        expand(translated, previous_items=None, referenced_items={})

    assert (refused.value.code, refused.value.param) == ("item_not_found", "input")


def test_calls_of_the_kept_history_without_results_were_interrupted() -> None:
    found = expand(
        _asked("go on", previous_response_id="r"), previous_items=_kept(*FIRST), referenced_items={}
    )

    assert list(found.request.input)[-2:] == [result("c1", INTERRUPTED), user("go on")]


def test_kept_calls_of_custom_tools_are_custom() -> None:
    patch = {"type": "custom", "name": "patch"}
    kept = _kept({"type": "function_call", "call_id": "c", "name": "patch", "arguments": "x"})
    translated = _asked([result("c", "ok")], previous_response_id="r", tools=[patch])
    found = expand(translated, previous_items=kept, referenced_items={})

    assert [item["type"] for item in found.request.input] == [
        "custom_tool_call",
        "custom_tool_call_output",
    ]


def test_names_kept_in_full_can_be_restored() -> None:
    kept = _kept(call("c", "x" * 80), result("c", "y"))
    found = expand(
        _asked("go on", previous_response_id="r"), previous_items=kept, referenced_items={}
    )

    assert list(found.tool_names.values()) == ["x" * 80]
    assert found.request.input[0]["name"] in found.tool_names


def test_codexs_kept_items_pass_as_they_are() -> None:
    kept = [{"type": "something_new", "id": "x", "y": 1}, call("c", "f")]
    translated = _asked([user("hi")], previous_response_id="r", client=CODEX)
    found = expand(translated, previous_items=_kept(*kept), referenced_items={})

    assert list(found.request.input) == [*kept, user("hi")]


def test_what_is_whole_stays_as_it_is() -> None:
    translated = _asked("hi")

    assert expand(translated, previous_items=None, referenced_items={}) is translated
