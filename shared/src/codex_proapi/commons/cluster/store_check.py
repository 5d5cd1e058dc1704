"""Whether this process may run on the stored data: the version of its forms, and its encryption keys.

Checked before a process serves, and every CHECK_SECONDS while it runs: a restored backup may be of
another version, or under other keys, than what was there before.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.cluster.encryption_seal import EncryptionSeal
from codex_proapi.commons.cluster.schema import SchemaVersion
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import StoreRefused, StoreUnavailable

RETRY_SECONDS = 1.0
"""Seconds between two checks while Redis is away."""
CHECK_SECONDS = 60.0
"""Seconds between two checks of a process that serves."""

log = structlog.get_logger(__name__)


class StoreCheck:
    """Checks the stored data on behalf of one process."""

    def __init__(self, redis: Redis, cipher: Cipher) -> None:
        self._schema = SchemaVersion(redis)
        self._seal = EncryptionSeal(redis, cipher)

    def __repr__(self) -> str:
        return "<StoreCheck>"

    async def check(self, *, seal: bool = True) -> None:
        """Raises StoreRefused if this process must not run on the data.

        Args:
            seal: Whether the encryption keys are checked too.

        Raises StoreUnavailable while Redis is away.
        """
        await self._schema.check()
        if seal:
            await self._seal.check()

    async def reseal(self) -> None:
        """Make the first encryption key of this process the one that belongs to the data."""
        await self._seal.write()

    async def run(
        self,
        refused: Callable[[StoreRefused], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Check again and again; returns after `refused`, which has to end the process."""
        while True:
            try:
                await self.check()
                pause = CHECK_SECONDS
            except StoreRefused as error:
                log.critical("store.refused", error=str(error))
                refused(error)
                return
            except StoreUnavailable:
                pause = RETRY_SECONDS
            await sleep(pause)


def end_process(error: StoreRefused) -> None:
    """End the process as on a signal: the data was exchanged, or Redis away at the start."""
    del error
    signal.raise_signal(signal.SIGTERM)
