"""The audit: one record for each administrative action, in a stream that is never cleared.

Each record is also written to the log stream, beside the requests it may explain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped
from codex_proapi.commons.runtime.stored_records import read_json
from codex_proapi.commons.usage.log_stream import LogEntry, LogKind, LogLevel, LogStream

LENGTH = 10_000
"""About how many records are kept."""

Facts: TypeAlias = Mapping[str, str | int | float | bool]

log = structlog.get_logger(__name__)


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One action of an administrator, or one try to become one. Never holds a secret."""

    at: float = 0.0
    """When, seconds since the epoch."""
    action: str
    """A fact in the past, `noun.verb`."""
    actor: str
    """`admin`, `local` (no login asked), `token:<name>`, `cli` (a command), `nobody`."""
    ip: str
    """From where."""
    request_id: str = ""
    """With which request."""
    account: str = ""
    """The account concerned."""
    key_id: str = ""
    """The API key concerned."""
    code: str = ""
    """Why it failed, if it did."""
    before: dict[str, str | int | float | bool] = {}
    """What was, of what changed."""
    after: dict[str, str | int | float | bool] = {}
    """What is."""


class StoredAuditEvent(msgspec.Struct, frozen=True, kw_only=True, rename={"event": "deed"}):
    """An event with its id in the stream."""

    id: str
    event: AuditEvent


class Audit:
    """Writes and reads the audit stream."""

    def __init__(
        self,
        redis: Redis,
        logs: LogStream,
        *,
        clock: Callable[[], float],
        write_log: bool = True,
    ) -> None:
        """Take the streams to write to.

        Args:
        redis: Has the audit stream.
        logs: The log stream, which gets each event too.
        clock: Seconds since the epoch.
        write_log: Whether to log events of this process to stdout as well.
        """
        self._redis = redis
        self._logs = logs
        self._clock = clock
        self._write_log = write_log

    def __repr__(self) -> str:
        return "<Audit>"

    async def note(self, event: AuditEvent) -> None:
        """Record one action in the audit, in the log stream and in this process' log."""
        event = msgspec.structs.replace(event, at=self._clock())
        with mapped():
            await self._redis.xadd(
                keyspace.audit(),
                {"deed": msgspec.json.encode(event)},
                maxlen=LENGTH,
                approximate=True,
            )
        await self._logs.append(_entry_of(event))
        if not self._write_log:
            return
        log.info(
            "admin.acted",
            action=event.action,
            actor=event.actor,
            ip=event.ip,
            account=event.account,
            key_id=event.key_id,
            fault=event.code,
        )

    async def page(self, *, before: str = "+", count: int = 100) -> Sequence[StoredAuditEvent]:
        """The newest events older than an id, newest first."""
        end = before if before == "+" else f"({before}"
        key = keyspace.audit()
        rows: Any = await ask(lambda: self._redis.xrevrange(key, max=end, count=count))
        return [
            StoredAuditEvent(id=str(row_id), event=event)
            for row_id, fields in rows
            if (body := fields.get("deed"))
            and (event := read_json(body, AuditEvent, kind="audit event", name=str(row_id)))
        ]


def _entry_of(event: AuditEvent) -> LogEntry:
    """The log entry of an event."""
    changes = {f"{name} before": value for name, value in event.before.items()}
    return LogEntry(
        at=event.at,
        level=LogLevel.WARNING if event.code else LogLevel.INFO,
        kind=LogKind.LOGIN if event.action.startswith("login.") else LogKind.ADMIN,
        event=event.action,
        account=event.account,
        key_id=event.key_id,
        request_id=event.request_id,
        code=event.code,
        detail={"actor": event.actor, "ip": event.ip, **changes, **event.after},
    )
