"""Reads of many records kept as hashes.

The client's work for each command is most of what a list of a thousand records costs, so many are
read by one script. A key of another Redis type is left out, counted and logged once, as
`stored_reads` does.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from redis.asyncio import Redis

from codex_proapi.commons.redis.clients import text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.stored_records import UNREADABLE

HASHES_AT_ONCE: Final = 200
"""Hashes read in one run of the script: well under a millisecond of Redis."""


class HashReads:
    """Reads hashes of one kind of record.

    Args:
        redis: The client.
        kind: Kind of record, as unreadable ones are counted: `account`, `key` …
    """

    def __init__(self, redis: Redis, kind: str) -> None:
        self._scripts = Scripts(redis, __package__)
        self._kind = kind

    def __repr__(self) -> str:
        return f"<HashReads of {self._kind}>"

    async def records(self, keys: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
        """Names and values in turn of each hash, by our id of it; without those that are gone.

        Args:
            keys: Names of the hashes by our id of them.
        """
        return {name: tuple(read) for name, read in (await self._read(keys)).items() if read}

    async def field(self, keys: Mapping[str, str], field: str) -> dict[str, str]:
        """One field of each hash, by our id of it; without those that lack it."""
        found = await self._read(keys, field)
        return {name: text(read[0]) for name, read in found.items() if read[0] is not None}

    async def _read(self, keys: Mapping[str, str], *fields: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        each = iter(keys.items())
        while part := dict(islice(each, HASHES_AT_ONCE)):
            replies = await self._scripts.repeat("read_hashes", list(part.values()), fields)
            for name, reply in zip(part, replies, strict=True):
                if isinstance(reply, list):
                    found[name] = reply
                else:  # `!`
                    UNREADABLE.note(self._kind, name, "another Redis type")
        return found


def fields_of(record: tuple[Any, ...]) -> dict[Any, Any]:
    """A hash from its names and values in turn."""
    return dict(zip(record[::2], record[1::2], strict=True))
