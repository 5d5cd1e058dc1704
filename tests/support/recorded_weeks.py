"""Weeks of figures in Redis, as gateways leave them: usage by the hour, and windows that fit it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.quota_store import GENERAL, SeenFamily, SeenQuota, SeenWindow
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.calendar import UTC
from codex_proapi.commons.usage.hours import quarters_of
from codex_proapi.commons.usage.sums import Counters
from codex_proapi.console.what_if.replay.records import Tokens
from codex_proapi.console.what_if.replay.week import FIVE_HOURS, WEEKLY

HOUR, DAY = 3600, 86_400
MODEL = "gpt-6-sol"
BUSY = range(8, 20)
"""Hours of a day in which something is asked."""
INPUT, CACHED, OUTPUT = 30_000, 25_500, 700
"""Tokens of a request."""


def counted(requests: int, errors: int = 0) -> Counters:
    """The counters of requests that are all alike."""
    answered = requests - errors
    return Counters(
        requests=requests,
        errors=errors,
        input=answered * INPUT,
        cached=answered * CACHED,
        output=answered * OUTPUT,
    )


async def write_weeks(
    redis: Redis,
    *,
    accounts: Sequence[str],
    keys: Sequence[str],
    now: float,
    hourly: int,
    use: float,
    days: int = 28,
) -> None:
    """Write the figures of some days.

    Args:
        redis: The store.
        accounts: Ids of accounts, which answer alike.
        keys: Ids of keys, which ask alike.
        now: Seconds since the epoch.
        hourly: Requests of each account in a busy hour.
        use: What is asked in a week, as a part of what the accounts hold.
        days: How many.
    """
    pipe = redis.pipeline(transaction=False)
    weekly = 7 * len(BUSY) * hourly
    for day in UTC.days_back(now, days):
        begin = UTC.begin_of(day)
        hours = [begin + hour * HOUR for hour in BUSY if begin + (hour + 1) * HOUR <= now]
        if not hours:
            continue
        whole = _text(counted(hourly * len(accounts)))
        of_model: dict[Any, Any] = {quarters_of(at): whole for at in hours}
        pipe.hset(keyspace.usage(day, "model", MODEL), mapping=of_model)
        pipe.sadd(keyspace.usage_subjects(day, "model"), MODEL)
        for kind, subjects in (("account", accounts), ("key", keys)):
            each = hourly if kind == "account" else max(1, hourly * len(accounts) // len(keys))
            sums = msgspec.to_builtins(counted(each * len(hours)))
            pipe.sadd(keyspace.usage_subjects(day, kind), *subjects)
            for subject in subjects:
                pipe.hset(keyspace.usage(day, kind, subject), mapping=sums)
                of_hours: dict[Any, Any] = {
                    f"{MODEL} {quarters_of(at)}": _text(counted(each)) for at in hours
                }
                pipe.hset(keyspace.usage_models(day, subject), mapping=of_hours)
    one = counted(weekly)
    capacity = Tokens(input=one.input, cached=one.cached, output=one.output).units / use
    for number, account in enumerate(accounts):
        pipe.set(
            keyspace.quota(account), msgspec.json.encode(_quota(number, now, capacity, hourly))
        )
    await pipe.execute()


def _quota(number: int, now: float, capacity: float, hourly: int) -> SeenQuota:
    """What upstream told last: windows end one after the other in the next six days."""
    resets_at = int(now // HOUR * HOUR) + (1 + number % 6) * DAY
    begun = resets_at - WEEKLY * 60
    passed = [
        at
        for day in UTC.days_back(now, 9)
        for at in (UTC.begin_of(day) + hour * HOUR for hour in BUSY)
        if begun <= at and at + HOUR <= now
    ]
    spent = counted(hourly * len(passed))
    units = Tokens(input=spent.input, cached=spent.cached, output=spent.output).units
    windows = (
        SeenWindow(minutes=FIVE_HOURS, used_percent=0.0),
        SeenWindow(
            minutes=WEEKLY,
            used_percent=float(min(100, int(100 * units / capacity))),
            resets_at=resets_at,
        ),
    )
    family = SeenFamily(id=GENERAL, windows=windows, seen_at=now)
    return SeenQuota(seen_at=now, families=(family,))


def _text(counters: Counters) -> str:
    return " ".join(str(getattr(counters, name)) for name in counters.__struct_fields__)
