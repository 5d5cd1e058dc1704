"""Whole rows of the backend's model lists in Redis, each stored once for all accounts that list it."""

import base64
import binascii
import zlib
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped, text

KEPT_SECONDS: Final = keyspace.DAY
MOST_ROWS: Final = 256
"""Most rows in Redis; above that all are dropped, and stored again with the next lists."""
MOST_BYTES: Final = 512 * 1024
"""Most bytes of one row; a larger one is not stored."""


class CatalogueRows:
    """Stores and finds whole rows by their digests; a replica keeps those it has read."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._read: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"<CatalogueRows with {len(self._read)} read>"

    async def put(self, rows: Mapping[str, bytes]) -> None:
        """Store rows (JSON) by digest. Raises StoreUnavailable."""
        packed = {
            digest: base64.b85encode(zlib.compress(row)).decode()
            for digest, row in rows.items()
            if len(row) <= MOST_BYTES
        }
        if not packed:
            return
        key = keyspace.catalogue_rows()
        held: int = await ask(lambda: self._redis.hlen(key))
        with mapped():
            async with self._redis.pipeline(transaction=True) as pipe:
                if held + len(packed) > MOST_ROWS:
                    pipe.delete(key)
                pipe.hset(key, mapping=dict[Any, Any](packed))
                pipe.expire(key, KEPT_SECONDS)
                await pipe.execute()

    async def find(self, digests: Collection[str]) -> dict[str, dict[str, Any]]:
        """The rows of some digests; those that are not stored are left out. Raises StoreUnavailable."""
        missing = [digest for digest in digests if digest not in self._read]
        if missing:
            key = keyspace.catalogue_rows()
            found: list[Any] = await ask(lambda: self._redis.hmget(key, missing))
            if len(self._read) + len(missing) > MOST_ROWS:
                self._read.clear()
            for digest, packed in zip(missing, found, strict=True):
                if packed and (row := _unpacked(text(packed))) is not None:
                    self._read[digest] = row
        return {digest: self._read[digest] for digest in digests if digest in self._read}


def _unpacked(packed: str) -> dict[str, Any] | None:
    """A stored row; None if another version of the gateway stored it in another format."""
    unpacking = zlib.decompressobj()
    try:
        row = unpacking.decompress(base64.b85decode(packed), MOST_BYTES)
        return msgspec.json.decode(row, type=dict[str, Any])
    except (ValueError, binascii.Error, zlib.error, msgspec.MsgspecError):
        return None
