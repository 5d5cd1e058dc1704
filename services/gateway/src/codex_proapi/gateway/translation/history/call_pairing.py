"""Pairs calls with their results over the whole history.

Upstream refuses a call without a result, a result without a call, and an id that is repeated or too
long. Clients that cut, reorder or invent history send all of these.
"""

import hashlib
from collections import deque

import msgspec

from codex_proapi.gateway.formats.codex.input_items import message, text_part
from codex_proapi.gateway.formats.codex.requests import Item

CALL_ID_LIMIT = 64
"""Characters of the longest `call_id` upstream accepts."""
INTERRUPTED = "[interrupted: this call has no recorded result]"
"""Result added to a call without one."""
ORPHANED = "[result of a tool call that is no longer in this conversation]"
"""Prefix of a result without a call."""

RESULT_OF = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}
"""Type of a call to the type of its result."""
RESULTS = frozenset(RESULT_OF.values())
_PAIRED = RESULTS | RESULT_OF.keys()
_DIGEST_LENGTH = 16


def paired(items: list[Item]) -> list[Item]:
    """Return the history in which every call has a unique id and one result, after the call."""
    return items if _is_paired(items) else _Pairs(items).settled()


def _is_paired(items: list[Item]) -> bool:
    """Whether a history is sound as it is, as nearly all are; `_Pairs` would return equal items."""
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    for item in items:
        kind = item["type"]
        if kind not in _PAIRED:
            continue
        call_id = item["call_id"]
        if kind in RESULT_OF:
            if not call_id or len(call_id) > CALL_ID_LIMIT or call_id in seen:
                return False
            seen.add(call_id)
            waiting[call_id] = RESULT_OF[kind]
        elif waiting.pop(call_id, None) != kind:
            return False
    return not waiting


class _Call(msgspec.Struct):
    """A call and the position of its result."""

    position: int
    item: Item
    call_id: str
    result: int | None = None
    """Position of its result."""


class _Pairs:
    """The calls and results of one history."""

    def __init__(self, items: list[Item]) -> None:
        self._items = items
        self._calls = self._numbered()
        self._orphans: set[int] = set()
        self._match()

    def settled(self) -> list[Item]:
        """Return the items in order; results that came before their calls, and missing ones, after them."""
        of_result = {call.result: call for call in self._calls.values() if call.result is not None}
        waiting: list[_Call] = []
        settled: list[Item] = []
        for position, item in enumerate(self._items):
            if position in self._calls:
                call = self._calls[position]
                named = item["call_id"] == call.call_id
                settled.append(item if named else {**item, "call_id": call.call_id})
                if call.result is None or call.result < position:
                    waiting.append(call)
                continue
            settled += map(self._late_result, waiting)
            waiting = []
            if position in self._orphans:
                settled.append(_as_message(item))
            elif position not in of_result:
                settled.append(item)
            elif (call := of_result[position]).position < position:
                settled.append(_result(call, item["output"]))
        settled += map(self._late_result, waiting)
        return settled

    def _numbered(self) -> dict[int, _Call]:
        """Assign every call a unique id: the client's, if it is valid and new."""
        provided = {item["call_id"] for item in self._items if item["type"] in RESULT_OF}
        used: set[str] = set()
        next_suffix: dict[str, int] = {}
        calls: dict[int, _Call] = {}
        for position, item in enumerate(self._items):
            if item["type"] not in RESULT_OF:
                continue
            call_id = wanted = _fitting(item["call_id"] or f"call_{position}")
            suffix = next_suffix.get(wanted, 2)
            while call_id in used or (call_id != item["call_id"] and call_id in provided):
                call_id = _fitting(f"{wanted}_{suffix}")
                suffix += 1
            next_suffix[wanted] = suffix
            used.add(call_id)
            calls[position] = _Call(position=position, item=item, call_id=call_id)
        return calls

    def _match(self) -> None:
        """Find each result's call: by id over the whole history, then in order for those without one."""
        open_by_id: dict[str, deque[_Call]] = {}
        for call in self._calls.values():
            open_by_id.setdefault(call.item["call_id"], deque()).append(call)
        nameless: list[int] = []
        for position, item in enumerate(self._items):
            if item["type"] not in RESULTS:
                continue
            if not item["call_id"]:
                nameless.append(position)
            elif found := open_by_id.get(item["call_id"]):
                found.popleft().result = position
            else:
                self._orphans.add(position)
        if nameless:
            self._match_nameless(nameless)

    def _match_nameless(self, positions: list[int]) -> None:
        """Assign results without an id to the next open calls before them, of the tool they name."""
        open_calls = [call for call in self._calls.values() if call.result is None]
        by_name: dict[str | None, deque[_Call]] = {None: deque(open_calls)}
        for call in open_calls:
            by_name.setdefault(call.item["name"], deque()).append(call)
        for position in positions:
            waiting = by_name.get(self._items[position].get("name"), deque())
            while waiting and waiting[0].result is not None:
                waiting.popleft()
            if waiting and waiting[0].position < position:
                waiting.popleft().result = position
            else:
                self._orphans.add(position)

    def _late_result(self, call: _Call) -> Item:
        output = INTERRUPTED if call.result is None else self._items[call.result]["output"]
        return _result(call, output)


def _result(call: _Call, output: object) -> Item:
    return {"type": RESULT_OF[call.item["type"]], "call_id": call.call_id, "output": output}


def _as_message(item: Item) -> Item:
    """Turn a result without a call into a user message."""
    output = item["output"]
    parts = [text_part(output)] if isinstance(output, str) and output else list(output)
    return message("user", [text_part(ORPHANED), *parts])


def _fitting(call_id: str) -> str:
    """Shorten an id over the limit to its beginning and a digest of the whole."""
    if len(call_id) <= CALL_ID_LIMIT:
        return call_id
    digest = hashlib.sha256(call_id.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{call_id[: CALL_ID_LIMIT - _DIGEST_LENGTH - 1]}_{digest}"
