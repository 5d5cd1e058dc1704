"""Routes that give the log as a file: one JSON object a line, or CSV; newest first.

An entry has what the page shows of it, and neither a secret nor a word of a request or an answer.
What is read at a time is bounded, and so is all of it: the log keeps a bounded number of entries.
"""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

import msgspec
from litestar import get
from litestar.response import Stream

from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import MOST_LENGTH, LogStream, StoredEntry
from codex_proapi.console.live.log_filter import LogFilter
from codex_proapi.console.server.csv_text import csv_line
from codex_proapi.console.server.dependencies import Injected

Encode: TypeAlias = Callable[[StoredEntry], bytes]

BATCH = 200
"""Entries read and encoded at once: some milliseconds of work."""
MOST = 2 * MOST_LENGTH
"""Entries read for one file: a bound for one that is appended to faster than it is read."""
COLUMNS = (
    *("id", "time", "level", "kind", "event", "status", "code", "request_id"),
    *("endpoint", "asked_model", "answered_model", "account", "key_id", "key_name", "tries"),
    *("input_tokens", "cached_tokens", "output_tokens", "first_byte_ms", "total_ms"),
)
"""Columns of the CSV."""

_encode = msgspec.json.Encoder().encode
_NO_EXCHANGE = ExchangeRecord(request_id="", at=0, endpoint="", ending=Ending.WHOLE)


@get("/api/logs.ndjson", tags=["logs"], media_type="application/x-ndjson")
async def download_ndjson(logs: Injected[LogStream], wanted: Injected[LogFilter]) -> Stream:
    """Every entry that passes the filters, newest first: one JSON object a line."""
    return _file(lines(logs, wanted, ndjson_of), "ndjson")


@get("/api/logs.csv", tags=["logs"], media_type="text/csv")
async def download_csv(logs: Injected[LogStream], wanted: Injected[LogFilter]) -> Stream:
    """Every entry that passes the filters, newest first: a table with a line of names."""
    return _file(lines(logs, wanted, csv_of, head=csv_line(COLUMNS).encode()), "csv")


async def lines(
    logs: LogStream, wanted: LogFilter, encode: Encode, *, head: bytes = b""
) -> AsyncIterator[bytes]:
    """The lines of a file, as many at a time as are read at a time."""
    yield head
    position, read = "+", 0
    while read < MOST:
        found = await logs.page(before=position, count=BATCH)
        passed = [encode(kept) for kept in found if wanted.lets(kept.entry)]
        if passed:
            yield b"".join(passed)
        if len(found) < BATCH:
            return
        read, position = read + len(found), found[-1].id


def ndjson_of(kept: StoredEntry) -> bytes:
    """One entry as a line of JSON."""
    return _encode(kept) + b"\n"


def csv_of(kept: StoredEntry) -> bytes:
    """One entry as a line of CSV; what only requests have is empty elsewhere."""
    return csv_line(_values(kept)).encode()


def _values(kept: StoredEntry) -> Sequence[object]:
    entry, made = kept.entry, kept.entry.exchange or _NO_EXCHANGE
    time = dt.datetime.fromtimestamp(entry.at, dt.UTC).isoformat(timespec="milliseconds")
    common = (kept.id, time, entry.level.value, entry.kind.value, entry.event)
    named = (entry.status or None, entry.code, entry.request_id, made.endpoint)
    models = (made.asked_model or entry.model, made.answered_model)
    whose = (entry.account, entry.key_id, made.key_name)
    if entry.exchange is None:
        return (*common, *named, *models, *whose, *(None for _ in range(6)))
    tokens = (made.tokens.input, made.tokens.cached, made.tokens.output)
    spans = (made.first_byte_ms or None, made.total_ms)
    return (*common, *named, *models, *whose, len(made.attempts), *tokens, *spans)


def _file(content: AsyncIterator[bytes], ending: str) -> Stream:
    disposition = f'attachment; filename="codex-proapi-log.{ending}"'
    media_type = "text/csv" if ending == "csv" else "application/x-ndjson"
    headers = {"content-disposition": disposition, "cache-control": "no-store"}
    return Stream(content, media_type=media_type, headers=headers)
