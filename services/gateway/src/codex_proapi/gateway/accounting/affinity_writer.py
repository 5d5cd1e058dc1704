"""Writes ties of conversations (by fingerprint) to accounts in Redis; snapshots read them.

A tie is tentative from the selection of an account until that account's answer commits.
"""

from typing import Final

from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped

TENTATIVE: Final = "~"
"""Prefix of the account id of a tentative tie."""


class AffinityWriter:
    """Writes ties."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def __repr__(self) -> str:
        return "<AffinityWriter>"

    async def tie(self, accounts: dict[str, str]) -> None:
        """Tie conversations (by fingerprint) to accounts that have answered. Raises StoreUnavailable."""
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for fingerprint, account_id in accounts.items():
                key = keyspace.affinity(fingerprint)
                pipe.set(key, account_id, ex=keyspace.AFFINITY_SECONDS)
            await pipe.execute()

    async def tie_tentatively(self, accounts: dict[str, str]) -> None:
        """Tie conversations without an account to the one just selected. Raises StoreUnavailable."""
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for fingerprint, account_id in accounts.items():
                key = keyspace.affinity(fingerprint)
                pipe.set(key, TENTATIVE + account_id, ex=keyspace.PROMISE_SECONDS, nx=True)
            await pipe.execute()
