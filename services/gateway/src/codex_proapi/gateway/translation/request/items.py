"""Translates entries with a `type`, as the Responses API has them, into upstream items.

Every entry is read by its own shape on either route, because chat messages occur inside `input`.
Items of an unknown type pass unchanged, because upstream may know them.
"""

import re
from collections.abc import Callable
from typing import Any

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.input_items import message, text_part
from codex_proapi.gateway.formats.codex.requests import COMPACTION_TRIGGER, Item
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.message_items import (
    call_item,
    message_items,
    result_item,
    text_messages,
)
from codex_proapi.gateway.translation.request.parts import (
    FILE_TYPES,
    IMAGE_TYPES,
    TEXT_TYPES,
    input_part,
)

METADATA = "internal_chat_message_metadata_passthrough"
"""A field that Codex adds to its items; removed from the items of other clients."""
REFERENCE = "item_reference"
ITEM_ID_LIMIT = 64
"""Characters of the longest item id upstream accepts."""
_ITEM_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{ITEM_ID_LIMIT}}}", re.ASCII)
ID_PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "web_search_call": "ws_",
    "image_generation_call": "ig_",
    "compaction": "cmp_",
}
"""Prefixes of upstream's ids, by item type; an id with another prefix was not made by upstream."""


SEARCH_CALL = "web_search_call"
_SEARCH_ACTIONS = frozenset({"search", "open_page", "find_in_page"})
"""What upstream takes back of its web searches."""


def history_items(
    entries: Any,
    field: str,
    reading: TranslationContext,
    *,
    texts: list[Item] | None = None,
) -> list[Item]:
    """Return the items of `messages` or `input`, in order. Raises BadRequest.

    `texts` are the `text_messages` of a list, if they have been read.
    """
    if isinstance(entries, str):
        return [message("user", [text_part(entries)])] if entries else []
    if isinstance(entries, dict):
        entries = [entries]
    if not isinstance(entries, list):
        raise BadRequest(f"'{field}' must be a list", param=field)
    items: list[Item] = []
    for index, item in enumerate(text_messages(entries) if texts is None else texts):
        if item:
            items.append(item)
        else:
            items.extend(_entry_items(entries[index], f"{field}[{index}]", reading))
    return items


def is_upstream_id(kind: str, item_id: Any) -> bool:
    """Whether an id can be upstream's own; upstream refuses others, and items need no id."""
    if not isinstance(item_id, str) or not _ITEM_ID.fullmatch(item_id):
        return False
    return item_id.startswith(ID_PREFIXES.get(kind, ""))


def references_of(items: list[Item]) -> tuple[str, ...]:
    """Return the ids of the item references, in order."""
    return tuple([item["id"] for item in items if item["type"] == REFERENCE])


def _entry_items(entry: Any, where: str, reading: TranslationContext) -> list[Item]:
    if isinstance(entry, str):
        entry = {"role": "user", "content": entry}
    if not isinstance(entry, dict):
        raise BadRequest("An entry must be an object", param=where)
    kind = entry.get("type")
    if kind is None and "role" not in entry and isinstance(entry.get("id"), str):
        kind = REFERENCE
    if kind is None or kind == "message":
        return message_items(entry, where, reading)
    if not isinstance(kind, str):
        raise BadRequest("'type' must be a string", param=f"{where}.type")
    reader = _READERS.get(kind)
    found = reader(entry, where, reading) if reader else _unknown(entry, kind, reading)
    return [found] if found else []


def _function_call(entry: Item, where: str, reading: TranslationContext) -> Item:
    """Read a call. Its `namespace` is not kept: upstream was seen refusing it when replayed."""
    provided = entry.get("arguments") if "arguments" in entry else entry.get("input")
    call_id = entry.get("call_id") or entry.get("id")
    return call_item(entry.get("name"), provided, call_id=call_id, where=where, reading=reading)


def _custom_call(entry: Item, where: str, reading: TranslationContext) -> Item:
    item = _function_call(entry, where, reading)
    if item["type"] == "function_call":
        text = item.pop("arguments")
        item["type"] = "custom_tool_call"
        item["input"] = "" if text == "{}" else text
    return item


def _result(entry: Item, _: str, reading: TranslationContext) -> Item:
    found = entry.get("output") if "output" in entry else entry.get("content")
    call_id = entry.get("call_id") or entry.get("tool_use_id")
    return result_item(found, call_id=call_id, reading=reading)


def _reasoning(entry: Item, _: str, reading: TranslationContext) -> Item | None:
    """Keep the fields upstream can use; the id is dropped, as with `store` false it is unknown."""
    provided = entry.get("summary")
    summary = [
        {"type": "summary_text", "text": part["text"]}
        for part in (provided if isinstance(provided, list) else ())
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    item: Item = {"type": "reasoning", "summary": summary}
    secret = entry.get("encrypted_content")
    if isinstance(secret, str) and secret:
        item["encrypted_content"] = secret
    elif not summary:
        reading.dropped.add("input.reasoning")
        return None
    return item


def _compaction(entry: Item, where: str, _: TranslationContext) -> Item:
    """Keep a compacted history, which replaces the items before it."""
    secret = entry.get("encrypted_content")
    if not isinstance(secret, str) or not secret:
        raise BadRequest("Compacted history is missing", param=f"{where}.encrypted_content")
    return {"type": "compaction", "encrypted_content": secret}


def _unknown(entry: Item, kind: str, reading: TranslationContext) -> Item:
    """Pass an item unchanged, without an id that cannot be upstream's and without `METADATA`."""
    reading.text_only = False
    out = {METADATA} if is_upstream_id(kind, entry.get("id")) else {METADATA, "id"}
    return {name: value for name, value in entry.items() if name not in out}


def is_foreign_search(entry: Item) -> bool:
    """Whether an item is a web search with an action that upstream sends but does not take back.

    Its own `other` is refused in a later turn, and the session with it (openai/codex#6945, #7085).
    """
    action = entry.get("action")
    kind = action.get("type") if isinstance(action, dict) else None
    if entry["type"] != SEARCH_CALL or kind is None:
        return False
    return not isinstance(kind, str) or kind not in _SEARCH_ACTIONS


def _search(entry: Item, _: str, reading: TranslationContext) -> Item | None:
    if is_foreign_search(entry):
        reading.dropped.add("input.web_search_call")
        return None
    return _unknown(entry, entry["type"], reading)


def _trigger(_: Item, __: str, ___: TranslationContext) -> Item:
    return COMPACTION_TRIGGER


def _reference(entry: Item, where: str, _: TranslationContext) -> Item:
    found = entry.get("id")
    if not isinstance(found, str) or not found:
        raise BadRequest("A reference needs the id of an item", param=f"{where}.id")
    return {"type": REFERENCE, "id": found}


def _nothing(_: Item, __: str, ___: TranslationContext) -> None:
    """Skip an entry that `tools_inside` has read already."""


def _loose_part(entry: Item, where: str, reading: TranslationContext) -> Item | None:
    """Read a content part that stands in the list itself as a user's message."""
    part = input_part(entry, where, reading)
    return message("user", [part]) if part else None


_Reader = Callable[[Item, str, TranslationContext], Item | None]
_READERS: dict[str, _Reader] = {
    "function_call": _function_call,
    "tool_use": _function_call,
    "custom_tool_call": _custom_call,
    "function_call_output": _result,
    "custom_tool_call_output": _result,
    "tool_result": _result,
    "reasoning": _reasoning,
    REFERENCE: _reference,
    "compaction": _compaction,
    "compaction_trigger": _trigger,
    SEARCH_CALL: _search,
    "additional_tools": _nothing,
    **dict.fromkeys(TEXT_TYPES | IMAGE_TYPES | FILE_TYPES, _loose_part),
}
