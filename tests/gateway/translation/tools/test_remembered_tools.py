"""A list of tools that is read again gives what it gave when nothing of it was remembered."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.askings import HI, asked

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats import client_body

OBJECT = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
LONG = "mcp__server__" + "a_tool_with_a_long_name_" * 4
NAMES = st.sampled_from(["read", "write", LONG, "with space", ""])
SCHEMAS = st.sampled_from(
    [OBJECT, {}, None, {"type": "array"}, {"$schema": "x", **OBJECT}, {"anyOf": [OBJECT]}]
)


def _function(name: str, schema: Any) -> dict[str, Any]:
    return {"name": name, "description": "does it", "parameters": schema}


def _chat(name: str, schema: Any) -> dict[str, Any]:
    return {"type": "function", "function": _function(name, schema)}


def _flat(name: str, schema: Any) -> dict[str, Any]:
    return {"type": "function", **_function(name, schema)}


def _anthropic(name: str, schema: Any) -> dict[str, Any]:
    return {"name": name, "input_schema": schema}


HOSTED = st.sampled_from(
    [{"type": "web_search"}, {"type": "code_interpreter"}, {"type": "custom", "name": "patch"}]
)
TOOLS = st.one_of(
    st.builds(_chat, NAMES, SCHEMAS),
    st.builds(_flat, NAMES, SCHEMAS),
    st.builds(_anthropic, NAMES, SCHEMAS),
    HOSTED,
)
USED = [
    HI,
    {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "function": {"name": "never declared", "arguments": "{}"}}],
    },
]


def _outcome(endpoint: str, tools: list[Any], history: list[Any]) -> Any:
    body = {"messages": history, "max_tokens": 10, "tools": tools}
    try:
        made = asked(body, endpoint=endpoint)
    except BadRequest as error:
        return str(error), error.param
    return made.request.encode(), made.tool_names, made.dropped, made.answer, made.history


@pytest.mark.parametrize("endpoint", ["chat", "responses", "messages"])
@given(st.lists(TOOLS, min_size=1, max_size=5), st.booleans())
def test_what_was_read_before_is_read_the_same(endpoint: str, tools: list[Any], used: bool) -> None:
    history = USED if used and endpoint != "messages" else [HI]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client_body, "REMEMBERED_BYTES", -1)
        expected = _outcome(endpoint, tools, history)
        plain = _outcome(endpoint, tools, [HI])

    assert _outcome(endpoint, tools, history) == expected
    assert _outcome(endpoint, tools, history) == expected
    assert _outcome(endpoint, tools, [HI]) == plain, "names of a history were remembered"


def test_a_long_list_is_not_remembered() -> None:
    tools = [_chat("read", {**OBJECT, "description": "x" * client_body.REMEMBERED_BYTES})]
    body = client_body.decode_body(msgspec.json.encode({"tools": tools}))

    assert (len(body.tools), body.tools_json) == (1, b"")
