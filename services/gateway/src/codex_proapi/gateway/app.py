"""The composition root: makes every object of one replica, once, and hands them over.

`build` needs a running event loop. Nothing is asked of Redis or upstream before `start`.
"""

import functools
import importlib.metadata
import secrets
import socket
import sys
import time

import httpx
import structlog

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.quota import QuotaStore
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.store import AccountStore, AccountView
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.live_settings import LiveSettings, LiveSettingsStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.cluster.schema import SchemaVersion, end_process
from codex_proapi.commons.codex.endpoints import responses_url
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker
from codex_proapi.commons.redis.clients import connect, connect_blocking, mapped
from codex_proapi.commons.redis.multiplexed import connect_multiplexed
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.loop_lag import watch_lag
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.runtime.tls import client_context
from codex_proapi.commons.usage.counters import UsageStore
from codex_proapi.gateway.accounting.ledger import Ledger
from codex_proapi.gateway.accounting.redis_writer import RedisWriter
from codex_proapi.gateway.accounting.settlement import SettlementWriter
from codex_proapi.gateway.api.count_tokens import CountTokens
from codex_proapi.gateway.api.dialects.table import DIALECTS
from codex_proapi.gateway.api.endpoint import Endpoint
from codex_proapi.gateway.api.paths import COUNT_ROUTE
from codex_proapi.gateway.api.router import Router, fault_body
from codex_proapi.gateway.api.routes import Handlers, routes
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.auth.origins import TrustedOrigins
from codex_proapi.gateway.auth.revocation import RevocationWatcher
from codex_proapi.gateway.exchange.access_log import AccessLog
from codex_proapi.gateway.exchange.dispatch import Dispatcher
from codex_proapi.gateway.exchange.dispatch_state import DispatchContext
from codex_proapi.gateway.exchange.service import ExchangeService
from codex_proapi.gateway.exchange.services import Services, ServingOptions
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.limits.key_quota import KeyQuota
from codex_proapi.gateway.limits.stream_permits import StreamPermits
from codex_proapi.gateway.metrics.process_registry import process_registry
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.account_facts import AccountFacts
from codex_proapi.gateway.pool.clock import SharedClock
from codex_proapi.gateway.pool.concurrency import AccountQueue
from codex_proapi.gateway.pool.encrypted_items import EncryptedItems
from codex_proapi.gateway.pool.health.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.health.egress import Egress
from codex_proapi.gateway.pool.health.outcomes import OutcomeRecorder
from codex_proapi.gateway.pool.health.retry_budget import RetryBudget
from codex_proapi.gateway.pool.queueing_selector import QueueingSelector
from codex_proapi.gateway.pool.selector import AccountSelector
from codex_proapi.gateway.pool.snapshot import SnapshotReader
from codex_proapi.gateway.pool.store_outage import StoreOutage
from codex_proapi.gateway.quota.poller import QuotaPoller
from codex_proapi.gateway.quota.tracker import QuotaTracker
from codex_proapi.gateway.replica_sync import LiveSettingsApplier, ReplicaStatus, ReplicaSync
from codex_proapi.gateway.server.body_budget import BodyBudget
from codex_proapi.gateway.server.in_flight import InFlight
from codex_proapi.gateway.server.ticker import Ticker
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.gateway.upstream.account_api import AccountApi
from codex_proapi.gateway.upstream.http_client import HttpClient
from codex_proapi.gateway.upstream.http_transport import HttpTransport
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues
from codex_proapi.gateway.upstream.reachability import Reachability

LAST_WORDS_SECONDS = 5.0
"""How long a closing gateway waits for its exchanges to settle, once they were ended."""

log = structlog.get_logger(__name__)


def build(settings: GatewaySettings) -> "Gateway":
    """A gateway that is ready to be started."""
    return Gateway(settings)


def own_version() -> str:
    """The version of this distribution."""
    return importlib.metadata.version("codex-proapi-gateway")


class Gateway:
    """One replica of the gateway."""

    fault_body = staticmethod(fault_body)
    """The body of a response to a request whose head could not be read."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._tasks = Tasks()
        self._started = False
        self._clock = SharedClock(time.time)
        quiet = settings.log_level in {"warning", "error"}
        self._log = AccessLog(sys.stdout, quiet=quiet)
        self.metrics = Metrics(process_registry())
        self.metrics.process.task_failures = self._tasks.failures
        self.metrics.build.labels(own_version()).set(1)
        self._bodies = BodyBudget(settings.body_memory_mib << 20)
        self.in_flight = InFlight(most=settings.max_concurrent)
        self._identity = Identity(
            originator=settings.codex_originator,
            version=settings.codex_client_version,
            product_version=own_version(),
        )
        self._open_stores()
        self._open_upstream()
        self._open_relay()
        self.asgi = self._open_doors()

    def __repr__(self) -> str:
        return f"<Gateway on port {self._settings.port} with {self.in_flight!r}>"

    async def start(self) -> None:
        """Read what there is to know, begin the background work; once, however often called."""
        if self._started:
            return
        self._started = True
        self._switches.apply(LiveSettings())
        try:
            await self._schema.check()
            await self._upkeep.round()
            await self._catalogues.load()
        except StoreUnavailable as error:  # `/readyz` says so; the rounds go on trying
            log.warning("gateway.waits", error=str(error))
        for name, work in (
            ("schema", functools.partial(self._schema.run, end_process)),
            ("pulse", self._ticker.run),
            ("grace", self._grace.run),
            ("ledger", self._ledger.run),
            ("settlements", self._ledger.run_settlements),
            ("ties", self._ledger.run_ties),
            ("catalogues", self._catalogues.run),
            ("quotas", self._quotas.run),
            ("places", self._stream_permits.run),
            ("slots", self._slots.run),
            ("revocations", self._revocations.run),
            ("upkeep", self._upkeep.run),
            ("egress", self._egress.run),
            ("reachability", self._reachability.run),
            ("loop lag", functools.partial(watch_lag, self.metrics.loop_lag.observe)),
        ):
            self._tasks.keep(name, work)

    def begin_drain(self) -> None:
        """Say no at `/readyz`; go on serving."""
        self.in_flight.draining = True
        self.metrics.draining.set(1)

    def end_drain(self) -> None:
        """End what still streams with an honest error."""
        self.in_flight.end_all()

    async def close(self) -> None:
        """Write the rest and let everything go."""
        self.begin_drain()
        # What is still under way ends first: an answer that loses its upstream would ask for another.
        await self.in_flight.close(LAST_WORDS_SECONDS)
        await self._tasks.close()
        self._grace.close()
        # Usage first: an orchestrator may lose its patience with whatever comes after it.
        await self._ledger.close()
        await self._slots.close()
        await self._upkeep.leave()
        await self._refresher.close()
        self._transport.closing_streams.close()
        self._client.close()
        await self._http.aclose()
        if self._line is not None:
            await self._line.aclose()
        await self._blocking_redis.aclose()
        await self._lookout.aclose()
        await self._redis.aclose()

    def _open_stores(self) -> None:
        settings = self._settings
        cipher = CredentialCipher(settings.encryption_keys)
        self._gate = RedisCircuitBreaker(grace=settings.redis_grace_seconds)
        self._redis = connect(settings.redis_url, gate=self._gate)
        self._schema = SchemaVersion(self._redis)
        self._accounts = AccountStore(self._redis, cipher)
        self._view = AccountView(self._accounts)
        self._keys = KeyStore(self._redis, cipher)
        self._cooldowns = CooldownStore(self._redis)
        self._line = connect_multiplexed(settings.redis_url)
        self._lookout = connect(settings.redis_url)
        self._snapshots = SnapshotReader(
            self._lookout, line=self._line, clock=self._clock, hook=self.metrics.observe_snapshot
        )
        self._admission = Authenticator(
            self._keys,
            policy=settings.api_key_policy,
            clock=self._clock,
            gate=self._gate,
            origins=TrustedOrigins(
                public_url=settings.public_url, allowed=settings.allowed_origins
            ),
        )
        self._usage = UsageStore(self._redis)
        self._settlements = SettlementWriter(self._redis, lost=self.metrics.ledger_lost.inc)
        writer = RedisWriter(
            self._redis,
            settlements=self._settlements,
            cooldowns=self._cooldowns,
        )
        self._ledger = Ledger(writer, self.metrics)
        self._grace = StoreOutage(
            self._snapshots,
            accounts=self._view,
            keys=self._admission,
            gate=self._gate,
            metrics=self.metrics,
            clock=self._clock,
            returned=self._redis_returned,
        )
        self._replica_id = secrets.token_hex(6)
        self._blocking_redis = connect_blocking(settings.redis_url, max_connections=1)
        self._slots = AccountQueue(
            self._redis,
            blocking_redis=self._blocking_redis,
            replica=self._replica_id,
            tasks=self._tasks,
            clock=self._clock,
        )
        self.metrics.waiting.set_function(lambda: self._slots.waiting)
        self._stream_permits = StreamPermits(self._redis, clock=self._clock)
        self._responses = ResponseStore(self._redis, cipher)
        self._shares = KeyQuota(
            usage=self._usage, quotas=QuotaStore(self._redis), view=self._view, clock=self._clock
        )

    def _open_upstream(self) -> None:
        settings, identity = self._settings, self._identity
        self._client = HttpClient(responses_url(settings.codex_base_url))
        self._transport = HttpTransport(self._client)
        self._reachability = Reachability(self._client, count=self.metrics.connect_failed)
        self._egress = Egress(self._clock, self._redis)
        self._ticker = Ticker()
        self._ticker.join(self._transport.closing_streams)
        self._ticker.join(self._client)
        self._http = httpx.AsyncClient(
            verify=client_context(), trust_env=False, follow_redirects=False
        )
        endpoint = TokenEndpoint(
            self._http,
            issuer=settings.codex_auth_url,
            client_id=settings.codex_client_id,
            identity=identity.headers,
        )
        self._refresher = CredentialRefresher(
            self._accounts, endpoint, self._redis, clock=self._clock, hook=self._refreshed
        )
        calls = AccountApi(
            self._http,
            base_url=settings.codex_base_url,
            identity=identity,
            view=self._view,
            refresher=self._refresher,
        )
        self._catalogues = ModelCatalogues(
            self._redis, calls=calls, view=self._view, clock=self._clock, metrics=self.metrics
        )
        self._quota_poll = QuotaPoller(
            self._redis,
            calls=calls,
            view=self._view,
            cooldowns=self._cooldowns,
            clock=self._clock,
        )
        self._quotas = QuotaTracker(
            self._redis,
            poll=self._quota_poll,
            view=self._view,
            clock=self._clock,
            figures=self.metrics.quota,
        )

    def _open_relay(self) -> None:
        account_facts = AccountFacts(self._catalogues, self._quotas)
        breakers = CircuitBreakers(self._redis, self._cooldowns, clock=self._clock)
        outcomes = OutcomeRecorder(
            store=self._accounts,
            cooldowns=self._cooldowns,
            breakers=breakers,
            ledger=self._ledger,
            metrics=self.metrics,
            clock=self._clock,
        )
        self._selector = AccountSelector(
            view=self._view,
            snapshots=self._grace,
            refresher=self._refresher,
            breakers=breakers,
            outcomes=outcomes,
            clock=self._clock,
            facts=account_facts,
        )
        self._dispatcher = Dispatcher(
            selector=QueueingSelector(
                self._selector,
                self._slots,
                gate=self._gate,
                clock=self._clock,
                metrics=self.metrics,
            ),
            outcomes=outcomes,
            transports=(self._transport,),
            ciphertexts=EncryptedItems(self._redis, self._ledger),
            ledger=self._ledger,
            context=DispatchContext(
                identity=self._identity,
                clock=self._clock,
                metrics=self.metrics,
                budget=RetryBudget(),
                egress=self._egress,
                reachability=self._reachability,
                observer=account_facts,
            ),
        )

    def _open_doors(self) -> Router:
        settings = self._settings
        services = Services(
            authenticator=self._admission,
            bodies=self._bodies,
            catalogues=self._catalogues,
            clock=self._clock,
            dispatcher=self._dispatcher,
            in_flight=self.in_flight,
            metrics=self.metrics,
            options=ServingOptions(),
            patience=settings.commit_patience,
            queue=self._slots,
            readers=(self._ledger.settle, self.metrics.settle, self._log.settle),
            responses=self._responses,
            stream_permits=self._stream_permits,
            tasks=self._tasks,
            ticker=self._ticker,
        )
        self._open_rounds(services.options)
        service = ExchangeService(services)
        handlers = Handlers(
            authenticator=self._admission,
            catalogues=self._catalogues,
            key_quota=self._shares,
            in_flight=self.in_flight,
            metrics=self.metrics,
            ping=self._ping,
            upstream_lost=lambda: self._reachability.lost,
            loops_down=lambda: self._tasks.down,
            version=own_version(),
        )
        return Router(
            endpoints={
                **{dialect.path: Endpoint(dialect, service) for dialect in DIALECTS},
                COUNT_ROUTE: CountTokens(service),
            },
            rest=routes(handlers),
            check_page=self._admission.check_page,
            trusted_proxies=settings.trusted_proxies,
        )

    def _open_rounds(self, options: ServingOptions) -> None:
        self._revocations = RevocationWatcher(
            self._keys, admission=self._admission, in_flight=self.in_flight
        )
        self._switches = LiveSettingsApplier(
            self._settings,
            admission=self._admission,
            selector=self._selector,
            slots=self._slots,
            catalogues=self._catalogues,
            options=options,
            poll=self._quota_poll,
            settlements=self._settlements,
        )
        self._upkeep = ReplicaSync(
            Replica(
                id=self._replica_id,
                service="gateway",
                host=socket.gethostname(),
                version=own_version(),
                started_at=int(self._clock()),
            ),
            replicas=ReplicaStore(self._redis),
            live=LiveSettingsStore(self._redis),
            applier=self._switches,
            accounts=self._accounts,
            view=self._view,
            status=ReplicaStatus(clock=self._clock, in_flight=self.in_flight, metrics=self.metrics),
        )

    async def _ping(self) -> bool:
        """Whether Redis answers, or need not yet."""
        if self._gate.in_grace():
            return True
        try:
            with mapped():
                await self._redis.ping()
        except StoreUnavailable:
            return False
        return True

    def _redis_returned(self) -> None:
        """Redis is back: connections made before are dead, and its last moments may be lost."""
        self._ledger.again()
        pool = getattr(self._redis, "connection_pool", None)  # a cluster's client has none
        if pool is not None:
            self._tasks.start(pool.disconnect(inuse_connections=False), name="old connections")

    def _refreshed(self, account_id: str, outcome: str) -> None:
        """A refresh has ended, as the refresher tells it."""
        del account_id
        self.metrics.refreshes.labels(outcome).inc()
