"""The ledger's books: which store takes what."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from redis.asyncio import Redis

from commons import redis_keys
from commons.accounts.cooldowns import CooldownStore
from commons.accounts.survey import Surveyor
from commons.log_stream import LogEntry, LogStream
from commons.records import ExchangeRecord
from commons.redis_pool import mapped
from commons.usage import UsageStore

FOREIGN_SECONDS: Final = redis_keys.DAY
"""How long it is remembered which encrypted items an account cannot read."""


class RedisBooks:
    """Everything that is written after an exchange, in Redis."""

    def __init__(
        self, redis: Redis, *, usage: UsageStore, surveyor: Surveyor, cooldowns: CooldownStore
    ) -> None:
        self._redis = redis
        self._usage = usage
        self._surveyor = surveyor
        self._cooldowns = cooldowns
        self._logs = LogStream(redis)

    def __repr__(self) -> str:
        return "<RedisBooks>"

    async def add(self, records: Sequence[ExchangeRecord]) -> None:
        """Count settled exchanges and append them to the log stream, each id once."""
        await self._usage.add(records)

    async def tie(self, fingerprints: dict[str, str]) -> None:
        """Tie conversations to the accounts that answered them."""
        await self._surveyor.tie(fingerprints)

    async def promise(self, fingerprints: dict[str, str]) -> None:
        """Let conversations without an account follow the one just chosen."""
        await self._surveyor.promise(fingerprints)

    async def disown(self, digests: Mapping[str, Iterable[str]]) -> None:
        """Keep, by conversation, which encrypted items its account cannot read."""
        with mapped():
            pipe = self._redis.pipeline(transaction=False)
            for fingerprint, items in digests.items():
                pipe.sadd(redis_keys.foreign(fingerprint), *items)
                pipe.expire(redis_keys.foreign(fingerprint), FOREIGN_SECONDS)
            await pipe.execute()

    async def succeed(self, accounts: Iterable[str]) -> None:
        """An answer came: no faults in a row, and nobody else has to probe."""
        for account_id in accounts:
            await self._cooldowns.succeed(account_id)
            with mapped():
                await self._redis.delete(redis_keys.probe(account_id))

    async def tell(self, entries: Sequence[LogEntry]) -> None:
        """Append entries to the log stream."""
        for entry in entries:
            await self._logs.append(entry)
