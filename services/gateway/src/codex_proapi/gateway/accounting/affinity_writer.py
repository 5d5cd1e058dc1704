"""Writes ties of conversations (by fingerprint) to accounts in Redis; snapshots read them.

A tie is tentative from the selection of an account until that account's answer commits.
"""

from typing import Final

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection
from codex_proapi.commons.redis.scripts import Scripts

TENTATIVE: Final = "~"
"""Prefix of the account id of a tentative tie."""


class AffinityWriter:
    """Writes ties."""

    def __init__(self, redis: Redis, *, connection: MultiplexedConnection | None = None) -> None:
        self._scripts = Scripts(redis, __package__, connection=connection)

    def __repr__(self) -> str:
        return "<AffinityWriter>"

    async def tie(self, fingerprints: dict[str, str]) -> None:
        """Tie conversations (by fingerprint) to accounts that have answered. Raises StoreUnavailable."""
        keys = list(map(keyspace.affinity, fingerprints))
        args = [keyspace.AFFINITY_SECONDS, "", *fingerprints.values()]
        await self._scripts.repeat("tie_conversations", keys, args)

    async def tie_tentatively(self, fingerprints: dict[str, str]) -> None:
        """Tie conversations without an account to the one just selected. Raises StoreUnavailable."""
        keys = list(map(keyspace.affinity, fingerprints))
        args = [keyspace.PROMISE_SECONDS, TENTATIVE, *fingerprints.values()]
        await self._scripts.repeat("tie_conversations", keys, args)
