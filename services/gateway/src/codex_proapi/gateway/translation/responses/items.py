"""The output items of one response under way: their ids, places, and what of each was sent.

Also gives ids where upstream left them out, and puts the finished items in order.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from codex_proapi.gateway.formats.openai.responses import ID_PREFIXES

Part = tuple[str, int]
"""A part of an item: the field that numbers it, and its number."""

ID_LIMIT: Final = 64
_CALLS: Final = frozenset(("function_call", "custom_tool_call"))
_REQUIRED: Final = {"status": _CALLS | {"message", "web_search_call"}, "call_id": _CALLS}
"""Fields that schema-checking clients refuse to miss, by the items that have them."""


class ItemState(msgspec.Struct, kw_only=True):
    """What is known of one item, and what of it the client was sent."""

    index: int
    id: str
    type: str
    announced: set[Part] = set()
    """Parts whose `added` event was sent."""
    delivered: set[Part] = set()
    """Parts of which a delta was sent."""
    ends: dict[Part, dict[str, Any]] = {}
    """Parts whose `done` event was sent, as they stand in the item."""
    begun: dict[str, Any] = {}
    """The item as its beginning showed it."""
    whole: dict[str, Any] | None = None
    """The finished item."""


class ResponseItems:
    """The items of one response, by output index."""

    def __init__(self, *, rename: Mapping[str, str], strip_namespace: str = "") -> None:
        """`rename` gives the client's tool names; the stripped namespace is one of our making."""
        self.response_id = ""
        self._rename = rename
        self._strip_namespace = strip_namespace
        self._by_index: dict[int, ItemState] = {}
        self._by_id: dict[str, ItemState] = {}
        self._last: ItemState | None = None

    def __repr__(self) -> str:
        return f"<ResponseItems {len(self._by_index)}>"

    def find(self, body: Mapping[str, Any]) -> ItemState | None:
        """The item that an event speaks of: by id, by output index, else the last one begun."""
        item_id, index = _id(body.get("item_id")), _index(body.get("output_index"))
        if item_id is not None and item_id in self._by_id:
            return self._by_id[item_id]
        if index is not None:
            return self._by_index.get(index)
        return self._last

    @property
    def unfinished(self) -> list[ItemState]:
        """Items that began and did not end, in order."""
        state = sorted(self._by_index.items())
        return [item for _, item in state if item.begun and item.whole is None]

    @property
    def anything_delivered(self) -> bool:
        """Whether any delta was told that is not mere reasoning."""
        state = self._by_index.values()
        return any(item.delivered and item.type != "reasoning" for item in state)

    def begin(self, item: Mapping[str, Any], output_index: object) -> tuple[ItemState, bool]:
        """The place of an item, and whether it was made for it."""
        item_id, index = _id(item.get("id")), _index(output_index)
        known = self._by_id.get(item_id) if item_id is not None else None
        if known is None and index is not None:
            known = self._by_index.get(index)
        if known is not None:
            return known, False
        if index is None:
            index = max(self._by_index, default=-1) + 1
        kind = str(item.get("type", ""))
        state = ItemState(index=index, id=item_id or self._new_id(kind, index), type=kind)
        self._by_index[index] = self._by_id[state.id] = self._last = state
        return state, True

    def rendered(
        self, item: Mapping[str, Any], state: ItemState, *, status: str = "completed"
    ) -> dict[str, Any]:
        """An item as the client is to see it.

        It has the fields that clients require, the client's own tool name, and the id it began
        with: upstream, or a proxy before it, may change ids on the way.
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

        Upstream often leaves its own list empty, or without ids; the finished items then stand in.
        """
        listed = (
            [item for item in provided if isinstance(item, dict)]
            if isinstance(provided, list)
            else []
        )
        finished = [
            state.whole for _, state in sorted(self._by_index.items()) if state.whole is not None
        ]
        if len(listed) < len(finished) or not listed:
            return finished
        return [self.rendered(item, self.begin(item, i)[0]) for i, item in enumerate(listed)]

    def _new_id(self, kind: str, index: int) -> str:
        prefix = ID_PREFIXES.get(kind, "item")
        return f"{prefix}_{self.response_id.removeprefix('resp_')[-40:]}_{index}"


def is_empty(output: list[dict[str, Any]]) -> bool:
    """Whether these items say nothing: no text, no call, only reasoning if anything."""
    return not any(
        item.get("content") if item.get("type") == "message" else item.get("type") != "reasoning"
        for item in output
    )


def _id(value: object) -> str | None:
    return value[:ID_LIMIT] if isinstance(value, str) and value else None


def _index(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value
