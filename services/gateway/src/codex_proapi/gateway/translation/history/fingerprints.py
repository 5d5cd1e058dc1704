"""What names a conversation: the same over its turns, another for another key.

Upstream's prompt cache, its session headers and our affinity all follow this one name. Only
digests leave here, never a prompt.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from codex_proapi.gateway.formats.codex.requests import Item

CACHE_KEY_LIMIT = 64
"""Longest `prompt_cache_key` sent as it is."""
_READ_LIMIT = 65_536
"""Characters of one text that count; conversations differ long before."""


def fingerprint(key_id: str, source: str) -> str:
    """Return the name of a conversation, of which `source` tells the client's own or first words."""
    return hashlib.sha256(f"{key_id}\0{source}".encode()).hexdigest()


def opening_words(instructions: str | None, items: Iterable[Item]) -> str:
    """Return what a conversation begins with: system text, up to the first thing a user said."""
    seen = [(instructions or "")[:_READ_LIMIT]]
    for item in items:
        if item.get("type") != "message":
            continue
        seen.extend(_words(part) for part in item["content"])
        if item.get("role") == "user":
            break
    return "\0".join(seen)


def cache_key(client_key: str | None, conversation: str) -> str:
    """Return the prompt cache key: the client's own where upstream takes it, else a derived one."""
    if client_key and len(client_key) <= CACHE_KEY_LIMIT and client_key.isprintable():
        return client_key
    return session_uuid(conversation)


def session_uuid(conversation: str) -> str:
    """Return a conversation's UUID, made of its fingerprint."""
    digits = f"{conversation[:12]}4{conversation[13:16]}8{conversation[17:32]}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _words(part: Any) -> str:
    for field in ("text", "image_url", "file_data", "file_id"):
        value = part.get(field) if isinstance(part, dict) else None
        if isinstance(value, str):
            return value[:_READ_LIMIT]
    return ""
