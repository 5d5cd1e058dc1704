"""Synchronises a replica with the others through Redis: heartbeat, live settings, accounts, prices.

Changed settings, accounts and prices are read every READ_SECONDS, so they also reach an idle replica, which
reads no snapshots. While Redis is away the last known state stays in force.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog

from codex_proapi.commons.accounts.model import Account, AccountState
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.cluster.live_settings import READ_SECONDS, LiveSettings, LiveSettingsStore
from codex_proapi.commons.cluster.replicas import BEAT_SECONDS, Replica, ReplicaStore
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.owner_terms.closing import Closed
from codex_proapi.commons.prices.price_table import PriceView
from codex_proapi.commons.redis.keyspace import USAGE_DAYS
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.calendar import calendar_of
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.exchange.dependencies import ServingOptions
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.limits.visible_quota import KeyQuota
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.metrics.series import RedisWork
from codex_proapi.gateway.pool.account_selector import AccountSelector
from codex_proapi.gateway.pool.eligible import Strategy
from codex_proapi.gateway.pool.slot_queue import AccountQueue
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.quota.poller import QuotaPoller
from codex_proapi.gateway.server.in_flight import InFlight
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues, Names
from codex_proapi.gateway.upstream.reachability import Reachability

ROUNDS_PER_BEAT = max(1, round(BEAT_SECONDS / READ_SECONDS))

log = structlog.get_logger(__name__)


class LiveSettingsApplier:
    """Applies live settings, which may change while the process runs, to the objects that use them."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        authenticator: Authenticator,
        selector: AccountSelector,
        slots: AccountQueue,
        catalogues: ModelCatalogues,
        options: ServingOptions,
        poll: QuotaPoller,
        settlements: SettlementWriter,
        key_quota: KeyQuota,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._selector = selector
        self._slots = slots
        self._catalogues = catalogues
        self._options = options
        self._poll = poll
        self._settlements = settlements
        self._key_quota = key_quota

    def __repr__(self) -> str:
        return f"<LiveSettingsApplier, routing {self._selector.strategy.routing.value}>"

    def apply(self, live: LiveSettings) -> None:
        """Apply live settings; those not set there have their value from the environment."""
        settings = self._settings
        self._authenticator.policy = live.api_key_policy or settings.api_key_policy
        reserve, below = live.quota_reserve, live.fair_share_below
        self._selector.strategy = Strategy(
            routing=live.routing or settings.routing,
            reserve=settings.quota_reserve if reserve is None else reserve,
            fair_below=settings.fair_share_below if below is None else below,
            logged=settings.log_selections,
        )
        most = live.account_streams
        self._slots.most = settings.account_streams if most is None else most
        self._options.history_mode = live.history_mode or settings.history_mode
        self._options.reasoning_summary = live.reasoning_summary or settings.reasoning_summary
        self._options.model_substitution = live.model_substitution or settings.model_substitution
        reserves = live.luna_reserve or settings.luna_reserve
        self._options.luna_reserve = reserves
        self._poll.asks_reserve = reserves is not LunaReserve.OFF
        calendar = calendar_of(live.time_zone)
        self._settlements.calendar = calendar
        self._options.calendar = calendar
        self._key_quota.calendar = calendar
        self._settlements.days = live.usage_days or USAGE_DAYS
        aliases, fallbacks = live.model_aliases, live.model_fallbacks
        self._options.model_fallbacks = settings.model_fallbacks if fallbacks is None else fallbacks
        small = live.small_work_models
        self._options.small_work_models = settings.small_work_models if small is None else small
        self._poll.interval = live.quota_poll_seconds or settings.quota_poll_seconds
        self._catalogues.configure(
            Names(
                default_model=live.default_model or settings.default_model,
                aliases=settings.model_aliases if aliases is None else aliases,
                disabled=live.disabled_models or (),
            )
        )


class ReplicaSync:
    """Synchronises every READ_SECONDS, and writes the heartbeat every BEAT_SECONDS."""

    def __init__(
        self,
        replica: Replica,
        *,
        replicas: ReplicaStore,
        live: LiveSettingsStore,
        applier: LiveSettingsApplier,
        accounts: AccountStore,
        view: AccountView,
        catalogues: ModelCatalogues,
        prices: PriceView,
        status: "ReplicaStatus",
    ) -> None:
        self._replica = replica
        self._replicas = replicas
        self._live = live
        self._applier = applier
        self._accounts = accounts
        self._view = view
        self._catalogues = catalogues
        self._prices = prices
        self._status = status
        self._rounds = 0
        self.upstream_is_elsewhere = False
        """Whether this replica has lost the backend while another one reaches it."""

    def __repr__(self) -> str:
        return f"<ReplicaSync of {self._replica.id}>"

    async def round(self) -> None:
        """Synchronise once. Raises StoreUnavailable."""
        self._status.clock.learn(await self._replicas.now())
        await self._view.refresh_if(await self._accounts.version())
        self._catalogues.observe_accounts()
        self._show_accounts()
        self._applier.apply(await self._live.read())
        await self._prices.refresh()
        beats = self._rounds % ROUNDS_PER_BEAT == 0
        if beats:
            await self._replicas.beat(self._now())
        self._rounds += 1
        self.upstream_is_elsewhere = await self._is_upstream_elsewhere()
        if beats:
            status = self._status
            status.metrics.states.stored_bytes.set(await status.responses.bytes_of_all())

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Synchronise until cancelled; the start of a replica has done the first round."""
        while True:
            await sleep(READ_SECONDS)
            try:
                await self.round()
            except StoreUnavailable as error:
                self._status.metrics.redis_failed(RedisWork.SYNC)
                log.debug("upkeep.waited", error=str(error))

    async def leave(self) -> None:
        """Remove the heartbeat, if Redis answers."""
        try:
            await self._replicas.leave(self._replica)
        except StoreUnavailable as error:
            log.debug("upkeep.waited", error=str(error))

    async def _is_upstream_elsewhere(self) -> bool:
        """Whether another gateway has heard from the backend since this one lost it.

        Where all have lost it none is any better: a balancer without replicas would help nobody.
        """
        reachability = self._status.reachability
        if not reachability.lost:
            return False
        return any(
            other.service == self._replica.service
            and not other.draining
            and other.upstream_at > reachability.lost_at
            for other in await self._replicas.all()
            if other.id != self._replica.id
        )

    def _now(self) -> Replica:
        """The replica's current heartbeat record."""
        return msgspec.structs.replace(
            self._replica,
            beat_at=self._status.clock(),
            draining=self._status.in_flight.draining,
            upstream_at=self._status.reachability.reached_at,
            in_flight=self._status.in_flight.by_account(),
            first_event_ms={
                name: round(seconds * 1000) for name, seconds in self._status.first_events().items()
            },
        )

    def _show_accounts(self) -> None:
        """Count the accounts by state; the hours of their owners' terms change by themselves."""
        found = Counter(map(self._state_of, self._view.accounts.values()))
        states = [*(state.value for state in AccountState), *("paused", "closed")]
        self._status.metrics.show_accounts({state: found[state] for state in states})

    def _state_of(self, account: Account) -> str:
        """`paused` by the administrator, `closed` by its owner's terms, or the state of its login."""
        if account.paused:
            return "paused"
        if account.state is AccountState.ACTIVE and self._status.closed(account) is not None:
            return "closed"
        return account.state.value


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a heartbeat's figures come from."""

    clock: SharedClock
    in_flight: InFlight
    metrics: Metrics
    reachability: Reachability
    responses: ResponseStore
    closed: Callable[[Account], Closed | None]
    """How an account is closed by its owner's terms, whatever is asked of it."""
    first_events: Callable[[], Mapping[str, float]] = dict
    """Median first-event times of each transport, seconds."""
