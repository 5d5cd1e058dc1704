"""Translates entries with a `role` (chat or Responses) into messages, calls and results.

Calls and results keep the client's ids; `history.call_pairing` pairs them.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.input_items import Part, message, output_part, text_part
from codex_proapi.gateway.formats.codex.requests import Item
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.parts import (
    assistant_text,
    each_part,
    input_part,
    text_parts,
)
from codex_proapi.gateway.translation.request.tool_results import tool_output

PHASES = frozenset({"commentary", "final_answer"})
_SENT = {
    "user": ("user", "input_text"),
    "system": ("developer", "input_text"),
    "developer": ("developer", "input_text"),
    "assistant": ("assistant", "output_text"),
}
"""Role of a client's message to the role to send, and to the type of its parts of text."""
_TWO = 2
"""Fields of a message that has a role and content, and nothing else."""


def text_messages(entries: list[Any]) -> list[Item]:
    """Return each entry that is a role and text, and nothing else, as a message; {} for every other.

    Most of a conversation is such messages, in all dialects: they are read in one loop, before and
    without all that calls, results and pictures need. `message_items` gives the same items.
    """
    items: list[Item] = []
    for entry in entries:
        item: Item = {}
        if isinstance(entry, dict) and "role" in entry and "content" in entry:
            role, content, fields = entry["role"], entry["content"], len(entry)
            alone = fields == _TWO or (fields == _TWO + 1 and entry.get("type") == "message")
            if alone and isinstance(role, str) and role in _SENT:
                sent, kind = _SENT[role]
                if isinstance(content, str):
                    parts = [{"type": kind, "text": content}] if content else []
                else:
                    parts = text_parts(content, kind)
                if parts:
                    item = {"type": "message", "role": sent, "content": parts}
        items.append(item)
    return items


def message_items(entry: dict[str, Any], where: str, reading: TranslationContext) -> list[Item]:
    """Return the items of one entry; none if it has no content. Raises BadRequest."""
    role = entry.get("role")
    reader = _READERS.get(role) if isinstance(role, str) else None
    if reader is None:
        raise BadRequest(
            f"'{where}.role' must be one of {', '.join(_READERS)}", param=f"{where}.role"
        )
    return reader(entry, where, reading)


def call_item(
    name: Any, arguments: Any, *, call_id: Any, where: str, reading: TranslationContext
) -> Item:
    """Return a call as an item; a custom call if its tool is declared custom, in whatever form."""
    if not isinstance(name, str) or not name:
        raise BadRequest("A tool call needs the name of its tool", param=f"{where}.name")
    sent = reading.names.known.get(name) or reading.names.sent(name)
    known_id = call_id if isinstance(call_id, str) else ""
    text = arguments if isinstance(arguments, str) else _arguments(arguments)
    if sent in reading.custom:
        return {"type": "custom_tool_call", "call_id": known_id, "name": sent, "input": text}
    return {
        "type": "function_call",
        "call_id": known_id,
        "name": sent,
        "arguments": text or "{}",
    }


def result_item(
    content: Any, *, call_id: Any, reading: TranslationContext, name: Any = None
) -> Item:
    """Return a result as an item; without a `call_id`, its call is found by the tool's `name`."""
    item: Item = {
        "type": "function_call_output",
        "call_id": call_id if isinstance(call_id, str) else "",
        "output": tool_output(content, reading),
    }
    if not item["call_id"] and isinstance(name, str) and name:
        item["name"] = reading.names.sent(name)
    return item


def _developer(entry: dict[str, Any], where: str, reading: TranslationContext) -> list[Item]:
    """Read a system or developer message as `developer`: upstream refuses the role `system`."""
    content = entry.get("content")
    if isinstance(content, str):
        return [message("developer", [text_part(content)])] if content else []
    where = f"{where}.content"
    found = (input_part(part, where, reading) for part in each_part(content, where))
    parts = [part for part in found if part]
    return [message("developer", parts)] if parts else []


def _user(entry: dict[str, Any], where: str, reading: TranslationContext) -> list[Item]:
    """Read a user message; Anthropic's tool results inside it become results."""
    content = entry.get("content")
    if isinstance(content, str):
        return [message("user", [text_part(content)])] if content else []
    items: list[Item] = []
    parts: list[Part] = []
    for part in each_part(content, f"{where}.content"):
        if part.get("type") == "tool_result":
            if parts:
                items.append(message("user", parts))
            parts = []
            result, call_id = part.get("content"), part.get("tool_use_id")
            items.append(result_item(result, call_id=call_id, reading=reading))
        elif found := input_part(part, f"{where}.content", reading):
            parts.append(found)
    if parts:
        items.append(message("user", parts))
    return items


def _assistant(entry: dict[str, Any], where: str, reading: TranslationContext) -> list[Item]:
    """Read text, then calls; `reasoning_content` and similar fields are not replayable: ignored."""
    items: list[Item] = []
    texts: list[Part] = []
    content = entry.get("content")
    if isinstance(content, str):
        texts = [output_part(content)] if content else []
    elif content is not None:
        for part in each_part(content, f"{where}.content"):
            if part.get("type") == "tool_use":
                if texts:
                    _say(items, texts, entry)
                texts = []
                items.append(_tool_use(part, where, reading))
            elif text := assistant_text(part, f"{where}.content", reading):
                texts.append(output_part(text))
    if "refusal" in entry and isinstance(refusal := entry["refusal"], str) and refusal:
        texts.append(output_part(refusal))
    if texts:
        _say(items, texts, entry)
    if "tool_calls" in entry or "function_call" in entry:
        items += _calls(entry, where, reading)
    return items


def _say(items: list[Item], texts: list[Part], entry: dict[str, Any]) -> None:
    item = message("assistant", texts)
    if "phase" in entry and isinstance(phase := entry["phase"], str) and phase in PHASES:
        item["phase"] = phase
    items.append(item)


def _calls(entry: dict[str, Any], where: str, reading: TranslationContext) -> list[Item]:
    calls = entry.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequest("'tool_calls' must be a list", param=f"{where}.tool_calls")
    items = []
    for index, call in enumerate(calls):
        items.append(_tool_call(call, f"{where}.tool_calls[{index}]", reading))
    if "function_call" in entry and isinstance(legacy := entry["function_call"], dict):
        name, arguments = legacy.get("name"), legacy.get("arguments")
        where = f"{where}.function_call"
        items.append(call_item(name, arguments, call_id="", where=where, reading=reading))
    return items


def _tool_call(call: Any, where: str, reading: TranslationContext) -> Item:
    """Read a call, nested as in chat (`function`, `custom`) or flat."""
    if not isinstance(call, dict):
        raise BadRequest("A tool call must be an object", param=where)
    if isinstance(inner := call.get("function"), dict):
        where += ".function"
    elif isinstance(inner := call.get("custom"), dict):
        where += ".custom"
    else:
        inner = call
    provided = inner.get("arguments") if "arguments" in inner else inner.get("input")
    return call_item(
        inner.get("name"), provided, call_id=call.get("id"), where=where, reading=reading
    )


def _tool_use(part: Part, where: str, reading: TranslationContext) -> Item:
    return call_item(
        part.get("name"),
        part.get("input"),
        call_id=part.get("id"),
        where=f"{where}.content",
        reading=reading,
    )


def _tool(entry: dict[str, Any], _: str, reading: TranslationContext) -> list[Item]:
    content, call_id = entry.get("content"), entry.get("tool_call_id")
    return [result_item(content, call_id=call_id, reading=reading, name=entry.get("name"))]


def _arguments(arguments: Any) -> str:
    """Return arguments that are no text as JSON, which upstream requires: some send an object."""
    return "" if arguments is None else msgspec.json.encode(arguments).decode()


_Reader = Callable[[dict[str, Any], str, TranslationContext], list[Item]]
_READERS: dict[str, _Reader] = {
    "system": _developer,
    "developer": _developer,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
    "function": _tool,
}
