"""What of Codex's own requests is touched, and what is not."""

import json
from typing import Any

import pytest
from support.askings import assistant, developer, user

from codex_proapi.commons.codex.model_catalogue import Catalogue, Model, Resolved
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import ClientBody, decode_body
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.responses.codex_client import (
    codex_choice,
    codex_items,
    codex_metadata,
    codex_reasoning,
    codex_tools,
    is_lite,
    note_codex_dropped,
)

RESOLVED = Catalogue.built_in().resolve("gpt-5.5")


def _body(**values: Any) -> ClientBody:
    return ClientBody(values=values)


@pytest.mark.parametrize(
    "item",
    [
        {**user("hi"), "id": "msg_1", "internal_chat_message_metadata_passthrough": {"turn_id": "t"}},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "E"},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "a.b", "namespace": "n"},
        {"type": "function_call_output", "id": "fco_1", "call_id": "gone", "output": "x"},
        {"type": "additional_tools", "id": "at_1", "tools": [{"type": "namespace", "name": "n"}]},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "E"},
        {"type": "something_new", "id": "anything", "x": [1]},
        {"type": "tool_search_call", "call_id": "c", "status": "completed"},
    ],
)  # fmt: skip
def test_an_item_passes_as_it_is(item: Any) -> None:
    assert codex_items([item]) == [item]


THOUGHT = {"type": "summary_text", "text": "t"}


@pytest.mark.parametrize(
    ("entry", "item"),
    [
        ({"role": "user", "content": "hi"}, user("hi")),
        ({"type": None, "role": "user", "content": "hi"}, user("hi")),
        ({"type": "message", "role": "system", "content": "S"}, developer("S")),
        ({"role": "assistant", "content": "a"}, assistant("a")),
        ({**user("hi"), "id": "made up"}, user("hi")),
        ({**user("hi"), "id": "msg_" + "1" * 64}, user("hi")),
        ({"type": "something_new", "id": 7}, {"type": "something_new"}),
        (
            {"type": "reasoning", "id": "made up", "encrypted_content": "E"},
            {"type": "reasoning", "summary": [], "encrypted_content": "E"},
        ),
        (
            {"type": "reasoning", "id": "rs_resp_abc", "summary": [THOUGHT], "content": None},
            {"type": "reasoning", "summary": [THOUGHT], "content": None},
        ),
        ({**user("hi"), "id": "msg_review:rollout:user"}, user("hi")),
        ({"type": "local_shell_call", "id": ""}, {"type": "local_shell_call"}),
    ],
)
def test_what_upstream_would_refuse_is_mended(entry: Any, item: Any) -> None:
    assert codex_items([entry]) == [item]


def test_reasoning_that_never_was_upstreams_is_left_out() -> None:
    assert codex_items([{"type": "reasoning", "id": "r" * 65, "encrypted_content": "E"}]) == []


def test_a_string_is_a_users() -> None:
    assert codex_items("hi") == [user("hi")]


@pytest.mark.parametrize(
    ("entries", "param"),
    [
        (None, "input"),
        ([7], "input[0]"),
        ([{}], "input[0].type"),
        ([{"type": 7}], "input[0].type"),
        ([{"role": "tool", "content": "x"}], "input[0].role"),
        ([{"role": "user"}], "input[0].content"),
        ([{"role": "user", "content": [7]}], "input[0].content"),
        ([{"type": "additional_tools"}], "input[0].tools"),
        ([{"type": "additional_tools", "tools": [7]}], "input[0].tools"),
    ],
)
def test_what_is_no_item_is_refused(entries: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        codex_items(entries)

    assert refused.value.param == param


def test_tools_keep_their_bytes() -> None:
    raw = b'{ "type":"function","name":"a.b","parameters":{"x":1.0} }'
    tools = codex_tools(decode_body(b'{"tools":[%b,{"type":"web_search"}]}' % raw))

    assert [(tool.type, tool.name) for tool in tools] == [("function", "a.b"), ("web_search", "")]
    assert bytes(tools[0].definition["parameters"]) == b'{"x":1.0}'


@pytest.mark.parametrize("declared", [{}, {"type": 7}])
def test_a_tool_without_a_type_is_refused(declared: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        codex_tools(decode_body(json.dumps({"tools": [declared]}).encode()))

    assert refused.value.param == "tools[0].type"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({}, {}),
        ({"summary": "auto"}, {"summary": "auto"}),
        ({"effort": "ultra", "context": "all_turns"}, {"effort": "xhigh", "context": "all_turns"}),
        ({"effort": 1234}, {"effort": 1234}),
        ({"effort": "new"}, {"effort": "new"}),
        ({"effort": None}, {}),
    ],
)
def test_reasoning_passes_with_an_effort_the_model_takes(asked: Any, sent: Any) -> None:
    assert codex_reasoning(_body(reasoning=asked), RESOLVED) == sent


def test_a_suffix_of_the_model_beats_the_asked_effort() -> None:
    suffixed = Resolved(model=Model(slug="m"), effort="low")

    assert codex_reasoning(_body(reasoning={"effort": "high"}), suffixed) == {"effort": "low"}


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("none", "none"), ({"type": "x"}, {"type": "x"}), (None, "auto"), (7, "auto")],
)
def test_a_choice_passes(asked: Any, sent: Any) -> None:
    assert codex_choice(_body(tool_choice=asked)) == sent


@pytest.mark.parametrize(
    ("asked", "sent"), [({"a": "b", "c": 1}, {"a": "b"}), ({"c": 1}, None), ({}, None)]
)
def test_metadata_holds_strings_only(asked: Any, sent: Any) -> None:
    assert codex_metadata(_body(client_metadata=asked)) == sent


def test_what_the_cli_never_sends_is_left_out_and_named() -> None:
    dropped = Dropped()
    note_codex_dropped(_body(model="m", input=[], user="u", metadata={}), dropped)

    assert dropped.names == ("user", "metadata")


def test_lite_is_told_by_its_tools() -> None:
    assert is_lite([{"type": "additional_tools"}, user("hi")])
    assert not is_lite([user("hi")])


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"summary": [THOUGHT], "encrypted_content": ""}, {"summary": [THOUGHT]}),
        ({"summary": [THOUGHT], "encrypted_content": None, "id": "rs_1"}, {"summary": [THOUGHT]}),
        ({"summary": [THOUGHT], "content": None}, {"summary": [THOUGHT], "content": None}),
        ({"summary": None, "encrypted_content": "E"}, {"summary": [], "encrypted_content": "E"}),
        ({"encrypted_content": "E"}, {"summary": [], "encrypted_content": "E"}),
        ({"summary": [], "encrypted_content": ""}, None),
        ({"summary": [], "encrypted_content": 5}, None),
        ({"id": "rs_1", "summary": None}, None),
        ({"id": "rs_" + "1" * 64}, None),
        ({"id": "rs_resp_abc", "summary": [], "content": None}, None),
        ({"content": [{"type": "reasoning_text", "text": "t"}]}, None),
        ({}, None),
    ],
)
def test_reasoning_of_any_provider_becomes_what_upstream_takes(fields: Any, kept: Any) -> None:
    found = codex_items([{"type": "reasoning", **fields}])

    assert found == ([] if kept is None else [{"type": "reasoning", **kept}])


def test_a_search_that_upstream_does_not_take_back_is_left_out() -> None:
    other = {"type": "web_search_call", "id": "ws_1", "action": {"type": "other"}}
    found = {"type": "web_search_call", "id": "ws_2", "action": {"type": "search", "query": "q"}}
    bare = {"type": "web_search_call", "id": "ws_3"}

    assert codex_items([other, found, bare]) == [found, bare]
