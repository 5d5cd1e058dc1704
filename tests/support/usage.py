"""The usage counters as tests use them: written as a gateway does, read as a console does."""

from redis.asyncio import Redis

from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter


class WrittenUsage(UsageStore):
    """Counters that can be added to."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.writer = SettlementWriter(redis)
        self.add = self.writer.add
