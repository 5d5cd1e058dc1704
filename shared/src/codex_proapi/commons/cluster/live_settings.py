"""Settings that can be changed while running; they apply on every replica within seconds.

One hash in Redis; a field that is not in it keeps the environment's value. The console writes, the
gateway reads every READ_SECONDS at most. A value that cannot be decoded counts as not set, except
that an unknown policy for API keys means that keys are required.
"""

import enum
from typing import Annotated, Any, TypeAlias

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped, text
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.redis.type_repair import Form, TypeRepair
from codex_proapi.commons.runtime.stored_records import UNREADABLE

READ_SECONDS = 2.0
"""How old a reader's copy may be."""


MOST_RESERVE = 50.0
"""Percent; beyond it an account would mostly stand idle."""
Reserve: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=MOST_RESERVE)]


class HistoryMode(enum.StrEnum):
    """How a conversation's earlier turns are sent to the backend."""

    STRUCTURED = "structured"
    TRANSCRIPT = "transcript"


class ReasoningSummary(enum.StrEnum):
    """The reasoning summary of an answer where neither client nor key says which."""

    MODEL = "model"
    """As the model's entry in the catalogue says."""
    NONE = "none"
    AUTO = "auto"
    CONCISE = "concise"
    DETAILED = "detailed"


class ModelSubstitution(enum.StrEnum):
    """What happens to an answer that another model gives than was sent."""

    ACCEPT = "accept"
    """It is the client's; it is logged and counted."""
    RETRY = "retry"
    """It is dropped when it begins, and another account is asked, once: it costs a started answer."""


class KeyPolicy(enum.StrEnum):
    """Whether a request needs an API key."""

    OPEN = "open"
    REQUIRED = "required"


class LiveSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The values that were changed; None is the environment's value."""

    routing: Routing | None = None
    quota_reserve: Reserve | None = None
    """Percent of each quota window that is kept for conversations which are there already."""
    account_streams: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    """Answers one account gives at a time; 0 is no limit."""
    fair_share_below: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    """Percent of the pool left below which keys share the rest by their weights; 0 is never."""
    default_model: str | None = None
    model_aliases: dict[str, str] | None = None
    model_fallbacks: dict[str, str] | None = None
    """Models that serve where no account can serve others for a while."""
    small_work_models: dict[str, str] | None = None
    """Models by class of small work."""
    history_mode: HistoryMode | None = None
    reasoning_summary: ReasoningSummary | None = None
    model_substitution: ModelSubstitution | None = None
    luna_reserve: LunaReserve | None = None
    api_key_policy: KeyPolicy | None = None
    disabled_models: tuple[str, ...] | None = None
    """Models that are not offered although accounts have them."""
    time_zone: str | None = None
    """IANA name of the zone whose days and months usage and budgets count by; None is UTC."""
    usage_days: int | None = None
    """How long usage is kept by day, in days: see `codex_proapi.commons.usage.counters`."""
    usage_months: int | None = None
    """How long sums of months are kept, in months; never shorter than the days."""
    log_entries: int | None = None
    """About how many entries the log keeps: see `codex_proapi.commons.usage.log_stream`, whose scripts
    read it."""
    quota_poll_seconds: Annotated[int, msgspec.Meta(ge=60, le=3600)] | None = None
    """Seconds between two quota requests for an account whose answers do not report it."""
    alert_window_percent: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    """Percent left of a quota window below which there is an alert."""
    alert_backup_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] | None = None
    """Days after which the last backup is too old; 0: backups are made elsewhere."""


_CAUTIOUS: dict[str, Any] = {"api_key_policy": KeyPolicy.REQUIRED}
"""Values in force where a stored one cannot be decoded; others fall back to the environment."""


class LiveSettingsStore:
    """The live settings, shared by every replica."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._repair = TypeRepair(redis)

    def __repr__(self) -> str:
        return "<LiveSettingsStore>"

    async def read(self) -> LiveSettings:
        """The values that are set; one this version cannot decode counts as not set."""
        read = StoredRead("setting", "all", ("HGETALL", keyspace.settings()))
        [kept] = await read_each(self._redis, [read])
        if kept is None:
            return LiveSettings(**_CAUTIOUS)
        values: dict[str, Any] = {}
        for field in msgspec.structs.fields(LiveSettings):
            if field.name in kept:
                try:
                    values[field.name] = msgspec.json.decode(
                        text(kept[field.name]), type=field.type
                    )
                except (msgspec.DecodeError, UnicodeError):
                    UNREADABLE.note("setting", field.name, "not a value of this version")
                    if field.name in _CAUTIOUS:
                        values[field.name] = _CAUTIOUS[field.name]
        return LiveSettings(**values)

    async def time_zone(self) -> str | None:
        """IANA name of the team's time zone; None is UTC."""
        return (await self.read()).time_zone

    async def change(self, changes: dict[str, Any]) -> LiveSettings:
        """Set some values; None restores the environment's. Returns what is then set."""
        unset = [name for name, value in changes.items() if value is None]
        provided: dict[Any, Any] = {
            name: msgspec.json.encode(value).decode()
            for name, value in changes.items()
            if value is not None
        }

        async def write() -> None:
            with mapped():
                pipe = self._redis.pipeline(transaction=True)
                if unset:
                    pipe.hdel(keyspace.settings(), *unset)
                if provided:
                    pipe.hset(keyspace.settings(), mapping=provided)
                await pipe.execute()

        await self._repair.run(write, lambda: {keyspace.settings(): Form.HASH})
        return await self.read()
