"""Writes the whole history as one user message: `HISTORY_MODE=transcript`.

Every message becomes a line `User:`, `Assistant:` or `System:` (the developer's too). Calls and
their results become lines of the assistant and the user; the tools are still sent. Images and files
follow the text in the same message, in order, and are mentioned at their place. Reasoning is left
out, because its items are. Compacted history and items of unknown types stay items, in front, because
they have no text; a trigger for compaction stays last. The caller does not flatten requests of Codex
clients.
"""

from collections.abc import Iterator
from typing import Any

from codex_proapi.gateway.formats.codex.input_items import Part, message, text_part
from codex_proapi.gateway.formats.codex.requests import COMPACTION_TRIGGER, Item

_SPEAKERS = {"user": "User", "assistant": "Assistant", "developer": "System"}


def flattened(items: list[Item]) -> list[Item]:
    """Return the history as one user message, and the items around it that have no text."""
    attached: list[Part] = []
    lines: list[str] = []
    before: list[Item] = []
    after: list[Item] = []
    for item in items:
        match item["type"]:
            case "message" | "function_call" | "custom_tool_call":
                lines.append(_line(item, attached))
            case "function_call_output" | "custom_tool_call_output":
                lines.append(
                    f"User: [result of {item['call_id']}] {_said(item['output'], attached)}"
                )
            case "reasoning":
                continue
            case kind if kind == COMPACTION_TRIGGER["type"]:
                after.append(item)
            case _:
                before.append(item)
    if not lines:
        return [*before, *after]
    return [*before, message("user", [text_part("\n".join(lines)), *attached]), *after]


def _line(item: Item, attached: list[Part]) -> str:
    if item["type"] == "message":
        return f"{_SPEAKERS[item['role']]}: {_said(item['content'], attached)}"
    provided = item["arguments"] if item["type"] == "function_call" else item["input"]
    return f"Assistant: [calls {item['name']} as {item['call_id']}] {provided}"


def _said(content: str | list[Part], attached: list[Part]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(_mentions(content, attached))


def _mentions(parts: list[Any], attached: list[Part]) -> Iterator[str]:
    for part in parts:
        if "text" in part:
            yield part["text"]
        else:
            attached.append(part)
            yield f"[attachment {len(attached)}]"
