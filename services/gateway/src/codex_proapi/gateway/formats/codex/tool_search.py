"""The native form of a tool search that the client runs: Claude Code's tool `ToolSearch`.

The text form declares the search as a function and every loaded tool at the top level, so each
discovery changes the tools and the cached prefix is lost. The native form declares `tool_search`, and
a loaded tool stands in the result that found it: the prefix stays (OpenAI's guide "Tool search", 2026;
openai/codex, `tool_search`). A request is kept in the text form, which every model takes; the native
form is made when it is encoded.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

TYPE: Final = "tool_search"
CALL: Final = "tool_search_call"
OUTPUT: Final = "tool_search_output"
NAME: Final = "ToolSearch"
"""The function that stands for it in the text form, as Claude Code calls it."""
_LOADED: Final = "These tools are loaded already: {}."

Item = dict[str, Any]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one search has found."""

    names: tuple[str, ...]
    """Names of tools that are declared, as they are sent."""
    notes: tuple[str, ...] = ()
    """All else that the result says, as text."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """The tool search of a request."""

    found: Mapping[str, Found] = {}
    """Call id to what that call has found."""


def native_items(
    items: Sequence[Item], search: Search, definitions: Mapping[str, Any]
) -> tuple[list[Item], set[str]]:
    """The conversation in the native form, and the names of the tools that stand in it.

    Args:
        items: the conversation in the text form; calls have been paired with results.
        search: the tool search.
        definitions: name of each declared function to its definition.
    """
    loaded: set[str] = set()
    return list(_each(items, search, definitions, loaded)), loaded


def native_tool(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration of the search, from that of its function."""
    told = {name: definition[name] for name in ("description", "parameters") if name in definition}
    return {"type": TYPE, "execution": "client", **told}


def _each(
    items: Sequence[Item], search: Search, definitions: Mapping[str, Any], loaded: set[str]
) -> Iterator[Item]:
    calls: set[str] = set()
    for item in items:
        if item.get("type") == "function_call" and item.get("name") == NAME:
            calls.add(item["call_id"])
            yield _call(item)
        elif item.get("type") == "function_call_output" and item.get("call_id") in calls:
            yield from _output(item, search.found.get(item["call_id"]), definitions, loaded)
        else:
            yield item


def _call(item: Item) -> Item:
    try:
        arguments = msgspec.json.decode(item["arguments"])
    except msgspec.DecodeError:
        arguments = {}
    return {
        "type": CALL,
        "call_id": item["call_id"],
        "execution": "client",
        "status": "completed",
        "arguments": arguments if isinstance(arguments, dict) else {},
    }


def _output(
    item: Item, found: Found | None, definitions: Mapping[str, Any], loaded: set[str]
) -> Iterator[Item]:
    """The result with the definitions of its tools, each the first time; the rest as a message."""
    names = [name for name in (found.names if found else ()) if name in definitions]
    new = [name for name in dict.fromkeys(names) if name not in loaded]
    loaded.update(new)
    yield {
        "type": OUTPUT,
        "call_id": item["call_id"],
        "execution": "client",
        "status": "completed",
        "tools": [definitions[name] for name in new],
    }
    again = [name for name in dict.fromkeys(names) if name not in new]
    notes = [_LOADED.format(", ".join(again))] if again else []
    notes += found.notes if found else _texts(item["output"])
    if notes:
        parts = [{"type": "input_text", "text": note} for note in notes]
        yield {"type": "message", "role": "developer", "content": parts}


def _texts(output: Any) -> list[str]:
    if isinstance(output, str):
        return [output] if output else []
    return [part["text"] for part in output if isinstance(part.get("text"), str)]
