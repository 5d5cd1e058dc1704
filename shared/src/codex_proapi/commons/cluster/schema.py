"""The version of the stored forms in Redis: incompatible releases do not run together.

A hash with two numbers: `version`, the newest form that was written, and `least`, the least version
that may run beside it. Every process checks it before it serves: the first one writes the hash, one
of a newer version raises it, and one older than `least` does not serve.

Raise SCHEMA when a stored form changes, LEAST when earlier versions cannot read it; additions that
older versions ignore (a new field, a new word of an enum) raise neither.
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
"""Seconds between two checks while Redis is away."""

log = structlog.get_logger(__name__)


class SchemaTooOld(SettingsError):
    """The stored forms need a newer version than this process."""

    def __init__(self, least: str) -> None:
        sentence = (
            f"This version knows the stored forms up to version {SCHEMA}, but what is in this"
            f" Redis needs version {least} or newer: upgrade this process."
        )
        super().__init__([sentence])


class SchemaVersion:
    """Checks once whether this process may run on the stored forms."""

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
        """Check as soon as Redis answers; `too_old` has to end the process."""
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
    """End the process as on a signal: the check failed after Redis had been away at the start."""
    del error
    signal.raise_signal(signal.SIGTERM)
