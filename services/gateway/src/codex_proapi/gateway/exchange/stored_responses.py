"""Stored responses: what `previous_response_id` and `item_reference` resolve to, per key.

A conversation is stored once, however many of its responses are: a response holds its own answer
and the id of its history; a history holds the items it has beyond a shorter one, and the id of that.
Histories are named by a digest of all their items, so it does not matter whether a client continues
a response by its id or sends the whole history again. Everything is compressed and encrypted,
expires, and is bounded for each conversation, each key and overall.
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, TypeVar

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.gateway.server.body_threads import in_thread

MOST_RESPONSES = 200
"""Responses kept for one key; the oldest goes first."""
MOST_BYTES = 4 << 20
"""Size of the items that one response adds to its conversation, beyond which it is not kept."""
MOST_CONVERSATION_BYTES = 16 << 20
"""Bytes of one response with its whole history, as stored; a longer one is not kept."""
MOST_PLAIN_BYTES = 64 << 20
"""Bytes of the items that one request is given, uncompressed: no more than a request may send itself.

A response with a longer history is not kept; of references, those beyond count as gone.
"""
MOST_KEY_BYTES = 32 << 20
"""Bytes kept for one key; the oldest response goes first."""
MOST_ALL_BYTES = 128 << 20
"""Bytes kept for all keys: a quarter of the memory the deployments give Redis."""
MOST_TURNS = 500
"""Histories that build on each other; the next one is stored whole."""
MOST_HISTORIES = 2000
"""Beginnings of a history that are looked for, the longest first."""
MOST_POINTERS = 1000
"""Items of one response or history that can be referred to by id: the last ones."""
NODE_BYTES = 400
"""What Redis needs for one stored part beside its sealed items and pointers."""
POINTER_BYTES = 200
"""What Redis needs for one pointer beside the item's id."""
MOST_REFERENCES = 1000
"""Items one request may refer to; further ones count as gone."""
MOST_FOUND_BYTES = 16 << 20
"""Sealed bytes that one request's references are looked up in."""
_ATTEMPTS: Final = 3
"""How often a response is kept again because the history it builds on went meanwhile."""
_BESIDE: Final = 64 << 10
"""Bytes from which digests, compression and encryption run in a thread."""
_OPENED_BESIDE: Final = 4 << 10
"""Sealed bytes from which parts are opened in a thread: they may be a thousand times as long."""

A = TypeVar("A")
B = TypeVar("B")


class StoredResponse(msgspec.Struct, frozen=True, kw_only=True):
    """One stored response."""

    body: bytes
    """The response object as the client got it, JSON; empty if an earlier version stored it."""
    history: list[bytes]
    """The items before it, JSON each; with its answer's, if an earlier version stored it."""
    output: list[bytes]
    """The items of its answer, JSON each."""

    def __repr__(self) -> str:
        return f"<StoredResponse after {len(self.history)} items>"


class ResponseStore:
    """Stores responses in Redis; a key sees only its own."""

    def __init__(self, redis: Redis, cipher: Cipher) -> None:
        self._redis = redis
        self._cipher = cipher
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<ResponseStore>"

    async def keep(
        self,
        key_id: str,
        response_id: str,
        history: Sequence[bytes],
        *,
        response: bytes,
        now: float,
    ) -> bool:
        """Store a response, and what its history has beyond one that is stored.

        The oldest responses of the key, then of all keys, are removed until the byte limits hold. A
        history stays as long as a stored response needs it.

        Args:
            key_id: the owner's key; empty in open mode.
            response_id: the id for `previous_response_id`.
            history: raw JSON of each item before the answer.
            response: the response object with its `output`, raw JSON.
            now: seconds since the epoch.

        Returns False if it is too large, or Redis is nearly full.
        """
        size = sum(map(len, history))
        if size + len(response) > MOST_PLAIN_BYTES:
            return False
        names = await _beside(size, lambda items: self._names(key_id, items), history)
        for _ in range(_ATTEMPTS):
            known = await self._known(key_id, names)
            if sum(map(len, history[known:])) + len(response) > MOST_BYTES:
                return False
            parts = [_Part(id=f"response:{response_id}", parent=names[-1] if names else "")]
            parts[0].fill([response], _items_of(response))
            if known < len(history):
                parent = names[known - 1] if known else ""
                parts.insert(0, _Part(id=names[-1], parent=parent))
                parts[0].fill(history[known:])
            kept = await self._add(key_id, response_id, parts, now=now)
            if kept >= 0:
                return kept > 0
        return False

    async def bytes_of_all(self) -> int:
        """Bytes kept for all keys; what has expired counts until the next response is kept.

        Raises StoreUnavailable.
        """
        with mapped():
            found = await self._redis.hget(keyspace.stored_bytes(), "all")
        return int(found) if found and text(found).isdecimal() else 0

    async def delete(self, key_id: str, response_id: str) -> bool:
        """Delete a response of this key; False if it is not (or no more) kept.

        Responses that continue it stay.
        """
        keys = [*_shared_keys(), keyspace.stored_times(key_id)]
        args = [f"{keyspace.TAG}:", key_id, response_id]
        return bool(await self._scripts.repeat("delete_response", keys, args))

    async def get(self, key_id: str, response_id: str) -> StoredResponse | None:
        """A response of this key with its history; None if it is not (or no more) kept."""
        keys = [keyspace.stored(key_id), keyspace.response(key_id, response_id)]
        args = [f"response:{response_id}", MOST_TURNS + 2]
        sealed = await self._scripts.repeat("find_response", keys, args)
        return await _opened(self._whole, [text(part) for part in sealed])

    async def response(self, key_id: str, response_id: str) -> Sequence[bytes] | None:
        """The items up to and including a response of this key, raw JSON each; None if not kept."""
        found = await self.get(key_id, response_id)
        return None if found is None else [*found.history, *found.output]

    async def item(self, key_id: str, item_id: str) -> bytes | None:
        """One item of a kept response of this key, raw JSON; None if it is not (or no more) kept."""
        return (await self.items(key_id, [item_id])).get(item_id)

    async def items(self, key_id: str, item_ids: Collection[str]) -> dict[str, bytes]:
        """Items of kept responses of this key by id, raw JSON; those not (or no more) kept are left out.

        One round trip, and each stored part is opened once, however many of its items are asked for.
        Of more than MOST_REFERENCES ids, or MOST_FOUND_BYTES of parts, the rest counts as gone.
        """
        ids = list(dict.fromkeys(item_ids))[:MOST_REFERENCES]
        if not ids:
            return {}
        earlier = [keyspace.response_item(key_id, item_id) for item_id in ids]
        args = [keyspace.response(key_id, ""), MOST_FOUND_BYTES, *ids]
        sealed = await self._scripts.repeat("find_items", [keyspace.stored(key_id), *earlier], args)
        pick = partial(self._picked, frozenset(ids))
        return await _opened(pick, [text(part) for part in sealed])

    def _names(self, key_id: str, history: Sequence[bytes]) -> list[str]:
        """The ids of all beginnings of a history, the shortest first; nobody can guess one's items."""
        digest = hashlib.sha256(self._cipher.digests("stored history", key_id)[0].encode())
        names = []
        for item in history:
            digest.update(b"%d:" % len(item))
            digest.update(item)
            names.append(f"history:{digest.hexdigest()[:32]}")
        return names

    async def _known(self, key_id: str, names: Sequence[str]) -> int:
        """How many items the longest stored beginning of a history has."""
        asked = names[: -MOST_HISTORIES - 1 : -1]
        if not asked:
            return 0
        args = [MOST_TURNS, *asked]
        position = await self._scripts.repeat("find_history", [keyspace.stored(key_id)], args)
        return len(names) + 1 - int(position) if position else 0

    async def _add(
        self, key_id: str, response_id: str, parts: Sequence["_Part"], *, now: float
    ) -> int:
        limits = {
            "responses": MOST_RESPONSES,
            "chain": MOST_CONVERSATION_BYTES,
            "key": MOST_KEY_BYTES,
            "all": MOST_ALL_BYTES,
            "node": NODE_BYTES,
            "pointer": POINTER_BYTES,
        }
        keys = [*_shared_keys(), keyspace.stored_times(key_id), keyspace.stored(key_id)]
        args = [f"{keyspace.TAG}:", key_id, response_id, now, keyspace.RESPONSE_SECONDS]
        args.append(msgspec.json.encode(limits))
        for part in parts:
            sealed = await _beside(len(part.plain), self._seal, part.plain)
            node = msgspec.json.encode({"parent": part.parent, "items": part.item_ids})
            args += [part.id, node, sealed]
        return int(await self._scripts.repeat("keep_response", keys, args))

    def _whole(self, sealed: Sequence[str]) -> StoredResponse | None:
        """A response from its parts; None if there is none, no key of ours opens one, or it is too long."""
        parts: list[bytes] = []
        for each in sealed:
            part = self._open(each, MOST_PLAIN_BYTES - sum(map(len, parts)))
            if part is None:
                return None
            parts.append(part)
        if not parts:
            return None
        *histories, answer = parts
        if answer[:1] == b"[":
            return StoredResponse(body=b"", history=_items_of(answer), output=[])
        history = [item for part in histories for item in _items_of(part)]
        return StoredResponse(body=answer, history=history, output=_items_of(answer))

    def _picked(self, wanted: Collection[str], sealed: Sequence[str]) -> dict[str, bytes]:
        """The wanted items of some parts, by id."""
        found: dict[str, bytes] = {}
        left = MOST_PLAIN_BYTES
        for each in sealed:
            part = self._open(each, left) or b"[]"
            left -= len(part)
            for item in _items_of(part):
                item_id = _id_of(item)
                if item_id in wanted and item_id is not None:
                    found.setdefault(item_id, item)
        return found

    def _seal(self, plain: bytes) -> str:
        return self._cipher.seal_bytes(zlib.compress(plain, 1)).decode()

    def _open(self, sealed: str, most: int) -> bytes | None:
        """A part in the clear; None if no key of ours opens it, or it has more bytes than `most`."""
        opened = self._cipher.open_bytes(sealed.encode())
        if opened is None or most <= 0:
            return None
        unpacking = zlib.decompressobj()
        plain = unpacking.decompress(opened, most)
        return plain if unpacking.eof else None


class _Part(msgspec.Struct):
    """One node to store: a response, or what a history has beyond its parent."""

    id: str
    parent: str
    plain: bytes = b""
    item_ids: list[str] = []

    def fill(self, stored: Sequence[bytes], items: Sequence[bytes] | None = None) -> None:
        """Set the content: items, or a response object that contains `items`."""
        self.plain = b"[" + b",".join(stored) + b"]" if items is None else stored[0]
        named = dict.fromkeys(filter(None, map(_id_of, stored if items is None else items)))
        self.item_ids = list(named)[-MOST_POINTERS:]


def _shared_keys() -> list[str]:
    return [keyspace.stored_times_of_all(), keyspace.stored_bytes()]


async def _beside(size: int, work: Callable[[A], B], value: A) -> B:
    """Run work inline if its input is small, in a thread if it is not."""
    if size < _BESIDE:
        return work(value)
    return await in_thread(partial(work, value))


async def _opened(work: Callable[[Sequence[str]], B], sealed: Sequence[str]) -> B:
    """Open sealed parts, in a thread unless they are small."""
    if sum(map(len, sealed)) < _OPENED_BESIDE:
        return work(sealed)
    return await in_thread(partial(work, sealed))


class _Answer(msgspec.Struct):
    output: list[msgspec.Raw] = []


def _items_of(part: bytes) -> list[bytes]:
    """The items of a stored part, raw JSON each: a list, or the `output` of a response object."""
    if part[:1] == b"[":
        return [bytes(item) for item in msgspec.json.decode(part, type=list[msgspec.Raw])]
    return [bytes(item) for item in msgspec.json.decode(part, type=_Answer).output]


class _Named(msgspec.Struct):
    id: str | None = None


_ID = re.compile(r"[!-~]{1,256}")
"""Ids that pointers are kept for."""


def _id_of(item: bytes) -> str | None:
    """The id an item can be referred to by; None if it has none."""
    try:
        found = msgspec.json.decode(item, type=_Named).id
    except msgspec.DecodeError:
        return None
    return found if found and _ID.fullmatch(found) else None
