"""A tool search in the native form: the tools stay as they were, and nothing found is lost."""

from typing import Any

import msgspec
import pytest
from support.messages_bodies import asked, assistant, result, text, tool, use, user

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.formats.codex.requests import UpstreamRequest
from codex_proapi.gateway.formats.codex.tool_search import NAME
from codex_proapi.gateway.translation.request.translated_request import HistoryMode, RequestOptions

SEARCH = {"name": NAME, "description": "find", "input_schema": {"type": "object", "properties": {}}}
PLACEHOLDER = tool("DeferredToolPlaceholder", defer_loading=True)
WEATHER = tool("mcp__w__weather", defer_loading=True)
TOOLS = [tool("Bash"), SEARCH, PLACEHOLDER]
REFERENCE = {"type": "tool_reference", "tool_name": "mcp__w__weather"}
MODELS = ("gpt-5.5", "gpt-6.2-sol")


def request(tools: Any, *messages: Any, model: str = "gpt-5.5", **rest: Any) -> UpstreamRequest:
    return asked({"model": model, "tools": tools, "messages": list(messages), **rest}).request


def sent(tools: Any, *messages: Any, **rest: Any) -> Any:
    return msgspec.json.decode(request(tools, *messages, **rest).encode())


def found(*content: Any, **rest: Any) -> list[Any]:
    return [
        user("weather?"),
        assistant(use("call_1", NAME, query="weather")),
        user(result("call_1", list(content), **rest)),
    ]


def kinds(body: Any) -> list[str]:
    return [item["type"] for item in body["input"]]


def test_the_search_is_declared_and_its_call_and_result_are_its_own_items() -> None:
    body = sent([*TOOLS, WEATHER], *found(REFERENCE))

    assert [each.get("name", each["type"]) for each in body["tools"]] == ["Bash", "tool_search"]
    assert body["tools"][1] == {
        "type": "tool_search", "execution": "client", "description": "find",
        "parameters": SEARCH["input_schema"],
    }  # fmt: skip
    call, output = body["input"][1:]
    same = {"call_id": "call_1", "execution": "client", "status": "completed"}
    assert call == {"type": "tool_search_call", "arguments": {"query": "weather"}, **same}
    [loaded] = output.pop("tools")
    assert output == {"type": "tool_search_output", **same}
    assert (loaded["type"], loaded["name"]) == ("function", "mcp__w__weather")
    assert "defer_loading" not in loaded


@pytest.mark.parametrize("model", MODELS)
def test_a_discovery_changes_nothing_before_it(model: str) -> None:
    before = sent(TOOLS, user("weather?"), model=model)
    after = sent([*TOOLS, WEATHER], *found(REFERENCE), model=model)

    for body in (before, after):
        for item in body["input"]:
            item.pop("id", None)
    assert after.get("tools") == before.get("tools")
    assert after["input"][: len(before["input"])] == before["input"]
    assert kinds(after)[-2:] == ["tool_search_call", "tool_search_output"]


def test_what_is_not_declared_and_what_is_said_besides_is_told_as_text() -> None:
    body = sent(
        [*TOOLS, WEATHER], *found(REFERENCE, text("2 more"), {**REFERENCE, "tool_name": "X"})
    )

    assert kinds(body)[-2:] == ["tool_search_output", "message"]
    notes = [part["text"] for part in body["input"][-1]["content"]]
    assert notes == ["2 more", "The tool X is not available."]


@pytest.mark.parametrize(
    ("message", "note"),
    [
        (result("call_1", "nothing found"), "nothing found"),
        (result("call_1", [text("bad")], is_error=True), "bad"),
        (text("never mind"), "interrupted"),
    ],
)
def test_a_search_that_found_nothing_says_so(message: Any, note: str) -> None:
    body = sent(TOOLS, *found()[:2], user(message))

    output = next(item for item in body["input"] if item["type"] == "tool_search_output")
    assert output["tools"] == []
    assert note in msgspec.json.encode(body["input"]).decode()


def test_a_tool_is_defined_once_however_often_it_is_found() -> None:
    again = [assistant(use("call_2", NAME, query="w")), user(result("call_2", [REFERENCE]))]
    body = sent([*TOOLS, WEATHER], *found(REFERENCE), *again)

    outputs = [len(i["tools"]) for i in body["input"] if i["type"] == "tool_search_output"]
    assert outputs == [1, 0]
    assert "loaded already: mcp__w__weather" in body["input"][-1]["content"][0]["text"]


def test_a_tool_whose_discovery_is_no_longer_there_stays_declared() -> None:
    names = [each.get("name") for each in sent([*TOOLS, WEATHER], user("go on"))["tools"]]

    assert "mcp__w__weather" in names


def test_calls_of_the_loaded_tool_and_of_others_stay_calls() -> None:
    turns = [assistant(use("call_3", "mcp__w__weather", path="x")), user(result("call_3", "12 °C"))]

    assert kinds(sent([*TOOLS, WEATHER], *found(REFERENCE), *turns))[-2:] == [
        "function_call",
        "function_call_output",
    ]


def test_the_text_form_has_everything_too() -> None:
    native = request([*TOOLS, WEATHER], *found(REFERENCE))
    body = msgspec.json.decode(msgspec.structs.replace(native, tool_search=None).encode())

    assert [each["name"] for each in body["tools"]] == ["Bash", NAME, "mcp__w__weather"]
    assert kinds(body) == ["message", "function_call", "function_call_output"]
    assert "loaded" in body["input"][-1]["output"][0]["text"]


@pytest.mark.parametrize(
    "changes",
    [
        {"tool_choice": {"type": "tool", "name": NAME}},
        {"tools": [tool("Bash"), WEATHER]},
    ],
)
def test_without_a_search_or_where_it_is_forced_it_is_a_function(changes: Any) -> None:
    asked_for = {"tools": TOOLS, "messages": [user("x")], **changes}

    assert asked({"model": "gpt-5.5", **asked_for}).request.tool_search is None


def test_a_model_without_it_and_a_transcript_get_the_text_form() -> None:
    rows = [{"slug": "gpt-5.5", "supports_search_tool": False}]
    catalogue = Catalogue([]).with_live(msgspec.json.encode({"models": rows}))
    body = {"model": "gpt-5.5", "tools": TOOLS, "messages": [user("x")]}
    transcript = RequestOptions(history_mode=HistoryMode.TRANSCRIPT)

    assert asked(body).request.tool_search is not None
    assert asked(body, catalogue=catalogue).request.tool_search is None
    assert asked(body, options=transcript).request.tool_search is None
