"""The version of the stored forms in Redis: incompatible releases do not run together.

A hash with two numbers: `version`, the newest form that was written, and `least`, the least version
that may run beside it. Every process checks it before it serves: the first one writes the hash, one
of a newer version raises it, and one older than `least` does not serve.

Raise SCHEMA when a stored form changes, LEAST when earlier versions cannot read it; additions that
older versions ignore (a new field, a new word of an enum) raise neither.
"""

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.errors import StoreRefused

SCHEMA = 1
"""The version of the stored forms that this code writes."""
LEAST = 1
"""The least version of code that may run beside them."""


class SchemaTooOld(StoreRefused):
    """The stored forms need a newer version than this process."""

    def __init__(self, least: str) -> None:
        sentence = (
            f"This version knows the stored forms up to version {SCHEMA}, but what is in this"
            f" Redis needs version {least} or newer: upgrade this process."
        )
        super().__init__([sentence])


class SchemaVersion:
    """Checks whether this process may run on the stored forms."""

    def __init__(self, redis: Redis, *, schema: int = SCHEMA, least: int = LEAST) -> None:
        self._scripts = Scripts(redis, __package__)
        self._own = (schema, least)

    def __repr__(self) -> str:
        return f"<SchemaVersion {self._own[0]}>"

    async def check(self) -> None:
        """Write or raise the version. Raises SchemaTooOld, or StoreUnavailable while Redis is away."""
        allowed, least = await self._scripts.repeat("check_schema", [keyspace.schema()], self._own)
        if not allowed:
            raise SchemaTooOld(text(least))
