"""Reads what the log and the counters have of one key."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.api_keys.budgets import (
    NOTHING,
    Budget,
    budgets_of,
    days_counted,
    spent_in,
)
from codex_proapi.commons.api_keys.limits import Unit
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.prices.list_prices import Price
from codex_proapi.commons.prices.price_table import costs_of_days
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import text
from codex_proapi.commons.redis.stored_reads import StoredRead, read_each
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.commons.usage.counters import UsageStore, key_and_model
from codex_proapi.commons.usage.exchange_record import ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogRow, LogStream, decode_row
from codex_proapi.console.holders.windows import HourOfModel

ROWS_AT_ONCE = 500
"""Rows of the log read in one round trip."""
MINUTE = 60
MOST_ROWS = 20_000
"""Rows looked through for one page."""
DAYS = 9
"""Days whose hours hold the longest window, in every time zone."""


class KeyLog(NamedTuple):
    """The requests of a key in the log."""

    records: Sequence[ExchangeRecord]
    """The newest first."""
    reaches_to: float
    """Since when they are all there, seconds since the epoch."""


class MinuteUse(NamedTuple):
    """What counts against a key's limits just now."""

    requests: int
    """In the last minute."""
    tokens: int
    """In the last minute, those under way estimated."""
    streams: int
    """Requests under way."""


class KeyRecords:
    """Reads one key's requests and hours; of several pages at a time one reads the log."""

    def __init__(self, redis: Redis, logs: LogStream, usage: UsageStore) -> None:
        self._redis = redis
        self._logs = logs
        self._usage = usage
        self._reading = asyncio.Lock()

    def __repr__(self) -> str:
        return "<KeyRecords>"

    async def log(self, key_id: str, *, since: float) -> KeyLog:
        """The requests of a key since then, as far back as the log reaches.

        Args:
            key_id: The key.
            since: Seconds since the epoch.
        """
        mark = msgspec.json.encode(key_id).decode()
        found: list[ExchangeRecord] = []
        before, scanned, reached = "+", 0, float("inf")
        async with self._reading:
            while scanned < MOST_ROWS and reached > since:
                rows = await self._logs.rows(before=before, count=ROWS_AT_ONCE)
                found += [record for row in rows if (record := _record(row, key_id, mark))]
                scanned += len(rows)
                if rows:
                    before = rows[-1].id
                    reached = int(before.partition("-")[0]) / 1000
                if len(rows) < ROWS_AT_ONCE:
                    break
        reaches_to = max(since, reached)
        found.sort(key=lambda record: -record.at)
        return KeyLog([record for record in found if record.at >= since], reaches_to)

    async def request(self, key_id: str, request_id: str) -> ExchangeRecord | None:
        """One request of the key; None if the log has none (any more), or it is another key's."""
        found = await self._logs.of_request(request_id)
        record = found.entry.exchange if found is not None else None
        return record if record is not None and record.key_id == key_id else None

    async def minute(self, key_id: str, *, now: float) -> MinuteUse:
        """What a key with limits has under way, and had in the last minute."""
        reads = [
            StoredRead("usage", key_id, command)
            for command in (
                ("ZCOUNT", keyspace.minute_requests(key_id), str(now - MINUTE), "+inf"),
                ("HGETALL", keyspace.minute_tokens(key_id)),
                ("ZCOUNT", keyspace.streams(key_id), str(now), "+inf"),
            )
        ]
        requests, seconds, streams = await read_each(self._redis, reads)
        # A second's tokens stand under its number; one with a plus is when the last were charged.
        tokens = sum(
            int(count)
            for second, count in (seconds or {}).items()
            if text(second).isdecimal() and int(second) > now - MINUTE
        )
        return MinuteUse(requests=requests or 0, tokens=max(0, tokens), streams=streams or 0)

    async def budgets(
        self, key: ApiKey, *, prices: Mapping[str, Price], calendar: Calendar, now: float
    ) -> tuple[Budget, ...]:
        """The key's budgets and what is used of them."""
        days = days_counted(key.limits, now, calendar)
        if not days:
            return ()
        spent = spent_in(await self._usage.tokens(key.id, days), key.limits, now, calendar)
        cost = NOTHING
        if key.limits.priced:
            by_day = await self._usage.read_models([key.id], days)
            counts = costs_of_days(by_day, days, prices)
            cost = spent_in(counts, key.limits, now, calendar, unit=Unit.MICRO_USD)
        return budgets_of(key.limits, spent, now, calendar, cost=cost)

    async def hours(self, key_id: str, *, calendar: Calendar, now: float) -> list[HourOfModel]:
        """What the key used by hour and model, of the last DAYS days."""
        days = calendar.days_back(now, DAYS)
        return [
            (begin, key_and_model(subject)[1], counters)
            async for begin, sums in self._usage.hours.each_hour("key", days, subjects=[key_id])
            for subject, counters in sums.items()
        ]


def _record(row: LogRow, key_id: str, mark: str) -> ExchangeRecord | None:
    """The request of a row; None if it is another key's. Rows without its id are not decoded."""
    if mark not in row.body:
        return None
    stored = decode_row(row)
    record = stored.entry.exchange if stored is not None else None
    return record if record is not None and record.key_id == key_id else None
