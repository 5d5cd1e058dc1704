"""Reads everything lasting from Redis, and counts it."""

import functools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.console.cli.archive.file_format import Record

LASTING = frozenset(
    {
        *("accounts", "accounts-version", "account", "credential", "refused-grant", "cooldowns"),
        "cooldowns-version",
        *("quota", "catalogue", "keys", "keys-version", "key", "key-digest"),
        *(
            "usage",
            "usage-subjects",
            "usage-models",
            "usage-packed",
            "usage-series",
            "logs",
            "settings",
            "audit",
        ),
        *("admin", "admin-token", "admin-tokens"),
        *("alert-destinations", "upstream-drift", "prices", "owners"),
        "reset-redemptions",
    }
)
"""Names (up to the first colon) of what a backup has."""
PASSING = frozenset(
    {
        *(
            "schema",
            "seal",
            "usage-roll-up",
            "refresh-lock",
            "refresh-pause",
            "faults",
            "cursor",
            "affinity",
        ),
        *(
            "foreign",
            "probe",
            "egress",
            "egress-probe",
            "slots",
            "slot-counts",
            "slot-holders",
            "queue",
            "wakes",
            "fair-shares",
        ),
        *(
            "quota-poll",
            "quota-changes",
            "catalogue-poll",
            "catalogue-rows",
            "minute-requests",
            "minute-tokens",
            "streams",
        ),
        *("response", "response-item", "responses", "stored-responses", "response-sizes"),
        *("settled", "stored", "stored-times", "stored-bytes"),
        *("restore", "restore-plan", "restoring"),
        *(
            "cleared-logs",
            "log-index",
            "login",
            "login-outcome",
            "login-poll",
            "session",
            "sessions",
        ),
        *("attempts", "key-session", "key-costs", "sign-in-link", "replicas", "replica"),
        "saved-resets",
        *("alerts", "alert-deliveries", "alert-outcomes", "alert-lock", "last-backup"),
        "owner-access",
    }
)
"""Names of what it leaves out: it means nothing elsewhere, is over soon, or is made again."""
DASHES_OF_DAY = 2
"""In `2026-11-24`; a month has one."""
STREAM_PART = 1000
"""Entries of a stream in one record."""
BATCH = 200
"""Commands in one round trip."""
PREFIX = f"{keyspace.TAG}:"
"""What all names of ours begin with."""
VERSIONS = ("accounts-version", "keys-version", "cooldowns-version")
"""Counters of changes: they only ever rise, so that running replicas read everything anew."""
BRIEF = 600_000
"""Milliseconds: what has no longer to live may be over before it is looked for again."""
_Read = Callable[[Pipeline, str], None]
"""Puts a read of one key into a pipeline."""


async def lasting_records(redis: Redis) -> AsyncIterator[Record]:
    """Everything a backup has, key by key.

    Two round trips read `BATCH` keys, and one more each `STREAM_PART` entries of a stream.
    """
    batch: list[str] = []
    async for name in _names(redis):
        batch.append(name)
        if len(batch) == BATCH:
            async for record in _records(redis, batch):
                yield record
            batch = []
    async for record in _records(redis, batch):
        yield record


async def contents(redis: Redis) -> dict[str, int]:
    """What of ours a Redis holds that a restore would take away, by the name of one of it.

    Not what every start writes by itself: settings, log, audit, the administrator.
    """
    days, months = await _periods(redis)
    counts: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("account", lambda: redis.scard(keyspace.accounts())),
        ("API key", lambda: redis.scard(keyspace.keys())),
        ("admin token", lambda: redis.scard(keyspace.admin_tokens())),
        ("alert destination", lambda: redis.hlen(operator_keys.alert_destinations())),
        ("price", lambda: redis.hlen(operator_keys.prices())),
        ("owner", lambda: redis.hlen(operator_keys.owners())),
    )
    held = {what: int(await ask(count)) for what, count in counts}
    held |= {"day of usage": len(days), "month of usage": len(months)}
    return {what: count for what, count in held.items() if count}


async def _periods(redis: Redis) -> tuple[set[str], set[str]]:
    """The days that have usage, packed or not, and the months of which only sums are left."""
    periods: set[str] = set()
    for kind in ("usage-subjects", "usage-packed"):
        prefix = f"{PREFIX}{kind}:"
        async for name in names_below(redis, prefix):
            periods.add(name.removeprefix(prefix).partition(":")[0])
    days = {period for period in periods if period.count("-") == DASHES_OF_DAY}
    return days, periods - days - {day[: len("2026-11")] for day in days}


def tally(records: Iterable[Record]) -> Counter[str]:
    """How many keys of each kind of name, and entries of each stream and set, there are.

    Without what ends within minutes, and without counters of changes.
    """
    found: Counter[str] = Counter()
    for record in records:
        kind = kind_of(record.name)
        if kind in LASTING and kind not in VERSIONS and not 0 < record.milliseconds < BRIEF:
            many = record.kind in {"stream", "set"}
            found[kind] += len(record.value) if many else 1
    return found


async def shortfall(redis: Redis, expected: Counter[str]) -> dict[str, tuple[int, int]]:
    """Where a Redis holds less than was written: by kind of name, what is there and what should be.

    More is no fault: whoever serves already goes on writing.
    """
    found: Counter[str] = Counter()
    async for record in lasting_records(redis):
        found += tally([record])
    return {kind: (found[kind], count) for kind, count in expected.items() if found[kind] < count}


def kind_of(name: str) -> str:
    """A name up to its first colon."""
    return name.partition(":")[0]


async def lasting_names(redis: Redis) -> AsyncIterator[str]:
    """Full names of everything lasting but the counters of changes."""
    async for name in _names(redis):
        if name.removeprefix(PREFIX) not in VERSIONS:
            yield name


async def names_below(redis: Redis, prefix: str) -> AsyncIterator[str]:
    """Full names that begin like this; one may come twice."""
    with mapped():
        async for found in redis.scan_iter(match=f"{prefix}*", count=1000):
            yield text(found)


async def _names(redis: Redis) -> AsyncIterator[str]:
    """The names of everything lasting."""
    seen: set[str] = set()  # SCAN may give a name twice
    async for name in names_below(redis, PREFIX):
        if kind_of(name.removeprefix(PREFIX)) in LASTING and name not in seen:
            seen.add(name)
            yield name


async def _records(redis: Redis, names: Sequence[str]) -> AsyncIterator[Record]:
    """The records of some keys; none of one that is gone meanwhile. A stream comes in parts."""
    told = await _replies(redis, [(ask_for, name) for name in names for ask_for in (_type, _pttl)])
    kinds = dict(zip(names, map(text, told[::2]), strict=True))
    whole = [name for name in names if kinds[name] in _READERS]
    read = await _replies(redis, [(_READERS[kinds[name]], name) for name in whole])
    values = dict(zip(whole, read, strict=True))
    for name, left in zip(names, told[1::2], strict=True):
        async for value in _parts(redis, name, kinds[name], values.get(name)):
            yield Record(
                name=name.removeprefix(PREFIX),
                kind=kinds[name],
                value=value,
                milliseconds=max(0, int(left)),
            )


async def _parts(redis: Redis, name: str, kind: str, whole: Any) -> AsyncIterator[Any]:
    """The value of a key as a record has it; of a stream in parts, oldest first."""
    if whole:
        yield _SHAPES[kind](whole)
    if kind != "stream":
        return
    after = "-"
    while part := await ask(functools.partial(redis.xrange, name, after, "+", STREAM_PART)):
        yield [[text(entry_id), dict(fields or {})] for entry_id, fields in part]
        after = f"({text(part[-1][0])}"


async def _replies(redis: Redis, reads: Sequence[tuple[_Read, str]]) -> Sequence[Any]:
    """The replies to some reads of one key each, in one round trip."""

    async def together() -> Sequence[Any]:
        pipe = redis.pipeline(transaction=False)
        for read, name in reads:
            read(pipe, name)
        replies: Sequence[Any] = await pipe.execute()
        return replies

    return await ask(together) if reads else []


def _type(pipe: Pipeline, name: str) -> None:
    pipe.type(name)


def _pttl(pipe: Pipeline, name: str) -> None:
    pipe.pttl(name)


def _string(pipe: Pipeline, name: str) -> None:
    pipe.get(name)


def _hash(pipe: Pipeline, name: str) -> None:
    pipe.hgetall(name)


def _set(pipe: Pipeline, name: str) -> None:
    pipe.smembers(name)


def _sorted_set(pipe: Pipeline, name: str) -> None:
    pipe.zrange(name, 0, -1, withscores=True)


_READERS: Mapping[str, _Read] = {
    "string": _string,
    "hash": _hash,
    "set": _set,
    "zset": _sorted_set,
}
_SHAPES: Mapping[str, Callable[[Any], Any]] = {
    "string": text,
    "hash": dict,
    "set": lambda members: sorted(map(text, members)),
    "zset": lambda rows: [[text(member), score] for member, score in rows],
}
"""How a record has what Redis replied, by the key's type."""
