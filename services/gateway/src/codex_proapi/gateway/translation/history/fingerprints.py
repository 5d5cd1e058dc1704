"""Names of conversations: the same on every turn, different for each key.

Upstream's prompt cache, its session headers and our affinity use this name. Results are digests, never
a prompt.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from codex_proapi.gateway.formats.codex.requests import Item

CACHE_KEY_LIMIT = 64
"""Characters of the longest `prompt_cache_key` that is sent unchanged."""
_READ_LIMIT = 65_536
"""Characters of one text that are used; conversations differ long before."""


def fingerprint(key_id: str, source: str) -> str:
    """Return the name of a conversation.

    Args:
        key_id: Id of the client's key; empty in open mode.
        source: The client's own name of the conversation, or its `opening_words`.
    """
    return hashlib.sha256(f"{key_id}\0{source}".encode()).hexdigest()


def opening_words(instructions: str | None, items: Iterable[Item]) -> str:
    """Return the beginning of a conversation: its system text, up to the first user message."""
    seen = [(instructions or "")[:_READ_LIMIT]]
    for item in items:
        if item["type"] != "message":
            continue
        for part in item["content"]:
            text = part.get("text") if isinstance(part, dict) else None
            seen.append(text[:_READ_LIMIT] if isinstance(text, str) else _words(part))
        if item["role"] == "user":
            break
    return "\0".join(seen)


def cache_key(client_key: str | None, conversation: str) -> str:
    """Return the prompt cache key: the client's, if upstream accepts it, else a derived one."""
    if client_key and len(client_key) <= CACHE_KEY_LIMIT and client_key.isprintable():
        return client_key
    return session_uuid(conversation)


def session_uuid(conversation: str) -> str:
    """Return a UUID derived from a conversation's fingerprint."""
    c = conversation
    return f"{c[:8]}-{c[8:12]}-4{c[13:16]}-8{c[17:20]}-{c[20:32]}"


def _words(part: Any) -> str:
    """The beginning of a part other than text."""
    for field in ("image_url", "file_data", "file_id"):
        value = part.get(field) if isinstance(part, dict) else None
        if isinstance(value, str):
            return value[:_READ_LIMIT]
    return ""
