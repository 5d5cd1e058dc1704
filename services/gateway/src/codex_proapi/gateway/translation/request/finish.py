"""The last step of a translation, once all items are known: pairs calls, names the conversation."""

import re
from operator import itemgetter
from typing import Any, Final

import msgspec

from codex_proapi.gateway.formats.codex.requests import COMPACTION_TRIGGER, Item
from codex_proapi.gateway.translation.history.call_pairing import paired
from codex_proapi.gateway.translation.history.fingerprints import (
    cache_key,
    fingerprint,
    opening_words,
    session_uuid,
)
from codex_proapi.gateway.translation.history.transcript import flattened
from codex_proapi.gateway.translation.request.translated_request import (
    HistoryMode,
    TranslatedRequest,
)

_kind_of: Final = itemgetter("type")
_role_of: Final = itemgetter("role")
_MESSAGES: Final = frozenset({"message"})
_TRIGGER: Final = COMPACTION_TRIGGER["type"]
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def finished(
    translated: TranslatedRequest, items: list[Item], *, kinds: set[str] | None = None
) -> TranslatedRequest:
    """Return the translation with its history as `input`, its cache key and its session id.

    Args:
        translated: The translation so far.
        items: The whole history, in order, stored items included.
        kinds: The types of the items, where they are known.
    """
    basis, request = translated.basis, translated.request
    if kinds is None:
        kinds = set(map(_kind_of, items))
    history = items
    if basis.verbatim or not kinds <= _MESSAGES:
        # Messages that were translated have no ids, and are no calls.
        history = _sound(items, kinds, verbatim=basis.verbatim)
        if history is not items:
            kinds = set(map(_kind_of, history))
    source = f"lane {basis.lane}"
    if not basis.lane:
        source = f"words {opening_words(request.instructions, history)}"
    name = fingerprint(basis.key_id, source)
    derived, own = session_uuid(name), basis.session or ""
    own_key = request.prompt_cache_key or own
    as_items = basis.verbatim or basis.history_mode is HistoryMode.STRUCTURED
    kept = tuple(history)
    sent = msgspec.structs.replace(
        request,
        input=kept if as_items else tuple(flattened(history)),
        prompt_cache_key=cache_key(own_key, name) if own_key else derived,
        session_id=own if basis.verbatim and _UUID.fullmatch(own) else derived,
    )
    return msgspec.structs.replace(
        translated,
        request=sent,
        fingerprint_source=name,
        # Whatever can stand before the first answer of a conversation: messages but the model's.
        begins=not basis.lane and kinds <= _MESSAGES and "assistant" not in map(_role_of, history),
        history=kept,
    )


def _sound(items: list[Item], kinds: set[str], *, verbatim: bool) -> list[Item]:
    """Return the history as upstream accepts it: one trigger, each id once, calls with results."""
    if _TRIGGER in kinds:
        items = [item for item in items[:-1] if item != COMPACTION_TRIGGER] + items[-1:]
    items = _without_repeated_ids(items)
    return items if verbatim else paired(items)


def _without_repeated_ids(items: list[Item]) -> list[Item]:
    """Remove repeated ids: an item keeps its id only if none before has it; upstream refuses two."""
    ids = [item["id"] for item in items if "id" in item and isinstance(item["id"], str)]
    if len(set(ids)) == len(ids):
        return items
    seen: set[Any] = set()
    kept: list[Item] = []
    for item in items:
        item_id = item.get("id")
        if isinstance(item_id, str) and item_id in seen:
            item = {name: value for name, value in item.items() if name != "id"}  # noqa: PLW2901
        seen.add(item_id if isinstance(item_id, str) else None)
        kept.append(item)
    return kept
