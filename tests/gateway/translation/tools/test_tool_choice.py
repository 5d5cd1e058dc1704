"""Every spelling of a tool choice, made flat or refused."""

from typing import Any

import pytest

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.requests import Tool
from codex_proapi.gateway.translation.tools.tool_choice import forces, read_choice
from codex_proapi.gateway.translation.tools.tool_names import ToolNames
from codex_proapi.gateway.translation.tools.tools import ToolSet

LONG = "x" * 80
SHORT = ToolNames().sent(LONG)
OFFERED = ToolSet(
    tools=(
        Tool(type="function", name="read", definition={}),
        Tool(type="custom", name="patch", definition={}),
        Tool(type="function", name=SHORT, definition={}),
        Tool(type="namespace", name="space", definition={}),
        Tool(type="web_search", definition={}),
    )
)
NOTHING = ToolSet()
ONLY_HOSTED = ToolSet(hosted_out=frozenset({"image_generation"}))


def _choice(choice: Any, offered: ToolSet = OFFERED) -> Any:
    return read_choice(choice, "tool_choice", offered=offered, names=ToolNames())


READ = {"type": "function", "name": "read"}
PATCH = {"type": "custom", "name": "patch"}


@pytest.mark.parametrize(
    ("choice", "flat"),
    [
        (None, "auto"),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("any", "required"),
        ("read", READ),
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "function", "function": {"name": "read"}}, READ),
        ({"type": "function", "name": "read"}, READ),
        ({"name": "read"}, READ),
        ({"type": "tool", "name": "read"}, READ),
        ({"type": "custom", "custom": {"name": "patch"}}, PATCH),
        ({"type": "custom", "name": "patch"}, PATCH),
        ({"type": "function", "name": "patch"}, PATCH),
        ({"type": "function", "name": LONG}, {"type": "function", "name": SHORT}),
        ({"type": "web_search_preview"}, {"type": "web_search"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [READ]}},
            {"type": "allowed_tools", "mode": "required", "tools": [READ]},
        ),
        (
            {"type": "allowed_tools", "tools": [{"type": "function", "function": {"name": "read"}}, PATCH]},
            {"type": "allowed_tools", "mode": "auto", "tools": [READ, PATCH]},
        ),
    ],
)  # fmt: skip
def test_a_choice_becomes_flat(choice: Any, flat: Any) -> None:
    assert _choice(choice) == flat


@pytest.mark.parametrize(
    "choice",
    [None, "auto", "none", {"type": "auto"}, {"type": "none"}, {"type": "allowed_tools", "tools": [READ]}],
)  # fmt: skip
def test_without_tools_a_choice_that_forces_nothing_is_absent(choice: Any) -> None:
    assert _choice(choice, NOTHING) == "auto"


@pytest.mark.parametrize("offered", [NOTHING, ONLY_HOSTED])
@pytest.mark.parametrize(
    "choice",
    [
        *("required", "any", READ, PATCH, {"type": "any"}, {"type": "tool", "name": "read"}),
        *({"type": "image_generation"}, {"type": "web_search"}),
        {"type": "allowed_tools", "mode": "required", "tools": [READ]},
    ],
)
def test_without_tools_a_forced_call_is_refused(choice: Any, offered: ToolSet) -> None:
    with pytest.raises(BadRequest) as refused:
        _choice(choice, offered)

    assert str(refused.value.param).startswith("tool_choice")
    assert refused.value.code == "unsupported_value"


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        (7, "tool_choice"),
        ("unknown", "tool_choice"),
        ({}, "tool_choice.type"),
        ({"type": 7}, "tool_choice.type"),
        ({"type": "function"}, "tool_choice.name"),
        ({"type": "function", "function": {"name": "gone"}}, "tool_choice.name"),
        ({"type": "function", "name": "space"}, "tool_choice.name"),
        ({"type": "image_generation"}, "tool_choice.type"),
        ({"type": "mcp"}, "tool_choice.type"),
        ({"type": "allowed_tools"}, "tool_choice.tools"),
        ({"type": "allowed_tools", "tools": []}, "tool_choice.tools"),
        ({"type": "allowed_tools", "tools": ["read"]}, "tool_choice.tools"),
        ({"type": "allowed_tools", "tools": [{"type": "auto"}]}, "tool_choice.tools"),
        (
            {"type": "allowed_tools", "tools": [{"type": "allowed_tools", "tools": [READ]}]},
            "tool_choice.tools",
        ),
        ({"type": "allowed_tools", "tools": [{"type": "mcp"}]}, "tool_choice.tools[0].type"),
    ],
)
def test_a_choice_that_cannot_be_honoured_is_refused(choice: Any, param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _choice(choice)

    assert refused.value.param == param


@pytest.mark.parametrize("choice", [{"type": "image_generation"}, READ, {"type": "web_search"}])
def test_naming_a_hosted_tool_that_was_left_out_is_refused(choice: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        _choice(choice, ONLY_HOSTED)

    assert refused.value.code == "unsupported_value"


def test_allowing_only_what_was_left_out_is_refused() -> None:
    with pytest.raises(BadRequest):
        _choice({"type": "allowed_tools", "tools": [READ]}, ONLY_HOSTED)


@pytest.mark.parametrize(
    ("choice", "forced"), [("auto", False), ("none", False), ("required", True), (READ, True)]
)
def test_what_forces(choice: Any, forced: bool) -> None:
    assert forces(choice) is forced
