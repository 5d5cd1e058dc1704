"""Bodies and answers of the simulated backend, for tests that speak to it themselves."""

import copy
from typing import Any

import msgspec


def a_turn(prompt: str = "say hello", /, **changes: Any) -> dict[str, Any]:
    """A request the backend accepts, in the classic shape; `changes` replace or add parameters."""
    return {
        "model": "gpt-5.5",
        "stream": True,
        "store": False,
        "input": [a_message(prompt)],
        "include": ["reasoning.encrypted_content"],
        **changes,
    }


def a_lite_turn(
    prompt: str = "say hello", /, *, tools: list[Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """The same in the lite shape, for which the caller adds the header."""
    provided = [a_function()] if tools is None else tools
    items = [
        {"type": "additional_tools", "role": "developer", "tools": provided},
        a_message(prompt),
    ]
    return {
        "model": "gpt-6.1-sol",
        "stream": True,
        "store": False,
        "input": items,
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "context": "all_turns"},
        **changes,
    }


def a_message(text: str, role: str = "user") -> dict[str, Any]:
    """One message item."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def a_function(name: str = "get_weather", **schema: Any) -> dict[str, Any]:
    """A function tool; keywords are its properties."""
    properties = schema or {"city": {"type": "string"}}
    return {
        "type": "function",
        "name": name,
        "description": "A tool.",
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": list(properties),
        },
    }


def changed(value: Any, path: str, new: Any) -> Any:
    """A copy with one value replaced: `input.0.role`; Ellipsis takes the key out."""
    copied = copy.deepcopy(value)
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    place = copied
    for step in steps:
        place = place[step]
    if new is ...:
        del place[last]
    else:
        place[last] = new
    return copied


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The events of a whole stream, by their data lines."""
    return [
        msgspec.json.decode(line.removeprefix(b"data: "))
        for line in stream.splitlines()
        if line.startswith(b"data: {")
    ]


def items_of(stream: bytes) -> list[dict[str, Any]]:
    """The finished items of a stream, reasoning left out."""
    done = [event for event in events_of(stream) if event["type"] == "response.output_item.done"]
    return [event["item"] for event in done if event["item"]["type"] != "reasoning"]
