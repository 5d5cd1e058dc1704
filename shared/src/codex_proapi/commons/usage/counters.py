"""Usage: counters by day of each key, account, model and key's model, and of the pool by five minutes.

`add` takes whole batches and counts each request id once, however often a batch is tried again:
a write whose reply was lost may be repeated without harm. Settled in the open: when Redis is away
the caller keeps the batch and tries later.
"""

import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.fair_shares import CHARGED, cost_of
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import Scripts, ask, text
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import LENGTH, encode_entry, entry_of
from codex_proapi.gateway.limits.charge import permit_id

UsageKind: TypeAlias = Literal["key", "account", "model"]
"""By what usage is counted."""
SLOT_SECONDS = 300
"""Length of one slot of the series behind the charts."""

KINDS: tuple[UsageKind, ...] = get_args(UsageKind)
LEAST_DAYS, MOST_DAYS = 32, keyspace.USAGE_DAYS
"""Bounds of how long counters are kept: a month's budget is counted from them."""
MOST_AT_ONCE = 100
"""Exchanges in one run of the script: Redis serves nobody else meanwhile."""


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
    """Tokens of answers that ended before upstream told their usage; in none of those above."""
    first_bytes: int = 0
    """Exchanges that reached their first word."""
    first_byte_ms: int = 0
    """Milliseconds to the first word, summed over `first_bytes`."""
    total_ms: int = 0
    """Milliseconds to the end, summed over `requests`."""

    def add(self, other: "Counters") -> None:
        """Take in the sums of another."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class UsageStore:
    """The counters, shared by every replica."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self.days = keyspace.USAGE_DAYS
        """How long what is added is kept after its day; may change while running."""

    def __repr__(self) -> str:
        return f"<UsageStore of {self.days} days>"

    async def add(self, records: Sequence[ExchangeRecord]) -> int:
        """Count settled exchanges and append their log entries; gives how many were counted."""
        settings = (keyspace.SETTLED_SECONDS, LENGTH, _NAMES)
        counted = 0
        for begin in range(0, len(records), MOST_AT_ONCE):
            some = records[begin : begin + MOST_AT_ONCE]
            exchanges = (_settlement(each, days=self.days) for each in some)
            args = [*settings, *(msgspec.json.encode(each).decode() for each in exchanges)]
            counted += await self._scripts.repeat("settle", [keyspace.logs()], args)
        return counted

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

        async def read() -> list[Any]:
            pipe = self._redis.pipeline(transaction=False)
            for day in days:
                pipe.hmget(keyspace.usage(day, "key", key_id), "input", "output", "estimated")
            return await pipe.execute()

        return [sum(int(count or 0) for count in counts) for counts in await ask(read)]

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
                    counters = sums.setdefault((key_id, model), Counters())
                    setattr(counters, name, int(value))
        return found

    async def key_ids(self, days: Iterable[str]) -> Sequence[str]:
        """The keys that have counters on any of these days; `open` stands for none."""
        found = [await self._subjects(day, "key") for day in days]
        return sorted({key_id for subjects in found for key_id in subjects})

    async def keep(self, days: int, *, now: float) -> None:
        """Let what is counted end so many days after its day: at once where those are over."""
        for back in range(MOST_DAYS + 1):
            day = day_of(now - back * keyspace.DAY)
            seconds = _seconds_left(day, days, now=now)
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
            key = keyspace.usage_series(day)
            fields = await ask(lambda key=key: self._redis.hgetall(key))  # type: ignore[misc]
            for field, value in fields.items():
                slot, _, name = text(field).partition(" ")
                counters = found.setdefault(begin + int(slot) * SLOT_SECONDS, Counters())
                setattr(counters, name, int(value))
        return dict(sorted(found.items()))

    async def _subjects(self, day: str, kind: UsageKind) -> list[str]:
        key = keyspace.usage_subjects(day, kind)
        return sorted(map(text, await ask(lambda: self._redis.smembers(key))))

    async def _counters(self, day: str, kind: str, subjects: Sequence[str]) -> list[Counters]:
        names = [keyspace.usage(day, kind, subject) for subject in subjects]
        hashes = await self._hashes(names)
        return [msgspec.convert(fields, Counters, strict=False) for fields in hashes]

    async def _hashes(self, names: Sequence[str]) -> list[Any]:
        async def read() -> list[Any]:
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(name)
            return await pipe.execute()

        return await ask(read) if names else []


_NAMES = msgspec.json.encode(Counters.__struct_fields__).decode()
"""Names of the counters, in the order the script takes their counts."""


def day_of(at: float) -> str:
    """The day (UTC) a moment belongs to, `2026-11-24`."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d")


def _seconds_left(day: str, days: int, *, now: float) -> int:
    """Seconds until so many days after a day (UTC) are over."""
    begin = dt.datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()
    return int(begin) + (days + 1) * keyspace.DAY - int(now)


def _settlement(record: ExchangeRecord, *, days: int) -> dict[str, Any]:
    """One exchange as the script takes it."""
    day, at = day_of(record.at), int(record.at)
    hour = dt.datetime.fromtimestamp(record.at, dt.UTC).strftime("%Y-%m-%dT%H")
    subjects = {
        "key": record.key_id or "open",
        "account": record.account or "none",
        "model": record.answered_model or record.sent_model or "none",
    }
    slot = f"{at % keyspace.DAY // SLOT_SECONDS} "
    series = (keyspace.usage_series(day), keyspace.SERIES_SECONDS, slot)
    seconds = _seconds_left(day, days, now=at)
    models = keyspace.usage_models(day, subjects["key"])
    return {
        "settled": keyspace.settled(hour),
        "id": record.request_id,
        "entry": encode_entry(entry_of(record)),
        "at": at,
        "sums": [
            series,
            (models, seconds, f"{subjects['model']} "),
            *(
                (keyspace.usage(day, kind, subject), seconds, "")
                for kind, subject in subjects.items()
            ),
        ],
        "counts": _counts(record),
        "subjects": [
            (keyspace.usage_subjects(day, kind), seconds, subject)
            for kind, subject in subjects.items()
        ],
        "key": keyspace.key(record.key_id) if record.key_id else "",
        "drawn": _drawn(record),
        "fair_share": _fair_share(record),
        "attempts": [(keyspace.account(each.account), _error(each)) for each in record.attempts],
    }


def _drawn(record: ExchangeRecord) -> dict[str, Any] | None:
    """What the exchange took of its key's limits, and what it really used; None without limits."""
    if not record.drawn_at:
        return None
    return {
        "streams": keyspace.streams(record.key_id),
        "place": permit_id(record.request_id, record.drawn_tokens),
        "minute": keyspace.minute_tokens(record.key_id),
        "at": record.drawn_at,
        "more": record.tokens.input + record.tokens.output + record.estimated - record.drawn_tokens,
    }


def _fair_share(record: ExchangeRecord) -> dict[str, Any] | None:
    """What the exchange cost beyond its charge on a scarce pool; None if there was none."""
    if not record.fair_share_weight:
        return None
    cost = cost_of(record.tokens) + round(record.estimated * CHARGED)
    more = (cost - record.fair_share_charge) / record.fair_share_weight
    return {"shares": keyspace.fair_shares(), "key": record.key_id, "more": more}


def _counts(record: ExchangeRecord) -> tuple[int, ...]:
    """What one exchange adds, in the order of Counters."""
    tokens = record.tokens
    return (
        *(1, int(record.ending in (Ending.REFUSED, Ending.BROKEN))),
        *(tokens.input, tokens.cached, tokens.cache_write, tokens.output, tokens.reasoning),
        record.estimated,
        *(int(record.first_byte_ms > 0), record.first_byte_ms, record.total_ms),
    )


def _error(attempt: AttemptRecord) -> str:
    """What an attempt failed with; empty for the one that was answered."""
    if attempt.verdict == "committed":
        return ""
    return attempt.code or str(attempt.status or attempt.verdict)
