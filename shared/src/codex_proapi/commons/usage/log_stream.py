"""The log shown in the console: one Redis stream, whose ids are also those of server-sent events.

Entries hold facts, never prompts, answers or tokens. Logging to stdout is
`codex_proapi.commons.runtime.logging`.
"""

import enum
from collections.abc import Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import BLOCK_SECONDS, ask, mapped, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.stored_records import read_json
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord

LENGTH = 10_000
"""About how many entries are kept."""
NO_STREAM = "no such key"
"""Redis' error for a stream that was never written to."""


class LogLevel(enum.StrEnum):
    """How much an entry matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogKind(enum.StrEnum):
    """What an entry is about."""

    REQUEST = "request"
    ACCOUNT = "account"
    LOGIN = "login"
    ADMIN = "admin"
    SYSTEM = "system"


class LogEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the log."""

    at: float
    """When it happened, seconds since the epoch."""
    level: LogLevel = LogLevel.INFO
    """How much it matters."""
    kind: LogKind
    """What it is about."""
    event: str
    """A fact in the past, `noun.verb`: `exchange.settled`, `account.cooled`."""
    account: str = ""
    """Account id, if one is concerned."""
    key_id: str = ""
    """API key id, if one is concerned."""
    request_id: str = ""
    """Exchange, if one is concerned."""
    model: str = ""
    """Model sent, if one is concerned."""
    status: int = 0
    """HTTP status the client saw, if one is concerned."""
    code: str = ""
    """Error code, if there is one."""
    detail: dict[str, str | int | float | bool] = {}
    """More facts, by name."""
    exchange: ExchangeRecord | None = None
    """The whole record of a settled exchange."""


class StoredEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry with its place in the stream."""

    id: str
    """Stream id; the SSE `id:` of a live log."""
    entry: LogEntry
    """What happened."""


_encoder = msgspec.json.Encoder()


def entry_of(record: ExchangeRecord) -> LogEntry:
    """The log entry of a settled exchange."""
    level = {
        Ending.WHOLE: LogLevel.INFO,
        Ending.SHORT: LogLevel.INFO,
        Ending.ABANDONED: LogLevel.INFO,
        Ending.REFUSED: LogLevel.WARNING,
        Ending.BROKEN: LogLevel.ERROR,
    }[record.ending]
    return LogEntry(
        at=record.at,
        level=level,
        kind=LogKind.REQUEST,
        event="exchange.settled",
        account=record.account,
        key_id=record.key_id,
        request_id=record.request_id,
        model=record.sent_model,
        status=record.status,
        code=record.code,
        exchange=msgspec.structs.replace(record, selection_inputs=()),
    )


def encode_entry(entry: LogEntry) -> str:
    """An entry as it is kept."""
    return _encoder.encode(entry).decode()


class LogStream:
    """The stream of log entries.

    Args:
        tails: A client for blocking reads; only `follow` needs it.
    """

    def __init__(self, redis: Redis, *, blocking_redis: Redis | None = None) -> None:
        self._redis = redis
        self._blocking_redis = blocking_redis or redis
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<LogStream>"

    async def append(self, entry: LogEntry) -> str:
        """Add an entry; returns its id. Exchanges are added by their settlement."""
        with mapped():
            key = keyspace.logs()
            fields: dict[Any, Any] = {"entry": encode_entry(entry)}
            added = await self._redis.xadd(key, fields, maxlen=LENGTH, approximate=True)
            return text(added)

    async def follow(
        self, after: str = "$", *, block: float = BLOCK_SECONDS, count: int = 200
    ) -> Sequence[StoredEntry]:
        """The entries after an id, waiting for the first of them; empty when none came in time."""
        with mapped():
            reply = await self._blocking_redis.xread(
                {keyspace.logs(): after}, block=int(block * 1000), count=count
            )
        return _stored(dict(reply).get(keyspace.logs(), [])) if reply else []

    async def page(self, *, before: str = "+", count: int = 100) -> Sequence[StoredEntry]:
        """The newest entries older than an id, newest first."""
        found: list[StoredEntry] = []
        # Rows that are no entries are passed over, so that fewer than asked for means the end.
        while len(found) < count:
            end, wanted = before if before == "+" else f"({before}", count - len(found)
            rows = await self._rows(end, wanted)
            found += _stored(rows)
            if len(rows) < wanted:
                break
            before = text(rows[-1][0])
        return found

    async def _rows(self, end: str, count: int) -> Any:
        return await ask(lambda: self._redis.xrevrange(keyspace.logs(), max=end, count=count))

    async def last_id(self) -> str:
        """The last id ever assigned, cleared or not; `0-0` if none was. A live log begins there."""
        try:
            about = await ask(lambda: self._redis.xinfo_stream(keyspace.logs()))
        except StoreUnavailable as error:
            if NO_STREAM in str(error.__cause__):
                return "0-0"
            raise
        return text(about["last-generated-id"])

    async def clear(self) -> int:
        """Set all entries aside for CLEARED_LOGS_SECONDS; returns how many."""
        keys = [keyspace.logs(), keyspace.cleared_logs()]
        return int(await self._scripts.run("clear_logs", keys, [keyspace.CLEARED_LOGS_SECONDS]))

    async def restore(self) -> bool:
        """Undo `clear`, keeping newer entries; False if the time for it is over. Atomic."""
        keys = [keyspace.logs(), keyspace.cleared_logs()]
        return bool(await self._scripts.run("restore_logs", keys))


def _stored(rows: Any) -> Sequence[StoredEntry]:
    """Rows of the stream as entries; rows that are none are left out."""
    found = []
    for entry_id, fields in rows:
        body = (fields or {}).get("entry")
        if not body:  # the row that remembers the last id of a cleared log
            continue
        entry = read_json(body, LogEntry, kind="log entry", name=text(entry_id))
        if entry is not None:
            found.append(StoredEntry(id=text(entry_id), entry=entry))
    return found
