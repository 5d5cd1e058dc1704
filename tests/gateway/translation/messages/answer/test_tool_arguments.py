"""Arguments: what a tool would refuse is left out, everything else stays byte for byte."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_proapi.gateway.translation.messages.answer.tool_arguments import (
    ArgumentRules,
    arguments_of,
    shape_of,
)

READ = {
    "type": "object",
    "properties": {
        "file_path": {"type": "string"},
        "offset": {"type": "number"},
        "pages": {"type": "string"},
        "limit": {"type": ["number", "null"]},
        "any": {},
    },
    "required": ["file_path"],
}


def rules(name: str = "Read", schema: Any = READ, *, claude_code: bool = True) -> ArgumentRules:
    return ArgumentRules(name, schema and shape_of(schema), claude_code=claude_code)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('{"file_path": "a", "pages": ""}', '{"file_path":"a"}'),
        ('{"file_path": "a", "pages": null}', '{"file_path":"a"}'),
        ('{"file_path": "a", "offset": 99999999999}', '{"file_path":"a"}'),
        ('{"file_path": "a", "offset": 1000000}', '{"file_path": "a", "offset": 1000000}'),
        ('{"file_path": ""}', '{"file_path": ""}'),
        ('{"file_path": null}', '{"file_path": null}'),
        ('{"file_path": "a", "limit": null}', '{"file_path": "a", "limit": null}'),
        ('{"file_path": "a", "any": null}', '{"file_path": "a", "any": null}'),
        ('{"file_path": "a", "other": ""}', '{"file_path": "a", "other": ""}'),
        ('{"file_path": "a", "offset": 0}', '{"file_path": "a", "offset": 0}'),
        ('{"file_path": "\\ud83d"}', '{"file_path": "\\ud83d"}'),
        ("[1]", "{}"),
        ('"a"', "{}"),
        ("null", "{}"),
        ('{"file_path": ', "{}"),
        ("{" * 5000, "{}"),
    ],
)
def test_cleaned(text: str, cleaned: str) -> None:
    assert rules().cleaned(text) == cleaned


def test_empty_texts_of_foreign_tools_may_mean_something() -> None:
    text = '{"file_path":"a","pages":""}'

    assert rules("mcp__files__read").cleaned(text) == text
    assert rules(claude_code=False).cleaned(text) == text
    assert rules("mcp__files__read").cleaned('{"pages":null}') == "{}"


def test_unknown_tool_keeps_its_arguments() -> None:
    assert rules(schema=None).cleaned('{"a": null}') == '{"a": null}'


@pytest.mark.parametrize(
    ("schema", "passes"),
    [
        (READ, False),
        ({"properties": {"a": {}}, "required": ["a"]}, True),
        (msgspec.Raw(b'{"properties":{"a":{}},"required":["a","b"]}'), True),
        ({"properties": {}, "required": []}, False),
        (None, False),
        ({"properties": {"a": {}}, "required": "a"}, False),
        ({"properties": [], "required": ["a"]}, False),
    ],
)
def test_pieces_pass_only_where_nothing_could_be_taken_out(schema: Any, passes: bool) -> None:
    assert rules(schema=schema).may_pass is passes


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**12) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from([*READ["properties"], "x"]), json_values))
def test_nothing_required_or_telling_is_lost(arguments: dict[str, Any]) -> None:
    kept = arguments_of(rules().cleaned(msgspec.json.encode(arguments).decode()))

    assert kept is not None
    assert all(arguments[name] == value for name, value in kept.items())
    for name in arguments.keys() - kept.keys():
        assert name != "file_path"
        assert arguments[name] in (None, "") or name == "offset"
