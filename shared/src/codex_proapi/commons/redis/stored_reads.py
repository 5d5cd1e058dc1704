"""Reads of several records in one round trip, each of which may be unreadable.

A key that holds another Redis type than its records have (written by hand, or by another program)
is left out like any record that cannot be decoded: counted, logged once, and None in its place.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from codex_proapi.commons.redis.clients import ask
from codex_proapi.commons.runtime.stored_records import UNREADABLE

WRONG_TYPE = "WRONGTYPE"
"""Code of Redis' error for a command on a key of another type."""


class StoredRead(NamedTuple):
    """A read of one record."""

    kind: str
    """Kind of record, as unreadable ones are counted: `account`, `key` …"""
    name: str
    """Our id of it, for the log."""
    command: tuple[str, ...]
    """The command with its arguments."""


async def read_each(redis: Redis, reads: Sequence[StoredRead]) -> list[Any]:
    """The replies in the order of the reads; None for a key of another type.

    Raises StoreUnavailable for any other error.
    """
    if not reads:
        return []

    async def send() -> list[Any]:
        pipe = redis.pipeline(transaction=False)
        for read in reads:
            pipe.execute_command(*read.command)
        replies = await pipe.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, Exception) and not _is_wrong_type(reply):
                raise reply
        return replies

    return [_readable(*pair) for pair in zip(reads, await ask(send), strict=True)]


def _readable(read: StoredRead, reply: Any) -> Any:
    if not isinstance(reply, Exception):
        return reply
    UNREADABLE.note(read.kind, read.name, "another Redis type")
    return None


def _is_wrong_type(error: Exception) -> bool:
    return isinstance(error, ResponseError) and WRONG_TYPE in str(error)
