"""Reads everything lasting from Redis, and writes it into another one."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.runtime.errors import CredentialUnavailable
from codex_proapi.console.cli.archive.file_format import Record

LASTING = frozenset(
    {
        *("accounts", "accounts-version", "account", "credential", "refused-grant", "cooldowns"),
        "cooldowns-version",
        *("quota", "catalogue", "keys", "keys-version", "key", "key-digest"),
        *("usage", "usage-subjects", "usage-models", "usage-series", "logs", "settings", "audit"),
        *("admin", "admin-token", "admin-tokens"),
    }
)
"""Names (up to the first colon) of what a backup has."""
PASSING = frozenset(
    {
        *("schema", "seal", "refresh-lock", "refresh-pause", "faults", "cursor", "affinity"),
        *("foreign", "probe", "egress", "egress-probe", "slots", "queue", "wakes", "fair-shares"),
        *("quota-poll", "catalogue-poll", "minute-requests", "minute-tokens", "streams"),
        *("response", "response-item", "responses", "stored-responses", "response-sizes"),
        *("settled", "stored", "stored-times", "stored-bytes"),
        *("cleared-logs", "login", "login-outcome", "login-poll", "session", "sessions"),
        *("attempts", "sign-in-link", "replicas", "replica"),
    }
)
"""Names of what it leaves out: it means nothing elsewhere, is over soon, or is made again."""
STREAM_PART = 1000
"""Entries of a stream in one record."""
BATCH = 200
"""Commands in one round trip."""
_PREFIX = f"{keyspace.TAG}:"
_VERSIONS = ("accounts-version", "keys-version", "cooldowns-version")


async def lasting_records(redis: Redis) -> AsyncIterator[Record]:
    """Everything a backup has, key by key."""
    async for name in _names(redis):
        kind = text(await ask(functools.partial(redis.type, name)))
        left = int(await ask(functools.partial(redis.pttl, name)))
        async for value in _values(redis, name, kind):
            yield Record(
                name=name.removeprefix(_PREFIX),
                kind=kind,
                value=value,
                milliseconds=max(0, left),
            )


async def is_empty(redis: Redis) -> bool:
    """Whether a Redis has neither accounts nor API keys of ours."""
    names = (keyspace.accounts(), keyspace.keys())
    return not int(await ask(lambda: redis.exists(*names)))


async def clear(redis: Redis) -> None:
    """Delete everything a backup would have, before one takes its place."""
    names = [name async for name in _names(redis) if not name.endswith(_VERSIONS)]
    with mapped():
        for begin in range(0, len(names), BATCH):
            await redis.delete(*names[begin : begin + BATCH])


async def restore(
    redis: Redis,
    records: Iterable[Record],
    *,
    source: CredentialCipher,
    target: CredentialCipher,
) -> int:
    """Write records; returns how many credentials none of the source's keys opens.

    Credentials are encrypted again under the target's first key. The counters of changes end above
    both what was there and what is restored, so that running replicas read everything anew.
    """
    locked = 0
    pending: list[tuple[str, ...]] = []
    for record in records:
        if record.name.partition(":")[0] not in LASTING or record.name in _VERSIONS:
            continue
        value = record.value
        if record.name.startswith("credential:"):
            value, opened = _resealed(record, source=source, target=target)
            locked += not opened
        pending += _commands(_PREFIX + record.name, record.kind, value, record.milliseconds)
        if len(pending) >= BATCH:
            await _send(redis, pending)
            pending = []
    await _send(redis, pending)
    with mapped():
        for name in _VERSIONS:
            raised = [int(r.value) for r in records if r.name == name and str(r.value).isdecimal()]
            await redis.incrby(_PREFIX + name, max(raised, default=0) + 1)
    return locked


def _resealed(
    record: Record, *, source: CredentialCipher, target: CredentialCipher
) -> tuple[Any, bool]:
    """A credential's hash under the target's first key, and whether that was possible."""
    account_id = record.name.removeprefix("credential:")
    sealed = str(record.value.get("sealed", "")).encode()
    try:
        source.reseal(sealed, account_id)  # refuses one that is not this account's
    except CredentialUnavailable:
        return record.value, False
    plain = source.open_bytes(sealed) or b""
    return record.value | {"sealed": target.seal_bytes(plain).decode()}, True


def _commands(name: str, kind: str, value: Any, milliseconds: int) -> Sequence[tuple[str, ...]]:
    """The commands that write one record."""
    match kind:
        case "string":
            made: list[tuple[str, ...]] = [("SET", name, str(value))]
        case "hash":
            made = [("HSET", name, *(str(part) for pair in value.items() for part in pair))]
        case "set":
            made = [("SADD", name, *map(str, value))]
        case "zset":
            made = [("ZADD", name, *(str(part) for member, at in value for part in (at, member)))]
        case "stream":
            made = [
                ("XADD", name, entry_id, *(str(part) for pair in fields.items() for part in pair))
                for entry_id, fields in value
            ]
        case _:
            return []
    return [*made, ("PEXPIRE", name, str(milliseconds))] if milliseconds else made


async def _send(redis: Redis, commands: Sequence[tuple[str, ...]]) -> None:
    if not commands:
        return
    with mapped():
        pipe = redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        await pipe.execute()


async def _names(redis: Redis) -> AsyncIterator[str]:
    """The names of everything lasting."""
    seen: set[str] = set()  # SCAN may give a name twice
    with mapped():
        async for found in redis.scan_iter(match=f"{_PREFIX}*", count=500):
            name = text(found)
            kind = name.removeprefix(_PREFIX).partition(":")[0]
            if kind in LASTING and name not in seen:
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
