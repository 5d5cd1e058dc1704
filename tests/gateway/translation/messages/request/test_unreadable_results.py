"""Parts of a tool's result that cannot be read become text: a session must not die of one."""

from typing import Any

import pytest
from support.messages_bodies import assistant, items, user


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"type": "image"}, '{"type":"image"}'),
        ({"type": "image_url", "image_url": {"url": "no address"}}, None),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, None),
        (5, "5"),
        (None, "null"),
        ("plain", "plain"),
    ],
)
def test_a_part_of_a_result_that_cannot_be_read_is_text(part: Any, told: str | None) -> None:
    used = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "c", "content": [part]}

    [found] = items(user("hi"), assistant(used), user(result))[-1]["output"]

    assert found["type"] == "input_text"
    assert told is None or found["text"] == told


@pytest.mark.parametrize("odd", [{"a": 1}, ["a"], 7, None])
def test_the_id_of_a_call_may_be_anything(odd: Any) -> None:
    search = {"type": "tool_use", "id": odd, "name": "ToolSearch", "input": {}}
    asked = {"type": "server_tool_use", "id": odd, "name": "web_search", "input": {"query": "q"}}
    pages = {"type": "web_search_tool_result", "tool_use_id": odd, "content": []}
    result = {"type": "tool_result", "tool_use_id": odd, "content": [{"type": "text", "text": "r"}]}

    found = items(user("hi"), assistant(search), user(result), assistant(asked, pages))

    assert [item["type"] for item in found] == [
        *("message", "function_call", "function_call_output", "message"),
    ]
    assert found[-1]["content"][0]["text"] == "[web search: q]"
