"""Packing: counters of old days become one hash for a day and kind, and are summed up by month.

A day stays as the gateways write it for DETAIL_DAYS, longer than any budget counts back; packed it
takes a third of the memory and one read. Sums of months outlive their days. Each step moves some
counters at once, so who is killed in between is continued by the next one, two at once do each step
once, and what an older version wrote is moved like the rest.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.runtime.stored_records import UNREADABLE
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.commons.usage.counters import (
    KINDS,
    MODELS_OF_KEYS,
    MOST_DAYS,
    UsageKind,
    UsageStore,
    seconds_left,
)
from codex_proapi.commons.usage.sums import Counters

DETAIL_DAYS: Final = 40
"""How long a day stays as it was written: a budget counts back 31 days."""
HASHES_AT_ONCE: Final = 50
"""Hashes moved in one run of the script: a few milliseconds of Redis."""
LONGEST_MONTH: Final = 31


class Retention:
    """How long usage is kept, by day and then by month; None is the default."""

    def __init__(self, *, days: int | None = None, months: int | None = None) -> None:
        self.days = days or keyspace.USAGE_DAYS
        """Days after its day that a day is kept."""
        kept = keyspace.USAGE_MONTHS if months is None else months
        self.month_days = max(kept * LONGEST_MONTH, self.days + LONGEST_MONTH)
        """Days after its first that a month is kept: never shorter than one of its days."""

    def __repr__(self) -> str:
        return f"<Retention of {self.days} days, of months {self.month_days}>"


class UsagePacker:
    """Packs the days that are older than DETAIL_DAYS, or than the retention."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)
        self._usage = UsageStore(redis)

    def __repr__(self) -> str:
        return "<UsagePacker>"

    async def apply(self, retention: Retention, *, now: float, calendar: Calendar) -> None:
        """Make a changed retention hold for all there is: days that are older leave their months."""
        await self.pack(retention, now=now, calendar=calendar)
        await self._usage.keep(retention.days, now=now, calendar=calendar)
        await self._usage.keep_months(retention.month_days, now=now, calendar=calendar)

    async def pack(self, retention: Retention, *, now: float, calendar: Calendar) -> int:
        """Pack the days that are too old to stay as they are; gives how many hashes."""
        after = min(DETAIL_DAYS, retention.days)
        every = calendar.days_back(now, MOST_DAYS + 2)[after:]
        moved = 0
        for day in await self._with_subjects(every):
            seconds = (
                seconds_left(day, retention.days, now=now, calendar=calendar),
                seconds_left(f"{day[:7]}-01", retention.month_days, now=now, calendar=calendar),
            )
            for kind in KINDS:
                moved += await self._pack(day, kind, seconds)
        return moved

    async def _with_subjects(self, days: Sequence[str]) -> list[str]:
        """The days that have hashes which are not packed, the oldest first: they end first."""

        async def read() -> list[int]:
            pipe = self._redis.pipeline(transaction=False)
            for day in days:
                for kind in KINDS:
                    pipe.exists(keyspace.usage_subjects(day, kind))
            return await pipe.execute()

        held = iter(await ask(read))
        counts = [(day, sum(next(held) for _ in KINDS)) for day in days]
        return [day for day, count in reversed(counts) if count]

    async def _pack(self, day: str, kind: UsageKind, seconds: tuple[int, int]) -> int:
        """Pack one kind of a day; a key's models before the key, by whose subject they are found."""
        of_day = keyspace.usage_subjects(day, kind)
        read = StoredRead("usage", of_day.removeprefix(f"{keyspace.TAG}:"), ("SMEMBERS", of_day))
        [members] = await read_each(self._redis, [read])
        subjects = sorted(map(text, members or ()))
        moved = 0
        for begin in range(0, len(subjects), HASHES_AT_ONCE):
            part = subjects[begin : begin + HASHES_AT_ONCE]
            for each, taken_from, hashes in _hashes(day, kind, part):
                names = Counters.__struct_fields__
                form = "models" if each == MODELS_OF_KEYS else "one"
                packed = [keyspace.usage_packed(period, each) for period in (day, day[:7])]
                # Repeated it does nothing more: a hash that was moved is gone.
                done = await self._scripts.repeat(
                    "roll_up_usage",
                    [*packed, taken_from, *hashes],
                    [*seconds, form, len(names), *names, *part],
                )
                if done < 0:
                    UNREADABLE.note("usage", f"{day} {each}", "another Redis type")
                moved += max(0, done)
            await asyncio.sleep(0)
        return moved


def _hashes(
    day: str, kind: UsageKind, subjects: Sequence[str]
) -> Iterator[tuple[str, str, list[str]]]:
    """The packed kinds of these subjects, with the set they are taken from (or none) and hashes."""
    if kind == "key":
        models = [keyspace.usage_models(day, subject) for subject in subjects]
        yield MODELS_OF_KEYS, "", models
    hashes = [keyspace.usage(day, kind, subject) for subject in subjects]
    yield kind, keyspace.usage_subjects(day, kind), hashes
