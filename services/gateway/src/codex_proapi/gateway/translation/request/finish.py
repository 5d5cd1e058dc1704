"""The last step of a translation, once all items are known: pairs calls, names the conversation."""

import re
from typing import Any

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
    Basis,
    HistoryMode,
    TranslatedRequest,
)

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def finished(translated: TranslatedRequest, items: list[Item]) -> TranslatedRequest:
    """Return the translation with its history as `input`, its cache key and its session id.

    Args:
        translated: The translation so far.
        items: The whole history, in order, stored items included.
    """
    basis = translated.basis
    items = [item for item in items[:-1] if item != COMPACTION_TRIGGER] + items[-1:]
    items = _without_repeated_ids(items)
    history = items if basis.verbatim else paired(items)
    name = _name(basis, translated.request.instructions, history)
    derived = session_uuid(name)
    own = basis.session or ""
    request = msgspec.structs.replace(
        translated.request,
        input=tuple(_sent(history, basis)),
        prompt_cache_key=cache_key(translated.request.prompt_cache_key or basis.session, name),
        session_id=own if basis.verbatim and _UUID.fullmatch(own) else derived,
    )
    return msgspec.structs.replace(
        translated,
        request=request,
        fingerprint_source=name,
        begins=not basis.lane and all(map(_asks, history)),
        history=tuple(history),
    )


def _without_repeated_ids(items: list[Item]) -> list[Item]:
    """Remove repeated ids: an item keeps its id only if none before has it; upstream refuses two."""
    seen: set[Any] = set()
    kept: list[Item] = []
    for item in items:
        item_id = item.get("id")
        if isinstance(item_id, str) and item_id in seen:
            item = {name: value for name, value in item.items() if name != "id"}  # noqa: PLW2901
        seen.add(item_id if isinstance(item_id, str) else None)
        kept.append(item)
    return kept


def _name(basis: Basis, instructions: str | None, history: list[Item]) -> str:
    if basis.lane:
        return fingerprint(basis.key_id, f"lane {basis.lane}")
    return fingerprint(basis.key_id, f"words {opening_words(instructions, history)}")


def _asks(item: Item) -> bool:
    """Whether an item can occur before the first answer of a conversation."""
    return item.get("type") == "message" and item.get("role") != "assistant"


def _sent(history: list[Item], basis: Basis) -> list[Item]:
    if basis.verbatim or basis.history_mode is HistoryMode.STRUCTURED:
        return history
    return flattened(history)
