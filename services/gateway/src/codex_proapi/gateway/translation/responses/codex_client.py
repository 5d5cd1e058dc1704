"""Requests of Codex clients: passed unchanged, except for what upstream is known to refuse.

Unknown item types, namespaces, metadata and the request's shape are kept. Removed or changed are
only keys that upstream refuses, ids that cannot be upstream's, and the model's name.
"""

import functools
from operator import itemgetter
from typing import Any

from codex_proapi.commons.codex.model_catalogue import EFFORTS, Resolved
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import (
    REMEMBERED_LISTS,
    ClientBody,
    ToolFields,
    remembered_tools,
    tool_value,
)
from codex_proapi.gateway.formats.codex.requests import Item, Tool
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request.items import (
    ITEM_ID_LIMIT,
    SEARCH_CALL,
    is_foreign_search,
    is_upstream_id,
)

_OBJECT = frozenset({dict})
_CALLS = frozenset(
    {
        *("function_call", "function_call_output"),
        *("custom_tool_call", "custom_tool_call_output"),
    }
)
"""Types of items that pass unchanged unless they have an id."""
KEPT = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "stream",
        "store", "include", "reasoning", "text", "service_tier", "prompt_cache_key",
        "client_metadata", "previous_response_id",
    }
)  # fmt: skip
"""Keys the CLI sends, and keys with a rule here."""


def note_codex_dropped(body: ClientBody, dropped: Dropped) -> None:
    """Note the keys that upstream would refuse and that are left out."""
    for name in body.names or body.values:
        if name not in KEPT:
            dropped.add(name)


def codex_items(entries: Any) -> list[Item]:
    """Return the items of a Codex client's `input`. Raises BadRequest for other values."""
    if isinstance(entries, str):
        entries = [{"type": "message", "role": "user", "content": entries}]
    if not isinstance(entries, list):
        raise BadRequest("'input' must be a list", param="input")
    items: list[Item] = []
    for index, entry in enumerate(entries):
        # Nearly all items are messages, calls, results and reasoning without an id.
        kind = entry.get("type") if isinstance(entry, dict) and "id" not in entry else None
        if kind == "message":
            items.append(_message(entry, f"input[{index}]"))
        elif isinstance(kind, str) and kind in _CALLS:
            items.append(entry)
        elif kind == "reasoning":
            if (item := _reasoning(entry)) is not None:
                items.append(item)
        elif (item := _sound_item(entry, f"input[{index}]")) is not None:
            items.append(item)
    return items


def codex_tools(body: ClientBody) -> tuple[Tool, ...]:
    """Return a Codex client's tools, byte for byte unchanged; a list of them is remembered."""
    return _read_again(body.tools_json) if body.tools_json else _tools(body.tools)


def codex_reasoning(body: ClientBody, resolved: Resolved) -> dict[str, Any]:
    """Return `reasoning` as sent; the effort is clamped if we replaced the model by another."""
    reasoning = {
        name: value for name, value in body.table("reasoning").items() if value is not None
    }
    effort = resolved.effort or reasoning.get("effort")
    if isinstance(effort, str) and effort in EFFORTS:
        reasoning["effort"] = resolved.model.clamp(effort)
    return reasoning


def codex_metadata(body: ClientBody) -> dict[str, str] | None:
    """Return `client_metadata` with its strings only: upstream refuses other values."""
    found = {
        name: value
        for name, value in body.table("client_metadata").items()
        if isinstance(value, str)
    }
    return found or None


def codex_choice(body: ClientBody) -> str | dict[str, Any]:
    """Return `tool_choice` unchanged."""
    choice = body.values.get("tool_choice")
    return choice if isinstance(choice, str | dict) else "auto"


def _sound_item(entry: Any, where: str) -> Item | None:
    """Return an item as upstream accepts it; None to leave it out. Raises BadRequest."""
    item = _item(entry, where)
    kind = item["type"]
    if kind == SEARCH_CALL and is_foreign_search(item):
        return None
    if kind == "reasoning":
        if (sound := _reasoning(item)) is None:
            return None
        item = sound
    if "id" not in item or _may_keep_id(item):
        return item
    if _foreign_secret(item):
        return None
    return {name: value for name, value in item.items() if name != "id"}


def _item(entry: Any, where: str) -> Item:
    if not isinstance(entry, dict):
        raise BadRequest("An item must be an object", param=where)
    kind = "message" if entry.get("type") is None and "role" in entry else entry.get("type")
    if not isinstance(kind, str):
        raise BadRequest("An item needs a type", param=f"{where}.type")
    if kind == "message":
        return _message(entry if entry.get("type") == kind else {**entry, "type": kind}, where)
    if kind == "additional_tools":
        _check_tools(entry, where)
    return entry


def _message(entry: Item, where: str) -> Item:
    """Return a message with a role that upstream accepts and its content as parts."""
    role = entry.get("role")
    if role not in ("user", "assistant", "developer", "system"):
        raise BadRequest("A message needs a role", param=f"{where}.role")
    if role == "system":
        entry = {**entry, "role": "developer"}
    content = entry.get("content")
    if isinstance(content, str):
        kind = "output_text" if role == "assistant" else "input_text"
        return {**entry, "content": [{"type": kind, "text": content}]}
    if not isinstance(content, list) or not _OBJECT.issuperset(map(type, content)):
        raise BadRequest("A message needs content", param=f"{where}.content")
    return entry


def _reasoning(entry: Item) -> Item | None:
    """Return reasoning that upstream accepts; None for what says nothing.

    Codex keeps what any provider has sent it: an empty `encrypted_content`, no `summary`.
    """
    secret, summary = entry.get("encrypted_content"), entry.get("summary")
    if isinstance(secret, str) and secret:
        return entry if isinstance(summary, list) else {**entry, "summary": []}
    if not isinstance(summary, list) or not summary:
        return None
    return {name: value for name, value in entry.items() if name != "encrypted_content"}


def _check_tools(entry: Item, where: str) -> None:
    tools = entry.get("tools")
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise BadRequest("'tools' must be a list of objects", param=f"{where}.tools")


def _may_keep_id(item: Item) -> bool:
    """Whether upstream accepts an item's id; reasoning without its content is unknown to it."""
    if item["type"] == "reasoning" and not item.get("encrypted_content"):
        return False
    return is_upstream_id(item["type"], item["id"])


def _foreign_secret(entry: Item) -> bool:
    """Whether this is reasoning of another backend: its id is longer than any of upstream's."""
    too_long = isinstance(entry["id"], str) and len(entry["id"]) > ITEM_ID_LIMIT
    return too_long and entry["type"] == "reasoning" and bool(entry.get("encrypted_content"))


def _tools(tools: tuple[ToolFields, ...]) -> tuple[Tool, ...]:
    return tuple(_tool(fields, f"tools[{index}]") for index, fields in enumerate(tools))


@functools.lru_cache(maxsize=REMEMBERED_LISTS)
def _read_again(tools_json: bytes) -> tuple[Tool, ...]:
    return _tools(remembered_tools(tools_json))


def _tool(fields: ToolFields, where: str) -> Tool:
    kind, name = tool_value(fields, "type"), tool_value(fields, "name")
    if not isinstance(kind, str):
        raise BadRequest("A tool needs a type", param=f"{where}.type")
    return Tool(type=kind, name=name if isinstance(name, str) else "", definition=fields)


def is_lite(items: list[Item]) -> bool:
    """Whether a client wrote its request in the lite shape."""
    return "additional_tools" in map(itemgetter("type"), items)
