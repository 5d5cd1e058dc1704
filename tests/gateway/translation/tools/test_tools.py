"""Tools of every shape, made flat."""

import json
from typing import Any

import msgspec
import pytest

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import decode_body
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.tools.tool_names import ToolNames
from codex_proapi.gateway.translation.tools.tools import (
    ToolSet,
    declared_names,
    read_tools,
    tools_inside,
)

EMPTY = {"type": "object", "properties": {}}
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
GRAMMAR = {"syntax": "lark", "definition": "start: x"}


def _fields(*tools: Any) -> Any:
    return decode_body(json.dumps({"tools": tools}).encode()).tools


def _read(*tools: Any, dropped: Dropped | None = None) -> ToolSet:
    fields = _fields(*tools)
    names = ToolNames.of(declared_names(fields))
    return read_tools(fields, "tools", names=names, dropped=dropped or Dropped())


def _wire(*tools: Any) -> Any:
    return [msgspec.json.decode(msgspec.json.encode(t.definition)) for t in _read(*tools).tools]


@pytest.mark.parametrize(
    ("declared", "flat"),
    [
        pytest.param(
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}},
            {"type": "function", "name": "f", "description": "d", "strict": False, "parameters": SCHEMA},
            id="chat function",
        ),
        pytest.param(
            {"function": {"name": "f", "strict": True, "parameters": SCHEMA}},
            {"type": "function", "name": "f", "strict": True, "parameters": SCHEMA},
            id="chat function without type, strict kept",
        ),
        pytest.param(
            {"type": "function", "function": {"name": "f", "description": None, "strict": None}},
            {"type": "function", "name": "f", "strict": False, "parameters": EMPTY},
            id="chat function with nulls and without parameters",
        ),
        pytest.param(
            {"type": "function", "name": "f", "parameters": SCHEMA, "strict": None, "cache_control": {}},
            {"type": "function", "name": "f", "parameters": SCHEMA},
            id="flat function, strict null",
        ),
        pytest.param(
            {"name": "f", "parameters": SCHEMA},
            {"type": "function", "name": "f", "parameters": SCHEMA},
            id="flat function without type",
        ),
        pytest.param(
            {"name": "f", "description": "", "input_schema": SCHEMA, "cache_control": {}},
            {"type": "function", "name": "f", "description": "", "strict": False, "parameters": SCHEMA},
            id="anthropic",
        ),
        pytest.param(
            {"type": "custom", "name": "f", "input_schema": SCHEMA},
            {"type": "function", "name": "f", "strict": False, "parameters": SCHEMA},
            id="anthropic with its own meaning of custom",
        ),
        pytest.param(
            {"type": "custom", "name": "f", "description": "d", "format": {"type": "grammar", **GRAMMAR}},
            {"type": "custom", "name": "f", "description": "d", "format": {"type": "grammar", **GRAMMAR}},
            id="flat custom",
        ),
        pytest.param(
            {"type": "custom", "custom": {"name": "f", "format": {"type": "grammar", "grammar": GRAMMAR}}},
            {"type": "custom", "name": "f", "format": {"type": "grammar", **GRAMMAR}},
            id="chat custom with a grammar",
        ),
        pytest.param(
            {"type": "custom", "custom": {"name": "f", "format": {"type": "text"}}},
            {"type": "custom", "name": "f", "format": {"type": "text"}},
            id="chat custom with text",
        ),
        pytest.param(
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "x"}]},
            {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "x"}]},
            id="namespace",
        ),
        pytest.param({"type": "web_search"}, {"type": "web_search"}, id="web search"),
        pytest.param(
            {"type": "web_search_preview_2025_03_11", "search_context_size": "low", "x": 1, "filters": None},
            {"type": "web_search", "search_context_size": "low"},
            id="web search preview",
        ),
        pytest.param(
            {"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.b"]},
            {"type": "web_search", "filters": {"allowed_domains": ["a.b"]}},
            id="anthropic web search",
        ),
    ],
)  # fmt: skip
def test_a_tool_becomes_flat(declared: Any, flat: Any) -> None:
    assert _wire(declared) == [flat]


def test_blocked_domains_are_a_filter() -> None:
    declared = {"type": "web_search_1", "allowed_domains": [], "blocked_domains": ["c.d"]}

    assert _wire(declared) == [{"type": "web_search", "filters": {"blocked_domains": ["c.d"]}}]


def test_a_filter_wins_over_allowed_domains() -> None:
    declared = {
        "type": "web_search",
        "filters": {"allowed_domains": ["a"]},
        "allowed_domains": ["b"],
    }

    assert _wire(declared) == [{"type": "web_search", "filters": {"allowed_domains": ["a"]}}]


def test_schemas_travel_as_the_clients_bytes() -> None:
    schema = b'{ "type":"object","properties":{"n":{"minimum":1.0}} }'
    fields = decode_body(b'{"tools":[{"function":{"name":"f","parameters":%b}}]}' % schema).tools
    found = read_tools(fields, "tools", names=ToolNames(), dropped=Dropped())

    assert schema in msgspec.json.encode(found.tools[0].definition)


@pytest.mark.parametrize(
    "kind",
    ["image_generation", "file_search", "code_interpreter", "mcp", "computer_use_preview", ""],
)
def test_hosted_tools_are_left_out_and_named(kind: str) -> None:
    dropped = Dropped()
    found = _read({"type": kind}, {"function": {"name": "f"}}, dropped=dropped)

    assert [tool.name for tool in found.tools] == ["f"]
    assert found.hosted_out == {kind}
    assert dropped.names == (f"tools.{kind}",)


def test_a_type_that_is_no_word_is_left_out() -> None:
    assert _read({"type": 7}).hosted_out == {""}


@pytest.mark.parametrize(
    ("tools", "kinds"),
    [
        ([{"type": "custom", "name": "f"}, {"type": "function", "name": "f"}], ["function"]),
        ([{"type": "function", "name": "f"}, {"type": "custom", "name": "f"}], ["function"]),
        (
            [{"type": "custom", "custom": {"name": "f"}}, {"type": "custom", "name": "f"}],
            ["custom"],
        ),
        ([{"type": "web_search"}, {"type": "web_search_preview"}], ["web_search"]),
    ],
)
def test_a_name_declared_twice_counts_once_and_functions_win(
    tools: list[Any], kinds: list[str]
) -> None:
    assert [tool.type for tool in _read(*tools).tools] == kinds


def test_which_are_custom_and_which_in_the_form_of_chat() -> None:
    found = _read(
        {"type": "custom", "custom": {"name": "nested"}},
        {"type": "custom", "name": "flat"},
        {"type": "function", "name": "f"},
        {"type": "custom", "custom": {"name": "both"}},
        {"type": "function", "name": "both"},
    )

    assert found.custom == {"nested", "flat"}
    assert found.chat_custom == {"nested"}


@pytest.mark.parametrize(
    ("declared", "param"),
    [
        ({"type": "function"}, "tools[0].name"),
        ({"function": {"name": ""}}, "tools[0].function.name"),
        ({"function": {"name": 7}}, "tools[0].function.name"),
        ({"function": 7}, "tools[0].function"),
        ({"custom": None}, "tools[0].custom"),
        ({"custom": {}}, "tools[0].custom.name"),
        ({"type": "namespace", "tools": []}, "tools[0].name"),
        ({"type": "namespace", "name": "n"}, "tools[0].tools"),
        ({"type": "namespace", "name": "n", "tools": [7]}, "tools[0].tools"),
        ({"type": "function", "name": "f", "parameters": 7}, "tools[0].parameters"),
        ({"name": "f", "input_schema": {"type": "string"}}, "tools[0].input_schema.type"),
    ],
)
def test_what_is_no_tool_is_refused(declared: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _read(declared)

    assert refused.value.param == param


def test_names_are_declared_wherever_they_stand() -> None:
    fields = _fields(
        {"function": {"name": "a"}}, {"name": "b"}, {"custom": {"name": "c"}}, {"name": 7}
    )

    assert list(declared_names(fields)) == ["a", "b", "c"]


class TestToolsInsideTheHistory:
    def test_they_are_read_out_of_the_namespace_of_plain_ones(self) -> None:
        plain, space = (
            {"type": "function", "name": "f"},
            {"type": "namespace", "name": "n", "tools": []},
        )
        entry = {
            "type": "additional_tools",
            "tools": [{"type": "namespace", "name": "functions", "tools": [plain]}, space, plain],
        }
        found = tools_inside([entry, {"type": "message"}, "text"])
        names = [msgspec.json.decode(fields["name"]) for fields in found]

        assert names == ["f", "n", "f"]

    @pytest.mark.parametrize("entries", [None, "text", [], [{"type": "additional_tools"}]])
    def test_there_may_be_none(self, entries: Any) -> None:
        assert tools_inside(entries) == ()

    def test_what_is_no_tool_is_refused(self) -> None:
        with pytest.raises(BadRequest):
            tools_inside([{"type": "additional_tools", "tools": [7]}])

    def test_a_namespace_of_nothing_is_read_as_a_tool(self) -> None:
        entry = {"type": "additional_tools", "tools": [{"name": "functions", "tools": 7}]}

        assert len(tools_inside([entry])) == 1
