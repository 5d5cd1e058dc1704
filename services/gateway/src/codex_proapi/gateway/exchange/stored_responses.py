"""Stored responses: what `previous_response_id` and `item_reference` of a key can go back to.

Sealed, expiring and bounded: a conversation is worth more to its owner than to our memory.
"""

import asyncio
import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import Scripts, ask, text
from codex_proapi.commons.runtime.cipher import Cipher

MOST_RESPONSES = 200
"""Responses kept for one key; the oldest goes first."""
MOST_BYTES = 4 << 20
"""Size of one response's items beyond which it is not kept."""
_BESIDE = 64 << 10
"""Size from which sealing runs beside the event loop."""

A = TypeVar("A")
B = TypeVar("B")


class ResponseStore:
    """The responses that can be continued, apart for each key."""

    def __init__(self, redis: Redis, cipher: Cipher) -> None:
        self._redis = redis
        self._cipher = cipher
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<ResponseStore>"

    async def keep(
        self, key_id: str, response_id: str, items: Sequence[bytes], *, now: float
    ) -> bool:
        """Keep the items (raw JSON) of a conversation up to this response; False if too large."""
        plain = b"[" + b",".join(items) + b"]"
        if len(plain) > MOST_BYTES:
            return False
        sealed = await _beside(len(plain), self._seal, plain)
        pointers = [
            keyspace.response_item(key_id, item_id) for item in items if (item_id := _id_of(item))
        ]
        keys = [
            *(keyspace.responses_of_key(key_id), keyspace.response(key_id, response_id)),
            *pointers,
        ]
        args = [
            *(response_id, sealed, now, keyspace.RESPONSE_SECONDS, MOST_RESPONSES),
            keyspace.response(key_id, ""),
        ]
        await self._scripts.repeat("keep_response", keys, args)
        return True

    async def response(self, key_id: str, response_id: str) -> Sequence[bytes] | None:
        """The items of a response of this key, raw JSON each; None if it is not (or no more) kept."""
        sealed = await ask(lambda: self._redis.get(keyspace.response(key_id, response_id)))
        if sealed is None:
            return None
        opened = await _beside(len(sealed), self._open, text(sealed))
        if opened is None:
            return None
        return [bytes(item) for item in msgspec.json.decode(opened, type=list[msgspec.Raw])]

    async def item(self, key_id: str, item_id: str) -> bytes | None:
        """One item of a kept response of this key, raw JSON; None if it is not (or no more) kept."""
        pointer = await ask(lambda: self._redis.get(keyspace.response_item(key_id, item_id)))
        if pointer is None:
            return None
        items = await self.response(key_id, text(pointer)) or []
        return next((item for item in items if _id_of(item) == item_id), None)

    def _seal(self, plain: bytes) -> str:
        return self._cipher.seal_bytes(zlib.compress(plain, 1)).decode()

    def _open(self, sealed: str) -> bytes | None:
        opened = self._cipher.open_bytes(sealed.encode())
        return None if opened is None else zlib.decompress(opened)


async def _beside(size: int, work: Callable[[A], B], value: A) -> B:
    """Run work at once if it is small, beside the event loop if it is not."""
    if size < _BESIDE:
        return work(value)
    return await asyncio.to_thread(work, value)


class _Named(msgspec.Struct):
    id: str | None = None


def _id_of(item: bytes) -> str | None:
    try:
        return msgspec.json.decode(item, type=_Named).id
    except msgspec.DecodeError:
        return None
