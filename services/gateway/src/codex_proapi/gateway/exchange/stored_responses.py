"""Stored responses: the items that `previous_response_id` and `item_reference` resolve to, per key.

Items are compressed and encrypted, expire, and are bounded for each response, each key and overall.
"""

import asyncio
import re
import zlib
from collections.abc import Callable, Collection, Sequence
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
MOST_KEY_BYTES = 32 << 20
"""Bytes kept for one key, sealed items and their pointers; the oldest response goes first."""
MOST_ALL_BYTES = 128 << 20
"""Bytes kept for all keys: a quarter of the memory the deployments give Redis."""
MOST_POINTERS = 1000
"""Items of one response that can be referred to by id: the last ones."""
POINTER_BYTES = 200
"""What Redis needs for one pointer beside the item's id."""
MOST_REFERENCES = 1000
"""Items one request may refer to; further ones count as gone."""
MOST_FOUND_BYTES = 16 << 20
"""Sealed bytes of the responses that one request's references are looked up in."""
_BESIDE = 64 << 10
"""Bytes from which compression and encryption run in a thread."""

A = TypeVar("A")
B = TypeVar("B")


class ResponseStore:
    """Stores responses in Redis; a key sees only its own."""

    def __init__(self, redis: Redis, cipher: Cipher) -> None:
        self._redis = redis
        self._cipher = cipher
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<ResponseStore>"

    async def keep(
        self, key_id: str, response_id: str, items: Sequence[bytes], *, now: float
    ) -> bool:
        """Store the items of a conversation up to and including a response.

        The oldest responses of the key, then of all keys, are removed until the byte limits hold.

        Args:
            key_id: the owner's key; empty in open mode.
            response_id: the id for `previous_response_id`.
            items: raw JSON of each item.
            now: seconds since the epoch.

        Returns False if the response is larger than MOST_BYTES, or Redis is nearly full.
        """
        plain = b"[" + b",".join(items) + b"]"
        if len(plain) > MOST_BYTES:
            return False
        sealed = await _beside(len(plain), self._seal, plain)
        named = dict.fromkeys(item_id for item in items if (item_id := _id_of(item)))
        ids = list(named)[-MOST_POINTERS:]
        keys = [
            *(keyspace.responses_of_key(key_id), keyspace.response(key_id, response_id)),
            *(keyspace.stored_responses(), keyspace.response_sizes()),
            *(keyspace.response_item(key_id, item_id) for item_id in ids),
        ]
        args = [
            *(response_id, sealed, now, keyspace.RESPONSE_SECONDS, MOST_RESPONSES),
            *(key_id, MOST_KEY_BYTES, MOST_ALL_BYTES, f"{keyspace.TAG}:", POINTER_BYTES),
            *ids,
        ]
        return bool(await self._scripts.repeat("keep_response", keys, args))

    async def response(self, key_id: str, response_id: str) -> Sequence[bytes] | None:
        """The items of a response of this key, raw JSON each; None if it is not (or no more) kept."""
        sealed = await ask(lambda: self._redis.get(keyspace.response(key_id, response_id)))
        if sealed is None:
            return None
        return await self._items(text(sealed))

    async def _items(self, sealed: str) -> Sequence[bytes] | None:
        """What was sealed, raw JSON each; None if no key of ours opens it."""
        opened = await _beside(len(sealed), self._open, sealed)
        if opened is None:
            return None
        return [bytes(item) for item in msgspec.json.decode(opened, type=list[msgspec.Raw])]

    async def item(self, key_id: str, item_id: str) -> bytes | None:
        """One item of a kept response of this key, raw JSON; None if it is not (or no more) kept."""
        return (await self.items(key_id, [item_id])).get(item_id)

    async def items(self, key_id: str, item_ids: Collection[str]) -> dict[str, bytes]:
        """Items of kept responses of this key by id, raw JSON; those not (or no more) kept are left out.

        One round trip, and each response is opened once, however many of its items are asked for.
        Of more than MOST_REFERENCES ids, or MOST_FOUND_BYTES of responses, the rest counts as gone.
        """
        ids = list(dict.fromkeys(item_ids))[:MOST_REFERENCES]
        if not ids:
            return {}
        names = [keyspace.response_item(key_id, item_id) for item_id in ids]
        args = [keyspace.response(key_id, ""), MOST_FOUND_BYTES]
        responses = await self._scripts.repeat("find_items", names, args)
        wanted, found = set(ids), dict[str, bytes]()
        for body in responses:
            for item in await self._items(text(body)) or ():
                item_id = _id_of(item)
                if item_id in wanted and item_id is not None:
                    found.setdefault(item_id, item)
        return found

    def _seal(self, plain: bytes) -> str:
        return self._cipher.seal_bytes(zlib.compress(plain, 1)).decode()

    def _open(self, sealed: str) -> bytes | None:
        opened = self._cipher.open_bytes(sealed.encode())
        return None if opened is None else zlib.decompress(opened)


async def _beside(size: int, work: Callable[[A], B], value: A) -> B:
    """Run work inline if its input is small, in a thread if it is not."""
    if size < _BESIDE:
        return work(value)
    return await asyncio.to_thread(work, value)


class _Named(msgspec.Struct):
    id: str | None = None


_ID = re.compile(r"[!-~]{1,256}")
"""Ids that pointers are kept for; without spaces, which separate ids in the Redis script."""


def _id_of(item: bytes) -> str | None:
    """The id an item can be referred to by; None if it has none."""
    try:
        found = msgspec.json.decode(item, type=_Named).id
    except msgspec.DecodeError:
        return None
    return found if found and _ID.fullmatch(found) else None
