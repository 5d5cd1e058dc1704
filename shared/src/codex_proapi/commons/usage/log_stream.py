"""The log shown in the console: one Redis stream, whose ids are also those of server-sent events.

Entries hold facts, never prompts, answers or tokens. Logging to stdout is
`codex_proapi.commons.runtime.logging`.
"""

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import BLOCK_SECONDS, ask, mapped, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.stored_records import read_json
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord

LENGTH = 10_000
"""About how many entries are kept, unless the setting `log_entries` says something else."""
LEAST_LENGTH, MOST_LENGTH = 1_000, 100_000
"""Bounds of that setting."""
LENGTHS = (LENGTH, LEAST_LENGTH, MOST_LENGTH)
"""As the scripts that append take them."""
TRIMS = 20
"""Most commands of one trim: Redis removes some ten thousand entries in each."""
OF_ONE_MOMENT = 1000
"""Most entries of one millisecond; one batch of settlements has a hundred."""
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


class LogRow(NamedTuple):
    """A row of the stream, not decoded yet."""

    id: str
    body: str
    """The entry as JSON; empty or something else in a row that is no entry."""


_encoder = msgspec.json.Encoder()
_LEVELS = {
    Ending.WHOLE: LogLevel.INFO,
    Ending.SHORT: LogLevel.INFO,
    Ending.ABANDONED: LogLevel.INFO,
    Ending.REFUSED: LogLevel.WARNING,
    Ending.BROKEN: LogLevel.ERROR,
}


def entry_of(record: ExchangeRecord) -> LogEntry:
    """The log entry of a settled exchange."""
    return LogEntry(
        at=record.at,
        level=_LEVELS[record.ending],
        kind=LogKind.REQUEST,
        event="exchange.settled",
        account=record.account,
        key_id=record.key_id,
        request_id=record.request_id,
        model=record.sent_model,
        status=record.status,
        code=record.code,
        exchange=msgspec.structs.replace(record, selection_inputs=())
        if record.selection_inputs
        else record,
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
        keys = [keyspace.logs(), keyspace.settings()]
        args = [encode_entry(entry), *LENGTHS]
        return text(await self._scripts.run("append_log", keys, args))

    async def trim(self, length: int) -> None:
        """Remove the oldest entries at once; what is appended keeps to the settings by itself."""
        for _ in range(TRIMS):
            if not await ask(lambda: self._redis.xtrim(keyspace.logs(), maxlen=length)):
                return

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
            wanted = count - len(found)
            rows = await self.rows(before=before, count=wanted)
            found += filter(None, map(decode_row, rows))
            if len(rows) < wanted:
                break
            before = rows[-1].id
        return found

    async def rows(self, *, before: str = "+", count: int = 100) -> Sequence[LogRow]:
        """The same rows as they are kept, for `decode_row`; also those that are no entries."""
        end = before if before == "+" else f"({before}"
        found: Any = await ask(
            lambda: self._redis.xrevrange(keyspace.logs(), max=end, count=count),
        )
        return [LogRow(text(row_id), _body(fields)) for row_id, fields in found]

    async def of_request(self, request_id: str) -> StoredEntry | None:
        """The entry of a settled request; None if the log does not have it (any more).

        An exchange is settled up to some seconds after its end.
        """
        at = await ask(lambda: self._redis.zscore(keyspace.log_index(), request_id))
        if at is None:
            return None
        moment = str(int(at))
        found: Any = await ask(
            lambda: self._redis.xrange(keyspace.logs(), moment, moment, count=OF_ONE_MOMENT)
        )
        return next((e for e in _stored(found) if e.entry.request_id == request_id), None)

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
        """Set all entries aside for CLEARED_LOGS_SECONDS, beside those cleared before; returns how many."""
        keys = [keyspace.logs(), keyspace.cleared_logs()]
        return int(await self._scripts.run("clear_logs", keys, [keyspace.CLEARED_LOGS_SECONDS]))

    async def restore(self) -> bool:
        """Undo `clear`, keeping newer entries; False if the time for it is over. Atomic."""
        keys = [keyspace.logs(), keyspace.cleared_logs()]
        return bool(await self._scripts.run("restore_logs", keys))


def decode_row(row: LogRow) -> StoredEntry | None:
    """A row's entry; None for one that is none, or that this version cannot read."""
    if not row.body:  # the row that remembers the last id of a cleared log
        return None
    entry = read_json(row.body, LogEntry, kind="log entry", name=row.id)
    return None if entry is None else StoredEntry(id=row.id, entry=entry)


def _stored(rows: Any) -> Sequence[StoredEntry]:
    """Rows of the stream as entries; rows that are none are left out."""
    read = (decode_row(LogRow(text(row_id), _body(fields))) for row_id, fields in rows)
    return [entry for entry in read if entry is not None]


def _body(fields: Any) -> str:
    return str((fields or {}).get("entry") or "")
