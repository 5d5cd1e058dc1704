"""The version of what is stored in Redis, so that processes of two versions do not spoil each other's.

A hash with two numbers: `version`, the newest form that anybody has written, and `least`, the least
version that may run beside it. Every process looks at its start, before it serves: the first one
writes the hash, one of a newer version raises it, and one that is older than `least` does not serve.

Raise SCHEMA when a stored form changes, LEAST when versions before cannot live with it; additions
that older versions pass over (a new field, a new word of an enum) raise neither.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import Scripts, text
from codex_proapi.commons.runtime.errors import SettingsError, StoreUnavailable

SCHEMA = 1
"""The version of the stored forms that this code writes."""
LEAST = 1
"""The least version of code that may run beside them."""
RETRY_SECONDS = 1.0
"""Between two looks while Redis is away."""

log = structlog.get_logger(__name__)


class SchemaTooOld(SettingsError):
    """What is stored needs a newer version than this process."""

    def __init__(self, least: str) -> None:
        sentence = (
            f"This version knows the stored forms up to version {SCHEMA}, but what is in this"
            f" Redis needs version {least} or newer: upgrade this process."
        )
        super().__init__([sentence])


class SchemaVersion:
    """Looks once whether this process may run on what is stored."""

    def __init__(self, redis: Redis, *, schema: int = SCHEMA, least: int = LEAST) -> None:
        self._scripts = Scripts(redis, __package__)
        self._own = (schema, least)
        self.checked = False
        """Whether this process may serve."""

    def __repr__(self) -> str:
        return f"<SchemaVersion {self._own[0]}, checked {self.checked}>"

    async def check(self) -> None:
        """Write or raise the version. Raises SchemaTooOld, or StoreUnavailable while Redis is away."""
        if self.checked:
            return
        allowed, least = await self._scripts.repeat("schema", [keyspace.schema()], self._own)
        if not allowed:
            raise SchemaTooOld(text(least))
        self.checked = True

    async def run(
        self,
        too_old: Callable[[SchemaTooOld], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Check as soon as Redis is there; `too_old` has to end the process."""
        while not self.checked:
            try:
                await self.check()
            except SchemaTooOld as error:
                log.critical("schema.too_old", error=str(error))
                too_old(error)
                return
            except StoreUnavailable:
                await sleep(RETRY_SECONDS)


def end_process(error: SchemaTooOld) -> None:
    """End as at a signal: Redis was away at the start, and needs a newer version than this."""
    del error
    signal.raise_signal(signal.SIGTERM)
