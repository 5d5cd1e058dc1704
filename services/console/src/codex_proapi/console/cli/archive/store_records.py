"""Reads everything lasting from Redis, and counts it."""

import functools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
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
        *("alert-destinations", "upstream-drift", "prices"),
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
        *("foreign", "probe", "egress", "egress-probe", "slots", "queue", "wakes", "fair-shares"),
        *(
            "quota-poll",
            "catalogue-poll",
            "catalogue-rows",
            "minute-requests",
            "minute-tokens",
            "streams",
        ),
        *("response", "response-item", "responses", "stored-responses", "response-sizes"),
        *("settled", "stored", "stored-times", "stored-bytes"),
        *("restore", "restoring"),
        *("cleared-logs", "login", "login-outcome", "login-poll", "session", "sessions"),
        *("attempts", "sign-in-link", "replicas", "replica"),
        *("alerts", "alert-deliveries", "alert-outcomes", "alert-lock", "last-backup"),
    }
)
"""Names of what it leaves out: it means nothing elsewhere, is over soon, or is made again."""
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


async def lasting_records(redis: Redis) -> AsyncIterator[Record]:
    """Everything a backup has, key by key."""
    async for name in _names(redis):
        kind = text(await ask(functools.partial(redis.type, name)))
        left = int(await ask(functools.partial(redis.pttl, name)))
        async for value in _values(redis, name, kind):
            yield Record(
                name=name.removeprefix(PREFIX),
                kind=kind,
                value=value,
                milliseconds=max(0, left),
            )


async def contents(redis: Redis) -> dict[str, int]:
    """What of ours a Redis holds that a restore would take away: accounts, API keys, days of usage."""
    prefix = f"{PREFIX}usage-subjects:"
    days = {
        name.removeprefix(prefix).partition(":")[0] async for name in names_below(redis, prefix)
    }
    held = {
        "accounts": int(await ask(lambda: redis.scard(keyspace.accounts()))),
        "API keys": int(await ask(lambda: redis.scard(keyspace.keys()))),
        "days of usage": len(days),
    }
    return {what: count for what, count in held.items() if count}


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
        async for found in redis.scan_iter(match=f"{prefix}*", count=500):
            yield text(found)


async def _names(redis: Redis) -> AsyncIterator[str]:
    """The names of everything lasting."""
    seen: set[str] = set()  # SCAN may give a name twice
    async for name in names_below(redis, PREFIX):
        if kind_of(name.removeprefix(PREFIX)) in LASTING and name not in seen:
            seen.add(name)
            yield name


async def _values(redis: Redis, name: str, kind: str) -> AsyncIterator[Any]:
    """The value of a key; of a stream in parts, oldest first. Nothing if it is gone meanwhile."""
    if kind != "stream":
        read = _READERS.get(kind)
        value = await read(redis, name) if read else None
        if value:
            yield value
        return
    after = "-"
    while part := await ask(functools.partial(redis.xrange, name, after, "+", STREAM_PART)):
        yield [[text(entry_id), dict(fields or {})] for entry_id, fields in part]
        after = f"({text(part[-1][0])}"


async def _string(redis: Redis, name: str) -> Any:
    value = await ask(lambda: redis.get(name))
    return None if value is None else text(value)


async def _hash(redis: Redis, name: str) -> Any:
    fields: Any = await ask(lambda: redis.hgetall(name))
    return dict(fields)


async def _set(redis: Redis, name: str) -> Any:
    return sorted(map(text, await ask(lambda: redis.smembers(name))))


async def _sorted_set(redis: Redis, name: str) -> Any:
    rows: Any = await ask(lambda: redis.zrange(name, 0, -1, withscores=True))
    return [[text(member), score] for member, score in rows]


_READERS: Mapping[str, Callable[[Redis, str], Awaitable[Any]]] = {
    "string": _string,
    "hash": _hash,
    "set": _set,
    "zset": _sorted_set,
}
