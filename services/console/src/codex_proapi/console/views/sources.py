"""The stores that pages read: the shared ones, and the console's own."""

from collections.abc import Callable

from redis.asyncio import Redis

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.usage.calendar import Calendar, calendar_of
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Sessions
from codex_proapi.console.resets.reset_store import ResetStore
from codex_proapi.console.settings import ConsoleSettings


class Sources:
    """Everything a page may read."""

    def __init__(
        self,
        *,
        settings: ConsoleSettings,
        clock: Callable[[], float],
        version: str,
        redis: Redis,
        accounts: AccountStore,
        cooldowns: CooldownStore,
        quotas: QuotaStore,
        resets: ResetStore,
        keys: KeyStore,
        usage: UsageStore,
        prices: PriceStore,
        logs: LogStream,
        replicas: ReplicaStore,
        live_settings: LiveSettingsStore,
        sessions: Sessions,
        script_tokens: ScriptTokens,
        audit: Audit,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.version = version
        self.redis = redis
        self.accounts = accounts
        self.cooldowns = cooldowns
        self.quotas = quotas
        self.resets = resets
        self.keys = keys
        self.usage = usage
        self.prices = prices
        self.logs = logs
        self.replicas = replicas
        self.live_settings = live_settings
        self.sessions = sessions
        self.script_tokens = script_tokens
        self.audit = audit

    async def calendar(self) -> Calendar:
        """The days that usage is counted by."""
        return calendar_of((await self.live_settings.read()).time_zone)

    def __repr__(self) -> str:
        return f"<Sources {self.version}>"
