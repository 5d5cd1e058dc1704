"""Usage counters: by day of each key, account, model and key's model; of the pool by five minutes.

Days are those of the team's time zone. Read here. The gateway writes them when it settles an exchange (`gateway.accounting.settlement_writer`),
one hash for each day and subject; `packing` packs old days.
"""

import asyncio
import datetime as dt
import functools
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast, get_args

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.stored_records import UNREADABLE
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.commons.usage.hours import HourStore
from codex_proapi.commons.usage.sums import (
    MISTYPED,
    Sums,
    Totals,
    add_packed,
    days_of_month,
    number_of,
    some_of,
    unpack_all,
    whole_months,
)
from codex_proapi.commons.usage.sums import (
    Counters as Counters,  # noqa: PLC0414 - also found here
)
from codex_proapi.commons.usage.sums import (
    UsageKind as UsageKind,  # noqa: PLC0414 - and here
)

SLOT_SECONDS = 300
"""Length of one slot of the series behind the charts."""

CountedKind: TypeAlias = Literal["key", "account", "model", "key-model"]
"""The same, and a key's models: their subjects are `key model`."""
MODELS_OF_KEYS: Literal["key-model"] = "key-model"
MOST_MONTHS = 123
"""Months back that there may be sums of."""
DAYS_AT_ONCE = 25
"""Days read in one round trip."""
HASHES_AT_ONCE = 1000
"""Hashes read in one run of the script: a few milliseconds of Redis."""
FIELDS_AT_ONCE = 1000
"""Fields of packed counters that are read by name; of more, all are read."""
MONTH = len("2026-11")

KINDS: tuple[UsageKind, ...] = get_args(UsageKind)
LEAST_DAYS, MOST_DAYS = 32, keyspace.USAGE_DAYS
"""Bounds of how long counters are kept: a month's budget is counted from them."""


class UsageStore:
    """Reads the counters."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)
        self.hours = HourStore(redis)
        """The same by the hour."""

    def __repr__(self) -> str:
        return "<UsageStore>"

    async def read(
        self, kind: UsageKind, days: Iterable[str], *, subjects: Sequence[str] | None = None
    ) -> dict[str, Sums]:
        """Counters by day (`2026-11-24`) and subject; all subjects unless some are named."""
        found = {day: sums async for day, sums in self.each_day(kind, days, subjects=subjects)}
        for sums in found.values():
            for subject in subjects or ():
                sums.setdefault(subject, Counters())
        return found

    async def read_models(
        self, key_ids: Sequence[str] | None, days: Iterable[str]
    ) -> dict[str, dict[tuple[str, str], Counters]]:
        """Counters of some keys, or of all, by day, and by key and model."""
        each = self.each_day(MODELS_OF_KEYS, days, subjects=key_ids)
        return {
            day: {key_and_model(subject): counters for subject, counters in sums.items()}
            async for day, sums in each
        }

    async def each_day(
        self, kind: CountedKind, days: Iterable[str], *, subjects: Sequence[str] | None = None
    ) -> AsyncIterator[tuple[str, Sums]]:
        """Counters day by day, in a round trip or two for every DAYS_AT_ONCE days.

        Args:
            kind: What is counted; of `key-model` the subjects are `key model`.
            days: Days, `2026-11-24`.
            subjects: Only these; of `key-model` the keys. None is all.
        """
        for part in _parts(list(days), DAYS_AT_ONCE):
            packed, names = await self._held(kind, part, subjects)
            added = await self._live(kind, names)
            for day in part:
                sums = packed[day]
                for subject, value in added[day]:
                    add_packed(sums, subject, value)
                yield day, sums
                await asyncio.sleep(0)  # others are served between two days

    async def total(
        self, kind: CountedKind, days: Iterable[str], *, subjects: Sequence[str] | None = None
    ) -> Sums:
        """Counters of all these days together; a whole month costs little more than a day."""
        months, others = whole_months(list(days))
        totals = Totals()
        fields = await self._fields(kind, [*months, *others], subjects)
        for part in _parts([*months, *others], DAYS_AT_ONCE):
            for packed in (await self._packed(kind, part, subjects, fields)).values():
                for some in some_of(packed):
                    totals.add(some)
                    await asyncio.sleep(0)
        # What of these months is not packed yet counts, too.
        every = [*others, *(day for month in months for day in days_of_month(month))]
        of = "key" if kind == MODELS_OF_KEYS else kind
        unpacked = await self._not_packed(of, every)
        names = await self._subjects_of(of, unpacked) if unpacked else set()
        wanted = names if subjects is None else names.intersection(subjects)
        await self._add_live(kind, unpacked, sorted(wanted), totals)
        return totals.sums()

    async def models_of_accounts(self, account_ids: Sequence[str], days: Iterable[str]) -> Sums:
        """Counters of accounts by `account model`, all these days together; of the last 40 days."""
        totals = Totals()
        unpacked = await self._not_packed("account", list(days))
        await self._add_live(MODELS_OF_KEYS, unpacked, account_ids, totals)
        return totals.sums()

    async def tokens(self, key_id: str, days: Iterable[str]) -> list[int]:
        """Tokens of a key by day, as its budgets count them."""
        counted = ("input", "output", "estimated")
        names = [keyspace.usage(day, "key", key_id) for day in days]
        replies = await read_each(self._redis, [_read("HMGET", name, *counted) for name in names])
        return [sum(map(number_of, counts or ())) for counts in replies]

    async def keep(self, days: int, *, now: float, calendar: Calendar = UTC) -> None:
        """Expire counters `days` days after their day, at once where that is past."""
        # From tomorrow on: it is counted already where the zone was another one further east.
        every = calendar.days_back(calendar.midnight_after(now, 1), MOST_DAYS + 2)
        for part in _parts(every, DAYS_AT_ONCE):
            held = await self._subjects(part)
            pipe = self._redis.pipeline(transaction=False)
            for day in part:
                seconds = seconds_left(day, days, now=now, calendar=calendar)
                for account_id in held["account"][day]:  # kept for 40 days at most
                    pipe.expire(keyspace.usage_models(day, account_id), max(0, seconds), lt=True)
                # Subjects last: while they are there, an interrupted change can be made again.
                for name in _names_of_day(day, {kind: held[kind][day] for kind in KINDS}):
                    if seconds > 0:
                        pipe.expire(name, seconds)
                    else:
                        pipe.unlink(name)
            await ask(pipe.execute)

    async def keep_months(self, days: int, *, now: float, calendar: Calendar = UTC) -> None:
        """Expire the sums of months `days` days after the first of the month."""
        month = calendar.day_of(now)[:7]
        pipe = self._redis.pipeline(transaction=False)
        for _ in range(MOST_MONTHS):
            seconds = seconds_left(f"{month}-01", days, now=now, calendar=calendar)
            for kind in (*KINDS, MODELS_OF_KEYS):
                pipe.expire(keyspace.usage_packed(month, kind), max(1, seconds))
            month = calendar.day_of(calendar.begin_of(f"{month}-01") - 1)[:7]
        await ask(pipe.execute)

    async def series(self, days: Iterable[str]) -> dict[int, Counters]:
        """The pool's counters by begin of five-minute slot, seconds since the epoch."""
        found: dict[int, Counters] = {}
        for day in days:
            begin = int(dt.datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())
            [fields] = await read_each(self._redis, [_read("HGETALL", keyspace.usage_series(day))])
            for field, value in (fields or {}).items():
                slot, _, name = text(field).partition(" ")
                if slot.isdecimal():
                    at = begin + int(slot) * SLOT_SECONDS
                    _set(found.setdefault(at, Counters()), name, value)
        return dict(sorted(found.items()))

    async def _held(
        self, kind: CountedKind, days: Sequence[str], wanted: Sequence[str] | None
    ) -> tuple[dict[str, Sums], dict[str, list[str]]]:
        """By day: the packed counters, and the subjects that have hashes of their own."""
        of = "key" if kind == MODELS_OF_KEYS else kind
        replies = await read_each(self._redis, [*_packed_reads(kind, days), *_set_reads(of, days)])
        packed: dict[str, Sums] = {}
        for day, texts in _wanted_of(kind, days, replies[: len(days)], wanted).items():
            sums = packed[day] = Sums()
            for some in some_of(texts):
                sums |= unpack_all(some)
                await asyncio.sleep(0)
        return packed, _named(days, replies[len(days) :], wanted)

    async def _packed(
        self,
        kind: CountedKind,
        periods: Sequence[str],
        wanted: Sequence[str] | None,
        fields: Sequence[str],
    ) -> dict[str, dict[str, str]]:
        """The packed counters by day or month; of a few, only their fields are read."""
        if not fields:
            replies = await read_each(self._redis, _packed_reads(kind, periods))
            return _wanted_of(kind, periods, replies, wanted)
        names = [keyspace.usage_packed(period, kind) for period in periods]
        values = await read_each(self._redis, [_read("HMGET", name, *fields) for name in names])
        found = [{f: v for f, v in zip(fields, each or (), strict=False) if v} for each in values]
        return _wanted_of(kind, periods, found, wanted)

    async def _fields(
        self, kind: CountedKind, periods: Sequence[str], wanted: Sequence[str] | None
    ) -> list[str]:
        """The fields that packed counters of these subjects may have; empty if that is not known.

        What is counted of a key's model is counted of the model, whether it is packed already or not.
        """
        if not wanted or not periods:
            return []
        if kind != MODELS_OF_KEYS:
            return list(wanted) if len(wanted) <= FIELDS_AT_ONCE else []
        days = [each for p in periods for each in (days_of_month(p) if len(p) == MONTH else [p])]
        models = await self.total("model", days)
        if len(wanted) * len(models) > FIELDS_AT_ONCE:
            return []
        return [f"{key_id} {model}" for key_id in wanted for model in models]

    async def _names(self, kind: str, days: Sequence[str]) -> dict[str, list[str]]:
        """By day: the subjects that have hashes of their own."""
        return _named(days, await read_each(self._redis, _set_reads(kind, days)), None)

    async def _not_packed(self, kind: str, days: Sequence[str]) -> list[str]:
        """The days of which not all is packed."""
        keys = [keyspace.usage_subjects(day, kind) for day in days]
        found = await self._scripts.repeat("existing", keys, []) if keys else []
        return [days[number] for number in found]

    async def _subjects_of(self, kind: str, days: Sequence[str]) -> set[str]:
        """The subjects that have hashes on any of these days."""
        names = [keyspace.usage_subjects(day, kind) for day in days]
        try:
            return set(map(text, await ask(lambda: self._redis.sunion(names))))
        except StoreUnavailable:  # one of them is no set: the others count
            return set().union(*(await self._names(kind, days)).values())

    async def _add_live(
        self, kind: CountedKind, days: Sequence[str], subjects: Sequence[str], totals: Totals
    ) -> None:
        """Add what the hashes of these subjects say of these days; Redis adds up the days."""
        if not days or not subjects:
            return
        before, _, after = _hash_of(kind, "", "").partition("::")
        names = Counters.__struct_fields__
        form = "models" if kind == MODELS_OF_KEYS else "one"
        told = [form, f"{before}:", f":{after}", len(names), *names, len(days), *days]
        key = keyspace.usage_subjects(days[0], "key")
        for part in _parts(subjects, max(1, HASHES_AT_ONCE // len(days))):
            odd, found = await self._scripts.repeat("sum_usage", [key], [*told, *part])
            for name in map(text, odd):
                UNREADABLE.note("usage", _bare(name), "a value of another type")
            if form == "one":
                totals.add(dict(zip(part, map(text, found), strict=True)))
                continue
            for subject, reply in zip(part, found, strict=True):
                models = zip(map(text, reply[::2]), map(text, reply[1::2]), strict=True)
                totals.add({f"{subject} {model}": value for model, value in models})

    async def _live(
        self, kind: CountedKind, names: Mapping[str, Sequence[str]]
    ) -> dict[str, list[tuple[str, str]]]:
        """By day: the packed counters of the hashes of these subjects."""
        one = kind != MODELS_OF_KEYS
        pairs = [(day, subject) for day, subjects in names.items() for subject in subjects]
        make = functools.partial(_hash_of, kind)
        found: dict[str, list[tuple[str, str]]] = {day: [] for day in names}
        for begin in range(0, len(pairs), HASHES_AT_ONCE):
            part = pairs[begin : begin + HASHES_AT_ONCE]
            args = ["one" if one else "models", *Counters.__struct_fields__]
            replies = await self._scripts.repeat("read_usage", [make(*pair) for pair in part], args)
            for (day, subject), reply in zip(part, replies, strict=True):
                if reply == MISTYPED:
                    name = make(day, subject).removeprefix(f"{keyspace.TAG}:")
                    UNREADABLE.note("usage", name, "a value of another type")
                elif one:
                    found[day].append((subject, text(reply)))
                else:
                    models = zip(map(text, reply[::2]), map(text, reply[1::2]), strict=True)
                    found[day] += [(f"{subject} {model}", value) for model, value in models]
        return found

    async def _subjects(self, days: Sequence[str]) -> dict[UsageKind, dict[str, list[str]]]:
        return {kind: await self._names(kind, days) for kind in KINDS}


def _read(command: str, name: str, *fields: str) -> StoredRead:
    return StoredRead("usage", _bare(name), (command, name, *fields))


def _bare(name: str) -> str:
    return name.removeprefix(f"{keyspace.TAG}:")


def _packed_reads(kind: CountedKind, periods: Sequence[str]) -> list[StoredRead]:
    return [_read("HGETALL", keyspace.usage_packed(period, kind)) for period in periods]


def _set_reads(kind: str, days: Sequence[str]) -> list[StoredRead]:
    return [_read("SMEMBERS", keyspace.usage_subjects(day, kind)) for day in days]


def _named(
    days: Sequence[str], replies: Sequence[Any], wanted: Sequence[str] | None
) -> dict[str, list[str]]:
    """The subjects of days, as they were read; only the wanted ones."""
    chosen = None if wanted is None else frozenset(wanted)
    return {
        day: sorted(n for n in map(text, members or ()) if chosen is None or n in chosen)
        for day, members in zip(days, replies, strict=True)
    }


def _wanted_of(
    kind: CountedKind,
    periods: Sequence[str],
    replies: Sequence[Any],
    wanted: Sequence[str] | None,
) -> dict[str, dict[str, str]]:
    """Packed counters of periods by subject, as they were read; only those of the wanted subjects."""
    read = [cast("dict[str, str]", reply or {}) for reply in replies]
    if wanted is not None:
        chosen = frozenset(wanted)
        read = [{s: v for s, v in each.items() if _owner(kind, s) in chosen} for each in read]
    return dict(zip(periods, read, strict=True))


def _owner(kind: CountedKind, subject: str) -> str:
    """Whose counters a subject's are: of `key-model` the key's."""
    return key_and_model(subject)[0] if kind == MODELS_OF_KEYS else subject


def key_and_model(subject: str) -> tuple[str, str]:
    """The key and the model of a subject of `key-model`."""
    key_id, _, model = subject.partition(" ")
    return key_id, model


def _hash_of(kind: CountedKind, day: str, subject: str) -> str:
    """The hash of a subject's counters as the gateways write it."""
    if kind == MODELS_OF_KEYS:
        return keyspace.usage_models(day, subject)
    return keyspace.usage(day, kind, subject)


def _names_of_day(day: str, subjects: Mapping[UsageKind, Sequence[str]]) -> Iterator[str]:
    """Every key of Redis that holds counters of a day."""
    for kind in (*KINDS, MODELS_OF_KEYS):
        yield keyspace.usage_packed(day, kind)
    for kind in KINDS:
        for subject in subjects[kind]:
            yield keyspace.usage(day, kind, subject)
            if kind == "key":
                yield keyspace.usage_models(day, subject)
        yield keyspace.usage_subjects(day, kind)


def _parts(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[begin : begin + size] for begin in range(0, len(items), size))


def _set(counters: Counters, name: str, value: object) -> None:
    """Set one counter, unless another version counts something else under this name."""
    if name in Counters.__struct_fields__:
        setattr(counters, name, number_of(value))


def day_of(at: float) -> str:
    """The day (UTC) a moment belongs to, `2026-11-24`: by these the series are kept."""
    return UTC.day_of(at)


def seconds_left(day: str, days: int, *, now: float, calendar: Calendar = UTC) -> int:
    """Seconds until so many days after a day are over."""
    return calendar.midnight_after(calendar.begin_of(day), days + 1) - int(now)
