"""Usage counters: by day (of the team's time zone) of each key, account, model and key's model; of the pool by five minutes.

Read here; the gateway writes them when it settles an exchange (`gateway.accounting.settlement_writer`).
"""

import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.usage.calendar import UTC, Calendar

UsageKind: TypeAlias = Literal["key", "account", "model"]
"""By what usage is counted."""
SLOT_SECONDS = 300
"""Length of one slot of the series behind the charts."""

KINDS: tuple[UsageKind, ...] = get_args(UsageKind)
LEAST_DAYS, MOST_DAYS = 32, keyspace.USAGE_DAYS
"""Bounds of how long counters are kept: a month's budget is counted from them."""


class Counters(msgspec.Struct, kw_only=True):
    """Sums over exchanges."""

    requests: int = 0
    """Exchanges settled."""
    errors: int = 0
    """Of these, refused or broken."""
    input: int = 0
    """Prompt tokens, cached ones included."""
    cached: int = 0
    """Prompt tokens read from the prompt cache."""
    cache_write: int = 0
    """Prompt tokens written to the prompt cache."""
    output: int = 0
    """Completion tokens, reasoning included."""
    reasoning: int = 0
    """Completion tokens spent on reasoning."""
    estimated: int = 0
    """Tokens of answers that ended before upstream reported their usage; in none of those above."""
    first_bytes: int = 0
    """Exchanges that reached their first word."""
    first_byte_ms: int = 0
    """Milliseconds to the first word, summed over `first_bytes`."""
    total_ms: int = 0
    """Milliseconds to the end, summed over `requests`."""

    def add(self, other: "Counters") -> None:
        """Add the sums of another."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class UsageStore:
    """Reads the counters and expires those past their retention."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def __repr__(self) -> str:
        return "<UsageStore>"

    async def read(
        self, kind: UsageKind, days: Iterable[str], *, subjects: Sequence[str] | None = None
    ) -> dict[str, dict[str, Counters]]:
        """Counters by day (`2026-11-24`) and subject; all subjects unless some are named."""
        found: dict[str, dict[str, Counters]] = {}
        for day in days:
            names = list(subjects) if subjects is not None else await self._subjects(day, kind)
            found[day] = dict(zip(names, await self._counters(day, kind, names), strict=True))
        return found

    async def tokens(self, key_id: str, days: Iterable[str]) -> list[int]:
        """Tokens of a key by day, as its budgets count them."""
        counted = ("input", "output", "estimated")
        names = [keyspace.usage(day, "key", key_id) for day in days]
        replies = await read_each(self._redis, [_read("HMGET", name, *counted) for name in names])
        return [sum(map(_number, counts or ())) for counts in replies]

    async def read_models(
        self, key_ids: Sequence[str], days: Iterable[str]
    ) -> dict[str, dict[tuple[str, str], Counters]]:
        """Counters of some keys by day, and by key and model."""
        found: dict[str, dict[tuple[str, str], Counters]] = {}
        for day in days:
            names = [keyspace.usage_models(day, key_id) for key_id in key_ids]
            sums = found.setdefault(day, {})
            for key_id, fields in zip(key_ids, await self._hashes(names), strict=True):
                for field, value in fields.items():
                    model, _, name = text(field).rpartition(" ")
                    _set(sums.setdefault((key_id, model), Counters()), name, value)
        return found

    async def key_ids(self, days: Iterable[str]) -> Sequence[str]:
        """The keys that have counters on any of these days; `open` stands for none."""
        found = [await self._subjects(day, "key") for day in days]
        return sorted({key_id for subjects in found for key_id in subjects})

    async def keep(self, days: int, *, now: float, calendar: Calendar = UTC) -> None:
        """Expire counters `days` days after their day, at once where that is past."""
        # From tomorrow on: it is counted already where the zone was another one further east.
        for day in calendar.days_back(calendar.midnight_after(now, 1), MOST_DAYS + 2):
            seconds = seconds_left(day, days, now=now, calendar=calendar)
            names = []
            for kind in KINDS:
                subjects = await self._subjects(day, kind)
                names += [keyspace.usage(day, kind, subject) for subject in subjects]
                if kind == "key":
                    names += [keyspace.usage_models(day, subject) for subject in subjects]
                # Last: while they are there, an interrupted change can be made again.
                names.append(keyspace.usage_subjects(day, kind))
            await ask(functools.partial(self._end, names, seconds))

    async def _end(self, names: Sequence[str], seconds: int) -> None:
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            if seconds > 0:
                pipe.expire(name, seconds)
            else:
                pipe.delete(name)
        await pipe.execute()

    async def series(self, days: Iterable[str]) -> dict[int, Counters]:
        """The pool's counters by begin of five-minute slot, seconds since the epoch."""
        found: dict[int, Counters] = {}
        for day in days:
            begin = int(dt.datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())
            [fields] = await self._hashes([keyspace.usage_series(day)])
            for field, value in fields.items():
                slot, _, name = text(field).partition(" ")
                if slot.isdecimal():
                    at = begin + int(slot) * SLOT_SECONDS
                    _set(found.setdefault(at, Counters()), name, value)
        return dict(sorted(found.items()))

    async def _subjects(self, day: str, kind: UsageKind) -> list[str]:
        read = _read("SMEMBERS", keyspace.usage_subjects(day, kind))
        [subjects] = await read_each(self._redis, [read])
        return sorted(map(text, subjects or ()))

    async def _counters(self, day: str, kind: str, subjects: Sequence[str]) -> list[Counters]:
        names = [keyspace.usage(day, kind, subject) for subject in subjects]
        hashes = await self._hashes(names)
        return [_counters_of(fields) for fields in hashes]

    async def _hashes(self, names: Sequence[str]) -> list[Any]:
        replies = await read_each(self._redis, [_read("HGETALL", name) for name in names])
        return [fields or {} for fields in replies]


def _read(command: str, name: str, *fields: str) -> StoredRead:
    return StoredRead("usage", name.removeprefix(f"{keyspace.TAG}:"), (command, name, *fields))


def _counters_of(fields: Any) -> Counters:
    """Counters from their hash; what is no counter of this version is left out."""
    counters = Counters()
    for name, value in fields.items():
        _set(counters, text(name), value)
    return counters


def _set(counters: Counters, name: str, value: object) -> None:
    """Set one counter, unless another version counts something else under this name."""
    if name in Counters.__struct_fields__:
        setattr(counters, name, _number(value))


def _number(value: object) -> int:
    """A count as it is kept; 0 for none, or for what is no number."""
    try:
        return int(str(value or 0))
    except ValueError:
        return 0


def day_of(at: float) -> str:
    """The day (UTC) a moment belongs to, `2026-11-24`: by these the series are kept."""
    return UTC.day_of(at)


def seconds_left(day: str, days: int, *, now: float, calendar: Calendar = UTC) -> int:
    """Seconds until so many days after a day are over."""
    return calendar.midnight_after(calendar.begin_of(day), days + 1) - int(now)
