"""Who did what, when, from where: one record for each action, in a stream nobody clears.

The same fact is also an entry of the log, where it stands among the requests it may explain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import structlog
from redis.asyncio import Redis

from commons import redis_keys
from commons.log_stream import LogEntry, LogKind, LogLevel, LogStream
from commons.redis_pool import ask, mapped

LENGTH = 10_000
"""About how many records are kept."""

Facts: TypeAlias = Mapping[str, str | int | float | bool]

log = structlog.get_logger(__name__)


class Deed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One action of an administrator, or one try to become one. Never holds a secret."""

    at: float = 0.0
    """When, seconds since the epoch."""
    action: str
    """A fact in the past, `noun.verb`."""
    actor: str
    """`admin`, `local` (no login asked), `token:<name>`, `nobody`."""
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


class KeptDeed(msgspec.Struct, frozen=True, kw_only=True):
    """A deed with its place in the stream."""

    id: str
    deed: Deed


class Audit:
    """The record of what administrators did."""

    def __init__(self, redis: Redis, logs: LogStream, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._logs = logs
        self._clock = clock

    def __repr__(self) -> str:
        return "<Audit>"

    async def note(self, deed: Deed) -> None:
        """Write one deed down, once here and once in the log."""
        deed = msgspec.structs.replace(deed, at=self._clock())
        with mapped():
            await self._redis.xadd(
                redis_keys.audit(),
                {"deed": msgspec.json.encode(deed)},
                maxlen=LENGTH,
                approximate=True,
            )
        await self._logs.append(_entry_of(deed))
        log.info(
            "admin.acted",
            action=deed.action,
            actor=deed.actor,
            ip=deed.ip,
            account=deed.account,
            key_id=deed.key_id,
            fault=deed.code,
        )

    async def page(self, *, before: str = "+", count: int = 100) -> Sequence[KeptDeed]:
        """The newest deeds older than an id, newest first."""
        end = before if before == "+" else f"({before}"
        key = redis_keys.audit()
        rows: Any = await ask(lambda: self._redis.xrevrange(key, max=end, count=count))
        return [
            KeptDeed(id=str(row_id), deed=msgspec.json.decode(fields["deed"], type=Deed))
            for row_id, fields in rows
        ]


def _entry_of(deed: Deed) -> LogEntry:
    """The log entry of a deed."""
    changes = {f"{name} before": value for name, value in deed.before.items()}
    return LogEntry(
        at=deed.at,
        level=LogLevel.WARNING if deed.code else LogLevel.INFO,
        kind=LogKind.LOGIN if deed.action.startswith("login.") else LogKind.ADMIN,
        event=deed.action,
        account=deed.account,
        key_id=deed.key_id,
        request_id=deed.request_id,
        code=deed.code,
        detail={"actor": deed.actor, "ip": deed.ip, **changes, **deed.after},
    )
