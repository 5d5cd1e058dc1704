"""One row for each rule: what the backend refuses about tools and their schemas."""

from typing import Any

import pytest
from support.requests_upstream import a_function

from codex_proapi.simulator.validation.tools import check_strict_schema, check_tools
from codex_proapi.simulator.validation.values import Refused

GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}


def check(*tools: Any, lite: Any = False, reserved: Any = False) -> Any:
    return check_tools(list(tools), where="tools", lite=lite, reserved=reserved)


def refusal_of(*tools: Any, lite: Any = False) -> Any:
    with pytest.raises(Refused) as raised:
        check(*tools, lite=lite)
    return raised.value.refusal


def schema_of(schema: Any, **changes: Any) -> Any:
    return {"type": "function", "name": "f", "parameters": schema, **changes}


def test_every_kind_of_tool_passes() -> None:
    found = check(
        {**a_function(), "strict": None, "description": None},
        {"type": "custom", "name": "apply_patch", "description": "", "format": GRAMMAR},
        {"type": "custom", "name": "note", "format": {"type": "text"}},
        {"type": "namespace", "name": "mcp", "description": "", "tools": [a_function("look")]},
        {"type": "web_search", "external_web_access": True, "search_content_types": ["text"]},
        {"type": "tool_search", "execution": "client"},
        {"type": "image_generation", "output_format": "png"},
        {"type": "local_shell"},
    )

    assert [tool["name"] for tool in found] == [
        *("get_weather", "apply_patch", "note", "look", "tool_search"),
    ]


@pytest.mark.parametrize(
    "kind", ["file_search", "code_interpreter", "computer_use_preview", "mcp", "web_search_preview"]
)
def test_a_tool_this_backend_has_not_is_refused(kind: Any) -> None:
    assert refusal_of({"type": kind}).body == {"detail": f"Unsupported tool type: {kind}"}


PLAIN = {"type": "object", "properties": {}}
REFUSED = [
    ("f", "tools[0]", "invalid_type"),
    ({"name": "f"}, "tools[0].type", "missing_required_parameter"),
    (
        {"type": "function", "function": {"name": "f", "parameters": PLAIN}},
        "tools[0].name",
        "missing_required_parameter",
    ),
    (schema_of(PLAIN, name="my tool"), "tools[0].name", "invalid_value"),
    (schema_of(PLAIN, name="x" * 65), "tools[0].name", "string_above_max_length"),
    (schema_of(PLAIN, cache_control={}), "tools[0].cache_control", "unknown_parameter"),
    (schema_of(PLAIN, strict="yes"), "tools[0].strict", "invalid_type"),
    (schema_of(PLAIN, description=5), "tools[0].description", "invalid_type"),
    ({"type": "function", "name": "f"}, "tools[0].parameters", "missing_required_parameter"),
    (
        {"type": "custom", "name": "f", "format": {"type": "json"}},
        "tools[0].format.type",
        "invalid_value",
    ),
    ({"type": "custom", "name": "f", "format": 5}, "tools[0].format", "invalid_type"),
    (
        {"type": "custom", "name": "f", "format": {"type": "grammar", "syntax": "peg"}},
        "tools[0].format",
        "invalid_grammar",
    ),
    ({"type": "namespace", "name": "n"}, "tools[0].tools", "invalid_type"),
    (
        {"type": "namespace", "name": "n", "tools": [{"type": "web_search"}]},
        "tools[0].tools[0]",
        "invalid_value",
    ),
]


@pytest.mark.parametrize(("tool", "param", "code"), REFUSED)
def test_a_bad_tool_is_refused_with_its_place(tool: Any, param: Any, code: Any) -> None:
    error = refusal_of(tool).body["error"]

    assert (error["param"], error["code"]) == (param, code)


SCHEMAS = [
    ({}, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."),
    (
        {"type": "string"},
        "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'.",
    ),
    (None, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."),
    ({"type": "object"}, "In context=(), object schema missing properties."),
    (
        {**PLAIN, "anyOf": [{}]},
        (
            "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' "
            "at the top level."
        ),
    ),
    (
        {"type": "object", "properties": {"a": {"type": "array"}}},
        "In context=('properties', 'a'), array schema missing items.",
    ),
    (
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "array"}]}}},
        "In context=('properties', 'a', 'anyOf', '0'), array schema missing items.",
    ),
    (
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "array"}}}},
        "In context=('properties', 'a', 'items'), array schema missing items.",
    ),
    (
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(?!x).*$"}}},
        "In context=('properties', 'a'), '^(?!x).*$' is not a 'regex'.",
    ),
    (
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "["}}},
        "In context=('properties', 'a'), '[' is not a 'regex'.",
    ),
    (
        {"type": "object", "properties": {"a": "string"}},
        "In context=('properties', 'a'), 'string' is not of type 'object', 'boolean'.",
    ),
]


@pytest.mark.parametrize(("schema", "complaint"), SCHEMAS)
def test_a_bad_schema_is_refused_with_the_place_in_it(schema: Any, complaint: Any) -> None:
    error = refusal_of(schema_of(schema)).body["error"]

    assert error["code"] == "invalid_function_parameters"
    assert error["message"] == f"Invalid schema for function 'f': {complaint}"


STRICT = {
    "type": "object",
    "properties": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
    "required": ["a"],
    "additionalProperties": False,
}


def test_a_strict_schema_passes() -> None:
    check(schema_of(STRICT, strict=True))


def test_strict_refuses_open_objects() -> None:
    error = refusal_of(schema_of(PLAIN, strict=True)).body["error"]

    assert "'additionalProperties' is required to be supplied and to be false." in error["message"]


def test_strict_refuses_optional_properties() -> None:
    error = refusal_of(schema_of({**STRICT, "required": []}, strict=True)).body["error"]

    assert error["message"].endswith("Missing 'a'.")


def test_strict_looks_into_definitions() -> None:
    schema = {**STRICT, "$defs": {"b": {"type": "object", "properties": {}}}}

    with pytest.raises(Refused) as raised:
        check_strict_schema(schema, where="w", subject="s", code="c")

    assert "('$defs', 'b')" in raised.value.refusal.body["error"]["message"]


def test_a_lite_request_has_no_hosted_tools() -> None:
    assert refusal_of({"type": "web_search"}, lite=True).body["error"]["code"] == "invalid_value"


def test_tools_that_are_no_list_are_refused() -> None:
    with pytest.raises(Refused) as raised:
        check_tools({}, where="tools", lite=False, reserved=False)

    assert raised.value.refusal.body["error"]["code"] == "invalid_type"
