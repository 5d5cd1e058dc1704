"""The output items of one response: their ids, output indexes, and what of each was sent.

Also assigns ids where upstream left them out, and orders the finished items.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from codex_proapi.gateway.formats.openai.responses import ID_PREFIXES

Part = tuple[str, int]
"""A part of an item: the field that numbers it, and its number."""
Held = dict[str, Any] | bytes
"""An item, or the payload of the event that has it: most are never looked at again."""

NULL: Final = msgspec.Raw(b"null")
ID_LIMIT: Final = 64
_CALLS: Final = frozenset(("function_call", "custom_tool_call"))
_REQUIRED: Final = {"status": _CALLS | {"message", "web_search_call"}, "call_id": _CALLS}
"""Fields that clients with a schema require, with the types of items that have them."""


class _OfItem(msgspec.Struct):
    item: dict[str, Any]


_read: Final = msgspec.json.Decoder(_OfItem).decode


class ItemState(msgspec.Struct, kw_only=True):
    """What is known of one item, and what of it was sent to the client."""

    index: int
    id: str
    type: str
    announced: set[Part] = set()
    """Parts whose `added` event was sent."""
    delivered: set[Part] = set()
    """Parts of which a delta was sent."""
    ends: dict[Part, tuple[Any, str]] = {}
    """The kinds and texts of the parts whose `done` event was sent."""
    begun: Held = {}
    """The item as in its `added` event; empty if none was sent."""
    whole: Held | None = None
    """The finished item, once it is known."""


class ResponseItems:
    """The items of one response, by output index."""

    def __init__(self, *, rename: Mapping[str, str], strip_namespace: str = "") -> None:
        """Create an empty list.

        Args:
            rename: Sent tool name to the client's.
            strip_namespace: Namespace to remove from calls; empty for none.
        """
        self.response_id = ""
        self._rename = rename
        self._strip_namespace = strip_namespace
        self._by_index: dict[int, ItemState] = {}
        self.by_id: dict[str, ItemState] = {}
        self._last: ItemState | None = None

    def __repr__(self) -> str:
        return f"<ResponseItems {len(self._by_index)}>"

    def find(self, body: Mapping[str, Any], kind: str = "") -> ItemState | None:
        """The item of an event: by id, by output index, else the last one begun, if it is of this type."""
        item_id = body.get("item_id")
        known = self.by_id.get(item_id[:ID_LIMIT]) if isinstance(item_id, str) else None
        if known is not None:
            return known
        if (index := _index(body.get("output_index"))) is not None:
            return self._by_index.get(index)
        last = self._last
        return None if last is None or (kind and last.type != kind) else last

    @property
    def unfinished(self) -> list[ItemState]:
        """Items that began and did not end, in order."""
        state = self._by_index.values()
        begun = [item for item in state if item.whole is None and item.begun]
        return sorted(begun, key=_index_of) if begun else begun

    @property
    def anything_delivered(self) -> bool:
        """Whether a delta of anything but reasoning was sent."""
        state = self._by_index.values()
        return any(item.delivered and item.type != "reasoning" for item in state)

    def begin(self, item: Mapping[str, Any], output_index: object) -> tuple[ItemState, bool]:
        """The state of an item, and whether it was created by this call."""
        provided = item.get("id")
        known = self.by_id.get(provided) if isinstance(provided, str) else None
        if known is not None:
            return known, False
        item_id, index = _id(provided), _index(output_index)
        if item_id is not None:
            known = self.by_id.get(item_id)
        if known is None and index is not None:
            known = self._by_index.get(index)
        if known is not None:
            return known, False
        if index is None:
            index = max(self._by_index, default=-1) + 1
        kind = str(item.get("type", ""))
        return self.add(item_id or self._new_id(kind, index), index, kind=kind), True

    def knows(self, item_id: str, index: int) -> bool:
        """Whether there is an item of this id, or at this place."""
        return item_id in self.by_id or index in self._by_index

    def has_ended(self, item: object) -> bool:
        """Whether this is an item by whose id the end of one was sent."""
        item_id = item.get("id") if isinstance(item, dict) else None
        known = self.by_id.get(item_id) if isinstance(item_id, str) else None
        return known is not None and known.whole is not None

    def add(self, item_id: str, index: int, *, kind: str) -> ItemState:
        """The state of an item that is not known yet."""
        state = ItemState(index=index, id=item_id, type=kind)
        self._by_index[index] = self.by_id[item_id] = self._last = state
        return state

    def changes(self, name: str, namespace: str | None) -> bool:
        """Whether the client has another name for a call of this name, or none for its namespace."""
        return name in self._rename or (
            namespace is not None and namespace == self._strip_namespace != ""
        )

    def rendered(
        self, item: Mapping[str, Any], state: ItemState, *, status: str = "completed"
    ) -> dict[str, Any]:
        """An item as it is sent to the client.

        It has the fields that clients require, the client's tool name, and the id of its `added`
        event: upstream, or a proxy before it, may change ids within a stream.
        """
        seen = {**item, "id": state.id}
        for field, value in (("status", status), ("call_id", seen["id"])):
            if state.type in _REQUIRED[field] and not seen.get(field):
                seen[field] = value
        name = seen.get("name")
        if isinstance(name, str) and name in self._rename:
            seen["name"] = self._rename[name]
        if self._strip_namespace and seen.get("namespace") == self._strip_namespace:
            del seen["namespace"]
        return seen

    def output(self, provided: object) -> list[dict[str, Any]]:
        """All items of the finished response, in order.

        Upstream often leaves its own list empty, or without ids; then the finished items are used.
        """
        listed = provided if isinstance(provided, list) else []
        listed = [item for item in listed if isinstance(item, dict)]
        finished = [state for state in self._by_index.values() if state.whole is not None]
        if len(listed) < len(finished) or not listed:
            finished.sort(key=_index_of)
            return [item_of(state.whole) for state in finished if state.whole is not None]
        return [self.rendered(item, self.begin(item, i)[0]) for i, item in enumerate(listed)]

    def _new_id(self, kind: str, index: int) -> str:
        prefix = ID_PREFIXES.get(kind, "item")
        return f"{prefix}_{self.response_id.removeprefix('resp_')[-40:]}_{index}"


def item_of(held: Held) -> dict[str, Any]:
    """An item, however it is held."""
    if isinstance(held, dict):
        return held
    item: dict[str, Any] = _read(held).item
    return item


def is_empty(output: list[dict[str, Any]]) -> bool:
    """Whether these items have neither text nor a call; reasoning does not count."""
    for item in output:
        kind = item.get("type")
        if item.get("content") if kind == "message" else kind != "reasoning":
            return False
    return True


def _index_of(state: ItemState) -> int:
    return state.index


def _id(value: object) -> str | None:
    return value[:ID_LIMIT] if isinstance(value, str) and value else None


def _index(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value
