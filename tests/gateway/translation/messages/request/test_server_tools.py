"""Calls that Anthropic's servers ran, in a history: calls and results that a model can read, never raw JSON."""

from typing import Any

import pytest
from support import askings as up
from support.messages_bodies import assistant, items, text, user

from codex_proapi.gateway.translation.history.call_pairing import INTERRUPTED

PNG = up.PIXEL.partition(",")[2]


def ran(name: str, content: Any, *, kind: str = "", **fields: Any) -> Any:
    """What upstream is sent for a call of a server's tool and its result."""
    call = {"type": "server_tool_use", "id": "srvtoolu_1", "name": name, "input": {"a": 1}}
    result = {
        "type": f"{kind or name}_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": content,
        **fields,
    }
    return items(user("hi"), assistant(call, result, text("B")))[1:]


def output(name: str, content: Any, **fields: Any) -> Any:
    called, result, said = ran(name, content, **fields)
    assert called == up.call("srvtoolu_1", name, '{"a":1}')
    assert (result["type"], result["call_id"]) == ("function_call_output", "srvtoolu_1")
    assert said == up.assistant("B")
    return result["output"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "code_execution",
            {
                "type": "code_execution_result", "stdout": "42\n", "stderr": "careful",
                "return_code": 1, "content": [{"type": "code_execution_output", "file_id": "f"}],
            },
            "42\n\n[stderr]\ncareful\n[exit code 1]\n[file f]",
        ),
        (
            "bash_code_execution",
            {
                "type": "bash_code_execution_result", "stdout": "ok", "stderr": "",
                "return_code": 0, "content": [],
            },
            "ok",
        ),
        (
            "code_execution",
            {
                "type": "encrypted_code_execution_result", "encrypted_stdout": "E" * 99,
                "stderr": "", "return_code": 0, "content": [],
            },
            "",
        ),
        (
            "text_editor_code_execution",
            {"type": "text_editor_code_execution_view_result", "content": "line", "num_lines": 1},
            "line",
        ),
        (
            "text_editor_code_execution",
            {"type": "text_editor_code_execution_create_result", "is_file_update": False},
            '{"type":"text_editor_code_execution_create_result","is_file_update":false}',
        ),
        (
            "tool_search_tool_regex",
            {
                "type": "tool_search_tool_search_result",
                "tool_references": [{"type": "tool_reference", "tool_name": "get_weather"}, 7],
            },
            "Tools found: get_weather",
        ),
        ("future", {"type": "future_result", "x": 1, "encrypted_content": "E"}, '{"type":"future_result","x":1}'),
        ("future", None, ""),
        ("future", "plain", "plain"),
    ],
)  # fmt: skip
def test_a_result_is_told_in_words(name: str, content: Any, told: str) -> None:
    kind = "tool_search" if name.startswith("tool_search") else name

    assert output(name, content, kind=kind) == told


def test_a_fetched_page_is_its_address_and_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Page"}
    page = {
        "type": "web_fetch_result",
        "url": "https://a",
        "retrieved_at": "2026",
        "content": {"type": "document", "source": source, "title": "T"},
    }

    found = output("web_fetch", page)

    assert [part["text"] for part in found] == ["https://a", "Page"]


def test_an_error_says_so() -> None:
    failed = {"type": "web_fetch_tool_result_error", "error_code": "url_not_allowed"}

    found = output("web_fetch", failed)

    assert [part["text"] for part in found] == ["[tool error]", "url_not_allowed"]


def test_a_tool_of_an_mcp_server_is_a_call_and_its_result() -> None:
    call = {
        "type": "mcp_tool_use",
        "id": "mcptoolu_1",
        "name": "ask",
        "server_name": "docs",
        "input": {"q": "x"},
    }
    image = {"type": "image", "data": PNG, "mimeType": "image/png"}
    result = {
        "type": "mcp_tool_result",
        "tool_use_id": "mcptoolu_1",
        "is_error": True,
        "content": [text("found"), image],
    }

    assert items(user("hi"), assistant(call, result))[1:] == [
        up.call("mcptoolu_1", "mcp__docs__ask", '{"q":"x"}'),
        up.result(
            "mcptoolu_1",
            [
                {"type": "input_text", "text": "[tool error]"},
                {"type": "input_text", "text": "found"},
                {"type": "input_image", "image_url": up.PIXEL},
            ],
        ),
    ]


@pytest.mark.parametrize("fields", [{}, {"name": 7}, {"name": ""}, {"id": None, "input": None}])
def test_a_call_without_name_or_result_refuses_nothing(fields: Any) -> None:
    call = {"type": "server_tool_use", "id": "s", "name": "code_execution", "input": {}, **fields}

    called, result, _ = items(user("hi"), assistant(call), user("go"))[1:]

    assert (called["type"], result["output"]) == ("function_call", INTERRUPTED)
