"""What the backend sent that this version does not know: events, fields and refusals, by name.

Each name is kept with when it was seen first and last, and never forgotten, so that only what is
really new is news. Bounded: beyond MOST_NAMES no further name is kept.
"""

import re
from collections.abc import Iterable

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.stored_records import read_json

MOST_NAMES = 500
SORTS = ("event", "field", "refusal")
_NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,64}")


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One name."""

    sort: str
    """`event`, `field` or `refusal`."""
    name: str
    first_at: int
    """Seconds since the epoch."""
    last_at: int


class _Times(msgspec.Struct, frozen=True):
    first_at: int
    last_at: int


def drift_name(name: str) -> str:
    """A name as it is kept: what does not look like a name is `other`, as it may be content."""
    return name if _NAME.fullmatch(name) else "other"


class UpstreamDriftStore:
    """Store of what is not known."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<UpstreamDriftStore>"

    async def note(self, seen: Iterable[tuple[str, str]], *, now: int) -> None:
        """Note sorts and names as seen now."""
        fields = [f"{sort} {drift_name(name)}" for sort, name in seen]
        if fields:
            key = operator_keys.upstream_drift()
            await self._scripts.repeat("note_drift", [key], [now, MOST_NAMES, *fields])

    async def all(self) -> list[Drift]:
        """Everything noted, the newest first."""
        kept = await ask(lambda: self._redis.hgetall(operator_keys.upstream_drift()))
        found = []
        for field, body in kept.items():
            sort, _, name = text(field).partition(" ")
            times = read_json(text(body), _Times, kind="upstream drift", name=sort)
            if times is not None and sort in SORTS:
                found.append(
                    Drift(sort=sort, name=name, first_at=times.first_at, last_at=times.last_at)
                )
        return sorted(found, key=lambda each: (-each.first_at, each.sort, each.name))
