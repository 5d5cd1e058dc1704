"""Usage by the hour, of the days that are not packed yet: the last 40.

A day's hash has its hours beside its sums, each as one field with packed counters; packing the day
drops them. Fields name the hour's begin, so another time zone changes no hour that was counted.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.runtime.stored_records import UNREADABLE
from codex_proapi.commons.usage.sums import MISTYPED, Sums, UsageKind, add_packed

QUARTER = 900
"""Seconds: hours begin at a quarter of one, also in zones that are off by such."""
HASHES_AT_ONCE = 250
"""Hashes read in one run of the script."""


def quarters_of(begin: int) -> str:
    """The name of an hour in a hash: `h` and the quarters of hours since the epoch at its begin."""
    return f"h{begin // QUARTER}"


class HourStore:
    """Reads usage by the hour."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<HourStore>"

    async def each_hour(
        self, kind: UsageKind, days: Iterable[str], *, subjects: Sequence[str] | None = None
    ) -> AsyncIterator[tuple[int, Sums]]:
        """Hours in which something was counted, in their order within each day.

        Gives the hour's begin (seconds since the epoch) and its counters: by model, or by `key model` or
        `account model`.

        Args:
            kind: What is counted.
            days: Days, `2026-11-24`.
            subjects: Only these; None is all.
        """
        for day in days:
            found: dict[int, Sums] = {}
            names = await self._subjects(day, kind, subjects)
            for begin in range(0, len(names), HASHES_AT_ONCE):
                part = names[begin : begin + HASHES_AT_ONCE]
                for subject, flat in await self._read(day, kind, part):
                    for quarters, model, packed in zip(*[iter(map(text, flat))] * 3, strict=True):
                        name = subject if kind == "model" else f"{subject} {model}"
                        at = int(quarters) * QUARTER
                        add_packed(found.setdefault(at, {}), name, packed)
                await asyncio.sleep(0)
            for at in sorted(found):
                yield at, found[at]
                await asyncio.sleep(0)  # others are served between two hours

    async def _subjects(
        self, day: str, kind: UsageKind, wanted: Sequence[str] | None
    ) -> Sequence[str]:
        """Those of a day that are wanted."""
        name = keyspace.usage_subjects(day, kind)
        read = StoredRead("usage", _bare(name), ("SMEMBERS", name))
        [members] = await read_each(self._redis, [read])
        found = sorted(map(text, members or ()))
        return found if wanted is None else [each for each in found if each in wanted]

    async def _read(
        self, day: str, kind: UsageKind, subjects: Sequence[str]
    ) -> Sequence[tuple[str, Sequence[Any]]]:
        """What the script gives of each of these subjects."""
        form = "one" if kind == "model" else "models"
        names = [
            keyspace.usage(day, kind, each) if form == "one" else keyspace.usage_models(day, each)
            for each in subjects
        ]
        replies = await self._scripts.repeat("read_usage_hours", names, [form])
        found = []
        for subject, name, reply in zip(subjects, names, replies, strict=True):
            if reply == MISTYPED:
                UNREADABLE.note("usage", _bare(name), "a value of another type")
            else:
                found.append((subject, reply))
        return found


def _bare(name: str) -> str:
    return name.removeprefix(f"{keyspace.TAG}:")
