"""The ledger's writer for Redis: passes each kind of entry to its store."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from redis.asyncio import Redis

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.redis.multiplexed import MultiplexedConnection
from codex_proapi.commons.usage.log_stream import LogEntry, LogStream
from codex_proapi.gateway.accounting.affinity_writer import AffinityWriter
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

FOREIGN_SECONDS: Final = keyspace.DAY
"""Lifetime of a conversation's digests of unreadable encrypted items."""


class RedisWriter:
    """Writes the ledger's entries to Redis; a `LedgerWriter`."""

    def __init__(
        self,
        redis: Redis,
        *,
        settlements: SettlementWriter,
        cooldowns: CooldownStore,
        connection: MultiplexedConnection | None = None,
    ) -> None:
        self._redis = redis
        self.add = settlements.add
        """Counts settled exchanges and appends them to the log stream, each id once."""
        ties = AffinityWriter(redis, connection=connection)
        self.tie = ties.tie
        """Ties conversations to the accounts that answered them."""
        self.tie_tentatively = ties.tie_tentatively
        """Ties conversations without an account tentatively to the one just selected."""
        self._cooldowns = cooldowns
        self._logs = LogStream(redis)

    def __repr__(self) -> str:
        return "<RedisWriter>"

    async def mark_unreadable(self, digests: Mapping[str, Iterable[str]]) -> None:
        """Store digests of unreadable encrypted items by conversation."""
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for fingerprint, items in digests.items():
                pipe.sadd(keyspace.foreign(fingerprint), *items)
                pipe.expire(keyspace.foreign(fingerprint), FOREIGN_SECONDS)
            await pipe.execute()

    async def succeed(self, accounts: Mapping[str, float]) -> None:
        """Reset the fault counts of accounts that answered, and release their probe locks.

        Each with the time its attempt began: cooldowns that began later stay.
        """
        await self._cooldowns.succeed(accounts)

    async def tell(self, entries: Sequence[LogEntry]) -> None:
        """Append entries to the log stream."""
        for entry in entries:
            await self._logs.append(entry)
