"""Ends the running exchanges of revoked API keys.

New requests are checked against the keys' version in each snapshot, but a running stream reads no
snapshot, so the version is polled here. Exchanges of keys that merely expire run to their end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.errors import BadKey
from codex_proapi.gateway.server.in_flight import InFlight

CHECK_SECONDS: Final = 1.0
"""Seconds between two checks: a revocation has to take effect within two seconds."""

log = structlog.get_logger(__name__)


class KeptForKeys(Protocol):
    """What is kept for keys between their requests."""

    def key_ids(self) -> set[str]:
        """Ids of the keys for which something is kept."""
        raise NotImplementedError

    def end_key(self, key_id: str) -> None:
        """Drop what is kept for one key."""


class RevocationWatcher:
    """Polls the keys' version and interrupts exchanges whose key was revoked.

    Args:
        keys: the stored keys.
        authenticator: is told of the version.
        in_flight: the exchanges.
        kept: what else a revoked key loses.
    """

    def __init__(
        self,
        keys: KeyStore,
        *,
        authenticator: Authenticator,
        in_flight: InFlight,
        kept: KeptForKeys | None = None,
    ) -> None:
        self._keys = keys
        self._kept = kept
        self._authenticator = authenticator
        self._in_flight = in_flight
        self._seen = -1

    def __repr__(self) -> str:
        return f"<RevocationWatcher up to version {self._seen}>"

    async def check(self) -> None:
        """Check once. Raises StoreUnavailable."""
        version = await self._keys.version()
        if version == self._seen:
            return
        self._authenticator.see(version)
        kept = self._kept.key_ids() if self._kept is not None else set()
        for key_id in self._in_flight.key_ids() | kept:
            key = await self._keys.get(key_id)
            if key is not None and not key.revoked:
                continue
            self._in_flight.end(key_id, BadKey("This API key has been revoked."))
            if self._kept is not None:
                self._kept.end_key(key_id)
        self._seen = version

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Check until cancelled."""
        while True:
            try:
                await self.check()
            except StoreUnavailable as error:
                log.debug("revocations.waited", error=str(error))
            await sleep(CHECK_SECONDS)
