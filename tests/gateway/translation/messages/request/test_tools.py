"""Tools and the choice among them."""

from typing import Any

import pytest
from support import askings as up
from support.messages_bodies import asked, sent, system, tool, user

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.requests import Shape

SEARCH = {
    "type": "web_search_20250305",
    "name": "web_search",
    "max_uses": 8,
    "allowed_domains": ["a.org"],
}


def tools(*declared: Any, **body: Any) -> Any:
    return sent({"tools": list(declared), **body}).get("tools")


def choice(wanted: Any, *declared: Any) -> Any:
    return sent({"tools": list(declared or (tool("A"),)), "tool_choice": wanted})["tool_choice"]


def test_functions_keep_only_what_upstream_takes() -> None:
    declared = tool(
        "A",
        type="custom",
        cache_control={"type": "ephemeral"},
        defer_loading=True,
        eager_input_streaming=True,
        input_examples=[{}],
        allowed_callers=["direct"],
        strict=True,
    )

    assert tools(declared) == [up.tool("A", description="d")]


def test_tool_without_a_schema_takes_nothing() -> None:
    assert tools({"name": "A"}) == [
        {
            "type": "function",
            "name": "A",
            "strict": False,
            "parameters": {"type": "object", "properties": {}},
        }
    ]


def test_dialect_of_a_schema_is_left_out() -> None:
    schema = {"$schema": "x", "type": "object", "properties": {}}

    assert tools(tool("A", input_schema=schema))[0]["parameters"] == {
        "type": "object",
        "properties": {},
    }


def test_placeholder_and_doubles_are_left_out() -> None:
    found = tools(tool("DeferredToolPlaceholder", defer_loading=True), tool("A"), tool("A"))

    assert [each["name"] for each in found] == ["A"]


def test_no_tools_send_neither_tools_nor_choice() -> None:
    body = sent({"tools": [], "tool_choice": {"type": "auto"}})

    assert "tools" not in body
    assert "tool_choice" not in body


@pytest.mark.parametrize("forced", [{"type": "any"}, {"type": "tool", "name": "A"}])
@pytest.mark.parametrize("tools", [{}, {"tools": []}])
def test_a_call_without_tools_cannot_be_forced(forced: Any, tools: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        sent({**tools, "tool_choice": forced})

    assert refused.value.param == "tool_choice"


def test_system_messages_add_and_remove_tools() -> None:
    messages = [
        user("hi"),
        system({"type": "tool_addition", "tool": tool("B")}),
        system({"type": "tool_removal", "tool": {"type": "tool_reference", "name": "A"}}),
    ]

    assert [each["name"] for each in tools(tool("A"), messages=messages)] == ["B"]


def test_long_names_are_shortened_and_come_back() -> None:
    long = "mcp__server__" + "x" * 80
    translated = asked({"tools": [tool(long)]})
    (sent_name,) = translated.tool_names

    assert translated.request.tools[0].name == sent_name
    assert len(sent_name) <= 64
    assert translated.tool_names[sent_name] == long


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, "auto"),
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "A"}, {"type": "function", "name": "A"}),
    ],
)
def test_choice(wanted: Any, expected: Any) -> None:
    assert choice(wanted) == expected


@pytest.mark.parametrize(
    ("kind", "name", "properties", "required"),
    [
        ("bash_20250124", "bash", {"command", "restart"}, []),
        (
            "text_editor_20250728",
            "str_replace_based_edit_tool",
            {"command", "path", "old_str", "new_str", "insert_line", "insert_text", "view_range"},
            ["command", "path"],
        ),
        ("memory_20250818", "memory", {"command", "path", "old_path", "new_path"}, ["command"]),
    ],
)
def test_tools_that_anthropic_defines_and_the_client_runs_have_their_schema(
    kind: str, name: str, properties: set[str], required: list[str]
) -> None:
    declared = {"type": kind, "name": name, "cache_control": {"type": "ephemeral"}}

    [function] = tools(declared)

    assert (function["type"], function["name"]) == ("function", name)
    assert function["description"]
    assert properties <= function["parameters"]["properties"].keys()
    assert function["parameters"]["required"] == required
    assert choice({"type": "tool", "name": name}, declared)["name"] == name


@pytest.mark.parametrize("kind", ["code_execution_20250825", "web_fetch_20250910", "teleport_1"])
def test_tools_that_anthropics_servers_run_are_left_out(kind: str) -> None:
    assert tools({"type": kind, "name": "x"}, tool("A")) == [up.tool("A", description="d")]


def test_search_is_the_backends() -> None:
    found = {
        "type": "web_search",
        "external_web_access": True,
        "search_content_types": ["text"],
        "filters": {"allowed_domains": ["a.org"]},
    }

    assert tools(SEARCH) == [found]
    assert choice({"type": "tool", "name": "web_search"}, SEARCH) == {"type": "web_search"}
    with pytest.raises(BadRequest):
        choice({"type": "tool", "name": "web_search"}, tool("A"))


def test_search_is_asked_in_the_shape_that_has_one() -> None:
    for offered in ([SEARCH], [SEARCH, tool("A")]):
        translated = asked({"tools": offered, "model": up.LITE})
        assert translated.request.shape is Shape.CLASSIC
        assert translated.dropped == ()
    assert asked({"tools": [tool("A")], "model": up.LITE}).request.shape is Shape.LITE


def test_one_call_at_a_time() -> None:
    body = {
        "tools": [tool("A")],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }

    assert sent(body)["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in sent({"tools": [tool("A")]})


def test_server_tools_that_nobody_serves_are_left_out() -> None:
    declared = [{"type": "code_execution_20250825", "name": "code_execution"}, tool("A")]
    translated = asked({"tools": declared})

    assert [each.name for each in translated.request.tools] == ["A"]
    assert translated.dropped == ("tools.code_execution_20250825",)


def test_advisor_is_refused_in_the_words_that_make_claude_code_leave_it_out() -> None:
    with pytest.raises(BadRequest, match="Input tag 'advisor_20260301'") as caught:
        tools(tool("A"), {"type": "advisor_20260301", "name": "advisor"})

    assert caught.value.param == "tools.1"


@pytest.mark.parametrize(
    ("pattern", "stays"),
    [("^a+$", True), (r"\p{L}", False), (r"^\u{1F600}$", False), ("(?<n>a)", False), ("(", False)],
)
def test_patterns_that_upstream_cannot_compile_are_left_out(pattern: str, stays: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "pattern": pattern}},
        "patternProperties": {pattern: {"type": "string"}},
        "default": {"pattern": pattern},
    }
    parameters = tools(tool("A", input_schema=schema))[0]["parameters"]

    assert ("pattern" in parameters["properties"]["pattern"]) is stays
    assert (pattern in parameters.get("patternProperties", {})) is stays
    assert parameters["default"] == {"pattern": pattern}


@pytest.mark.parametrize("name", [[], {}, [{"type": "text"}], 5])
@pytest.mark.parametrize("place", [0, 1])
def test_a_name_that_is_no_text_is_refused_where_it_stands(name: Any, place: int) -> None:
    declared = [tool("A"), tool("B")]
    declared[place]["name"] = name

    with pytest.raises(BadRequest) as caught:
        tools(*declared)

    assert (caught.value.param or "").startswith(f"tools[{place}]")
