"""Inserts stored items where a client's request only refers to them.

The backend stores nothing between requests, but clients continue a response by its id and refer to
items by theirs. Storing and finding the items is done by `exchange.stored_responses`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.requests import Item
from codex_proapi.gateway.translation.dropped_parameters import Dropped
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.finish import finished
from codex_proapi.gateway.translation.request.items import REFERENCE, history_items
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.responses.codex_client import codex_items
from codex_proapi.gateway.translation.tools.tool_names import ToolNames

REASONING_ID = "rs_"
"""Prefix of ids of reasoning, whose absence is tolerated: the conversation goes on without it."""


def expand(
    translated: TranslatedRequest,
    *,
    previous_items: list[bytes] | None,
    referenced_items: Mapping[str, bytes],
) -> TranslatedRequest:
    """Return the translation with the stored items in its history.

    Args:
        translated: A translation that is `unresolved`.
        previous_items: Items of its `previous_response_id` as JSON; None if that is unknown.
        referenced_items: Id to item as JSON, for those of its `references` that are stored.

    Raises:
        BadRequest: A response or an item is not stored.
    """
    if not translated.unresolved:
        return translated
    reader = _Kept(translated)
    items: list[Item] = []
    if translated.previous_response_id is not None:
        if previous_items is None:
            raise BadRequest(
                f"Previous response with id '{translated.previous_response_id}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        items.extend(reader.read(previous_items))
    for item in translated.request.input:
        if item["type"] == REFERENCE:
            items.extend(reader.referenced(item["id"], referenced_items))
        else:
            items.append(item)
    resolved = msgspec.structs.replace(
        translated,
        request=msgspec.structs.replace(translated.request, text_only=False),
        unresolved=False,
        tool_names={**translated.tool_names, **reader.names.restored},
    )
    return finished(resolved, items)


class _Kept:
    """Reads stored items as if the client had sent them."""

    def __init__(self, translated: TranslatedRequest) -> None:
        tools = translated.request.tools
        self.names = ToolNames.of(tool.name for tool in tools)
        self._verbatim = translated.verbatim
        self._reading = TranslationContext(
            names=self.names,
            dropped=Dropped(),
            custom=frozenset(tool.name for tool in tools if tool.type == "custom"),
        )

    def read(self, kept: list[bytes]) -> list[Item]:
        """Return the items for upstream."""
        entries: list[Any] = [msgspec.json.decode(item) for item in kept]
        if self._verbatim:
            return codex_items(entries)
        return history_items(entries, "input", self._reading)

    def referenced(self, item_id: str, known: Mapping[str, bytes]) -> Iterator[Item]:
        """Yield the items of a reference; none for reasoning that is not stored."""
        if item_id in known:
            yield from self.read([known[item_id]])
        elif not item_id.startswith(REASONING_ID):
            raise BadRequest(
                f"Item with id '{item_id[:64]}' not found.", code="item_not_found", param="input"
            )
