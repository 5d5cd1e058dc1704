"""Routes of the log: a page of entries, the live stream, clear and restore."""

import contextlib
import enum
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, post
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.log_stream import (
    MOST_LENGTH,
    LogKind,
    LogLevel,
    LogStream,
    StoredEntry,
    decode_row,
)
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.identity import RequestIdentity, identity_of
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import Code, Conflict
from codex_proapi.console.live.changes import Changes
from codex_proapi.console.live.event_streams import (
    HEARTBEAT,
    PATIENCE,
    RETRY_MILLISECONDS,
    SIGNED_OUT,
    Admission,
    Gate,
    event,
    event_stream,
)
from codex_proapi.console.live.log_broadcast import LogBroadcast
from codex_proapi.console.live.log_filter import LogFilter, words
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Before, Limit, StreamPosition, Word, is_position

AnyRequest = Request[Any, Any, Any]


def _list_of(kinds: type[enum.StrEnum]) -> str:
    """The pattern of a list of these words with commas; empty is all of them."""
    word = "|".join(kinds)
    return f"^$|^({word})(,({word}))*$"


Levels = Annotated[str, QueryParameter(pattern=_list_of(LogLevel), max_length=100)]
Kinds = Annotated[str, QueryParameter(pattern=_list_of(LogKind), max_length=100)]
Status = Annotated[str, QueryParameter(pattern=r"^$|^[1-5]([0-9]{2}|xx)$", max_length=3)]
Substituted = Annotated[bool, QueryParameter()]

SCAN = 500
"""Entries read at once while looking for those that pass a filter."""
SCANNED_AT_MOST = 20_000
"""Entries looked through for one answer; the next one goes on from there."""

_encode = msgspec.json.Encoder().encode


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, newest first."""

    entries: list[StoredEntry]
    before: str
    """What to pass as `before` for older ones; empty when there are none. With it there may be fewer entries
    than asked for, or none yet: so many were looked through."""
    scanned: int
    """Number of entries that were looked through."""
    latest: str
    """Where a stream has to begin to miss nothing that comes after this page."""


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """What clearing did."""

    cleared: int
    """How many entries were set aside."""
    undo_seconds: int
    """How long it can be undone."""


def concerned(
    account: Word = "", key: Word = "", model: Word = "", request_id: Word = ""
) -> LogFilter:
    """Whom the wanted entries concern, as a request says it."""
    return LogFilter(account=account, key=key, model=model, request_id=request_id)


def log_filter(
    about: Injected[LogFilter],
    *,
    level: Levels = "",
    kind: Kinds = "",
    status: Status = "",
    substituted: Substituted = False,
    q: Word = "",
) -> LogFilter:
    """The filter of a request: `level` and `kind` are lists with commas."""
    return msgspec.structs.replace(
        about,
        levels=words(level),
        kinds=words(kind),
        status=status,
        substituted=substituted,
        text=q,
    )


@get("/api/logs", tags=["logs"])
async def list_logs(
    logs: Injected[LogStream],
    wanted: Injected[LogFilter],
    before: Before = "",
    limit: Limit = 100,
) -> LogPage:
    """Entries that pass the filters, newest first, of the next 20,000 at most: `before` goes on from there."""
    return await read_page(logs, wanted, before=before, limit=limit, scan=SCANNED_AT_MOST)


async def read_page(
    logs: LogStream,
    wanted: LogFilter,
    *,
    before: str = "",
    limit: int = 100,
    scan: int = 2 * MOST_LENGTH,
) -> LogPage:
    """One page of the entries that pass the filter.

    Args:
        logs: The log.
        wanted: The filter.
        before: Only entries older than this id.
        limit: How many at most.
        scan: How many are looked through at most; the default is all of a log.
    """
    # Read first: entries appended in between are then on the page and in the stream, never lost.
    latest = "" if before else await logs.last_id()
    position, scanned = before or "+", 0
    passed: list[StoredEntry] = []
    count = min(limit, SCAN)  # without a filter that is all there is to read
    while scanned < scan:
        found = await logs.rows(before=position, count=count)
        if position == "+" and found:
            latest = found[0].id
        for row in found:
            scanned, position = scanned + 1, row.id
            kept = decode_row(row) if wanted.may_let(row.body) else None
            if kept is not None and wanted.lets(kept.entry):
                passed.append(kept)
            if len(passed) == limit:
                return LogPage(entries=passed, before=position, scanned=scanned, latest=latest)
        if len(found) < count:
            position = ""
            break
        count = min(SCAN, scan - scanned)
    return LogPage(entries=passed, before=position, scanned=scanned, latest=latest or "0-0")


@delete("/api/logs", tags=["logs"], status_code=200)
async def clear_logs(
    request: AnyRequest, logs: Injected[LogStream], audit: Injected[Audit]
) -> Cleared:
    """Set all entries aside; for ten minutes this can be undone."""
    cleared = await logs.clear()
    await audit.note(audit_event(request, "log.cleared", before={"entries": cleared}))
    return Cleared(cleared=cleared, undo_seconds=keyspace.CLEARED_LOGS_SECONDS)


@post("/api/logs/undo", tags=["logs"], status_code=204)
async def restore_logs(
    request: AnyRequest, logs: Injected[LogStream], audit: Injected[Audit]
) -> None:
    """Bring back the entries that were cleared in the last ten minutes."""
    if not await logs.restore():
        raise Conflict(Code.NOTHING_TO_UNDO)
    await audit.note(audit_event(request, "log.restored"))


@get("/api/logs/stream", tags=["logs"], opt={"passive": True}, media_type="text/event-stream")
async def stream_logs(
    request: AnyRequest,
    *,
    log_broadcast: Injected[LogBroadcast],
    gate: Injected[Gate],
    wanted: Injected[LogFilter],
    last_event_id: Annotated[str, HeaderParameter(name="last-event-id", max_length=64)] = "",
    after: StreamPosition = "",
) -> Stream:
    """Entries as they come, as server-sent events; `Last-Event-ID` or `after` resumes.

    Comments are heartbeats. `event: signed_out` is the last event of a session that has ended.
    """
    identity = identity_of(request.scope)
    gate.check(identity)
    # A browser that comes back says more than the address it first came with.
    position = last_event_id if is_position(last_event_id) else after
    return event_stream(_log_events(log_broadcast, gate, identity, wanted=wanted, after=position))


@get("/api/events", tags=["events"], opt={"passive": True}, media_type="text/event-stream")
async def stream_changes(
    request: AnyRequest, changes: Injected[Changes], gate: Injected[Gate]
) -> Stream:
    """Which of `accounts`, `keys`, `settings`, `logs`, `usage` changed, as server-sent events."""
    identity = identity_of(request.scope)
    gate.check(identity)
    return event_stream(_change_events(changes, gate, identity))


async def _log_events(
    log_broadcast: LogBroadcast,
    gate: Gate,
    identity: RequestIdentity,
    *,
    wanted: LogFilter,
    after: str,
) -> AsyncIterator[bytes]:
    with gate.open(identity, "logs"):
        yield b"retry: %d\n\n" % RETRY_MILLISECONDS
        ticket = gate.ticket(identity)
        async with contextlib.aclosing(log_broadcast.follow(after, patience=PATIENCE)) as batches:
            async for batch in batches:
                if (admission := await ticket.admission()) is not Admission.HOLDS:
                    if admission is Admission.ENDED:
                        yield SIGNED_OUT
                    return
                passed = [
                    event(_encode(kept.entry), name="log", event_id=kept.id)
                    for kept in batch
                    if wanted.lets(kept.entry)
                ]
                # Without an event for the new position a reconnect would read the same entries again.
                if batch and not passed:
                    passed = [b"id: %s\n" % batch[-1].id.encode() + HEARTBEAT]
                yield b"".join(passed) or HEARTBEAT


async def _change_events(
    changes: Changes, gate: Gate, identity: RequestIdentity
) -> AsyncIterator[bytes]:
    with gate.open(identity, "events"):
        yield b"retry: %d\n\n" % RETRY_MILLISECONDS
        ticket = gate.ticket(identity)
        async with contextlib.aclosing(changes.follow(patience=PATIENCE)) as found:
            async for topics in found:
                if (admission := await ticket.admission()) is not Admission.HOLDS:
                    if admission is Admission.ENDED:
                        yield SIGNED_OUT
                    return
                if topics:
                    named = sorted(topic.value for topic in topics)
                    yield event(_encode({"changed": named}), name="changed")
                else:
                    yield HEARTBEAT
