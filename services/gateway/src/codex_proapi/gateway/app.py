"""The composition root: makes the objects of one replica and connects them.

`build` needs a running event loop. No request is sent to Redis or upstream before `start`.
"""

import functools
import importlib.metadata
import socket
import sys
import time

import structlog

from codex_proapi.commons.cluster.live_settings import LiveSettings, LiveSettingsStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.cluster.store_check import end_process
from codex_proapi.commons.http.figures import FiguresAccess
from codex_proapi.commons.native import NATIVE
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.line_writer import TextOutput
from codex_proapi.commons.runtime.process_metrics import watch_lag
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.gateway.api.count_tokens import CountTokens
from codex_proapi.gateway.api.dialects.messages import MESSAGES
from codex_proapi.gateway.api.dialects.responses import RESPONSES
from codex_proapi.gateway.api.dialects.table import DIALECTS
from codex_proapi.gateway.api.endpoint import Endpoint
from codex_proapi.gateway.api.paths import COUNT_ROUTE
from codex_proapi.gateway.api.router import Router, fault_body
from codex_proapi.gateway.api.routes import Handlers, routes
from codex_proapi.gateway.api.stored_responses import StoredResponses
from codex_proapi.gateway.auth.revocation import RevocationWatcher
from codex_proapi.gateway.composition.pool import open_pool
from codex_proapi.gateway.composition.stores import open_stores
from codex_proapi.gateway.composition.upstream import open_upstream
from codex_proapi.gateway.exchange.access_log import AccessLog
from codex_proapi.gateway.exchange.dependencies import Dependencies, ServingOptions
from codex_proapi.gateway.exchange.serve import ExchangeService
from codex_proapi.gateway.limits.expected_output import ExpectedOutput
from codex_proapi.gateway.metrics.process_registry import process_registry
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.replica_sync import LiveSettingsApplier, ReplicaStatus, ReplicaSync
from codex_proapi.gateway.server.body_budget import BodyBudget
from codex_proapi.gateway.server.in_flight import InFlight
from codex_proapi.gateway.server.ticker import Ticker
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.gateway.websocket.endpoint import WebSocketEndpoint

CLOSE_SECONDS = 5.0
"""Seconds that closing waits for interrupted exchanges to settle."""

log = structlog.get_logger(__name__)


def build(settings: GatewaySettings, *, output: TextOutput | None = None) -> "Gateway":
    """A gateway that is ready to be started.

    Args:
        settings: the settings of this process.
        output: where the access log goes; None is stdout.
    """
    return Gateway(settings, output=output or sys.stdout)


def own_version() -> str:
    """The version of the installed distribution."""
    return importlib.metadata.version("codex-proapi-gateway")


class Gateway:
    """One replica of the gateway."""

    fault_body = staticmethod(fault_body)
    """The body of a response to a request whose head could not be read."""

    def __init__(self, settings: GatewaySettings, *, output: TextOutput) -> None:
        self._settings = settings
        self._started = False
        self.tasks = Tasks()
        self.clock = SharedClock(time.time)
        self.metrics = Metrics(process_registry())
        self.metrics.process.task_failures = self.tasks.failures
        self.metrics.build.labels(own_version(), "yes" if NATIVE.code else "no").set(1)
        self.in_flight = InFlight(most=settings.max_concurrent)
        self.stores = open_stores(
            settings, clock=self.clock, metrics=self.metrics, tasks=self.tasks
        )
        self.metrics.waiting.set_function(lambda: self.stores.queue.waiting)
        self.upstream = open_upstream(
            settings, self.stores, clock=self.clock, metrics=self.metrics, version=own_version()
        )
        self.pool = open_pool(
            self.stores, self.upstream, clock=self.clock, metrics=self.metrics, tasks=self.tasks
        )
        self.access_log = AccessLog(output)
        self.expected_output = ExpectedOutput()
        self.services = self._serving()
        self._revocations = RevocationWatcher(
            self.stores.keys,
            authenticator=self.stores.authenticator,
            in_flight=self.in_flight,
            kept=self.upstream.sockets.sockets,
        )
        self._settings_applier = self._live_settings()
        self._sync = self._replica_sync()
        self.asgi = self._router()
        self.direct = self.asgi.direct

    def __repr__(self) -> str:
        return f"<Gateway on port {self._settings.port} with {self.in_flight!r}>"

    async def start(self) -> None:
        """Load settings, accounts and catalogues, and start background tasks; later calls do nothing.

        If Redis is away it starts all the same: `/readyz` fails, and the tasks keep trying.
        """
        if self._started:
            return
        self._started = True
        self._settings_applier.apply(LiveSettings())
        settings = self._settings
        log.info("native_code.looked_up", in_use=NATIVE.code is not None, why_not=NATIVE.why_not)
        if proxy := settings.proxy_rules.proxy_for_url(settings.codex_base_url):
            log.info("upstream.proxied", proxy=proxy.name)
        try:
            await self.stores.check.check()
            await self._sync.round()
            await self.upstream.catalogues.load()
        except StoreUnavailable as error:  # `/readyz` says so; the rounds go on trying
            log.warning("gateway.waits", error=str(error))
        stores, upstream = self.stores, self.upstream
        for name, work in (
            ("store check", functools.partial(stores.check.run, end_process)),
            ("ticker", self.services.ticker.run),
            ("store outage", stores.outage.run),
            ("ledger", stores.ledger.run),
            ("settlements", stores.ledger.run_settlements),
            ("ties", stores.ledger.run_ties),
            ("upstream drift", stores.drift.run),
            ("catalogues", upstream.catalogues.run),
            ("quota", upstream.quota_tracker.run),
            ("owners' shares", upstream.quota_tracker.keep_shared),
            ("stream permits", stores.stream_permits.run),
            ("queue", stores.queue.run),
            ("revocations", self._revocations.run),
            ("replica sync", self._sync.run),
            ("egress", upstream.egress.run),
            ("reachability", upstream.reachability.run),
            ("loop lag", functools.partial(watch_lag, self.metrics.loop_lag.observe)),
        ):
            self.tasks.keep(name, work)

    def begin_drain(self) -> None:
        """Let `/readyz` fail; requests are still served."""
        self.in_flight.draining = True
        self.metrics.draining.set(1)
        self.upstream.sockets.begin_drain()

    def end_drain(self) -> None:
        """Interrupt all exchanges; their clients get an error that says so."""
        self.in_flight.end_all()

    async def close(self) -> None:
        """Interrupt exchanges, write what is pending to Redis, close all connections."""
        self.begin_drain()
        # Exchanges end first: an answer that loses its upstream would be requested again.
        await self.in_flight.close(CLOSE_SECONDS)
        await self.tasks.close()
        self.stores.outage.close()
        # Usage first: an orchestrator may kill the process during what follows.
        await self.stores.ledger.close()
        await self.stores.queue.close()
        await self._sync.leave()
        await self.upstream.aclose()
        await self.stores.redis.aclose()

    def _serving(self) -> Dependencies:
        """The dependencies of serving exchanges."""
        settings, stores = self._settings, self.stores
        quiet = settings.log_level in {"warning", "error"}
        ticker = Ticker()
        ticker.join(self.upstream.transport.closing_streams)
        ticker.join(self.upstream.client)
        ticker.join(self.upstream.sockets)
        ticker.join(self.upstream.other_routes)
        return Dependencies(
            admission_control=self.pool.admission_control,
            authenticator=stores.authenticator,
            bodies=self._body_budget(),
            catalogues=self.upstream.catalogues,
            clock=self.clock,
            dispatcher=self.pool.dispatcher,
            expected_output=self.expected_output,
            drift=stores.drift,
            in_flight=self.in_flight,
            metrics=self.metrics,
            options=ServingOptions(self.stores.prices),
            patience=settings.commit_patience,
            whole_patience=settings.whole_patience,
            queue=stores.queue,
            readers=(
                *(stores.ledger.settle, self.metrics.settle),
                *(stores.drift.settle, self.expected_output.settle),
                *(() if quiet else (self.access_log.settle,)),
            ),
            responses=stores.responses,
            stream_permits=stores.stream_permits,
            tasks=self.tasks,
            ticker=ticker,
            reserve_models=lambda: self.upstream.quota_tracker.reserve_models,
        )

    def _body_budget(self) -> BodyBudget:
        budget = BodyBudget(self._settings.body_memory_mib << 20)
        figures = self.metrics.states
        figures.body_limit.set(budget.most)
        figures.body_bytes.set_function(lambda: budget.held)
        return budget

    def _live_settings(self) -> LiveSettingsApplier:
        return LiveSettingsApplier(
            self._settings,
            authenticator=self.stores.authenticator,
            selector=self.pool.selector,
            slots=self.stores.queue,
            catalogues=self.upstream.catalogues,
            options=self.services.options,
            poll=self.upstream.quota_poller,
            settlements=self.stores.settlements,
            key_quota=self.stores.key_quota,
        )

    def _replica_sync(self) -> ReplicaSync:
        redis = self.stores.redis.commands
        return ReplicaSync(
            Replica(
                id=self.stores.replica_id,
                service="gateway",
                host=socket.gethostname(),
                version=own_version(),
                started_at=int(self.clock()),
                default_model=self._settings.default_model,
                model_aliases=self._settings.model_aliases,
            ),
            replicas=ReplicaStore(redis),
            live=LiveSettingsStore(redis),
            applier=self._settings_applier,
            accounts=self.stores.accounts,
            view=self.stores.view,
            catalogues=self.upstream.catalogues,
            prices=self.stores.prices,
            status=ReplicaStatus(
                clock=self.clock,
                in_flight=self.in_flight,
                metrics=self.metrics,
                reachability=self.upstream.reachability,
                responses=self.stores.responses,
                closed=self.pool.selector.terms.closed_to_all,
                first_events=self.upstream.sockets.first_events,
            ),
        )

    def _is_upstream_elsewhere(self) -> bool:
        """Whether this replica has lost the backend while another one reaches it."""
        return self.upstream.reachability.lost and self._sync.upstream_is_elsewhere

    def _router(self) -> Router:
        """The router with all routes."""
        serving = {dialect.path: ExchangeService(self.services, dialect) for dialect in DIALECTS}
        handlers = Handlers(
            authenticator=self.stores.authenticator,
            catalogues=self.upstream.catalogues,
            key_quota=self.stores.key_quota,
            responses=StoredResponses(self.stores.responses),
            logs=LogStream(self.stores.redis.commands),
            prices=PriceStore(self.stores.redis.commands),
            in_flight=self.in_flight,
            metrics=self.metrics,
            ping=self.stores.redis.ping,
            upstream_lost=self._is_upstream_elsewhere,
            loops_down=lambda: self.tasks.down,
            version=own_version(),
        )
        return Router(
            endpoints={
                **{path: Endpoint(service) for path, service in serving.items()},
                COUNT_ROUTE: CountTokens(serving[MESSAGES.path]),
            },
            rest=routes(handlers),
            check_page=self.stores.authenticator.check_page,
            socket=WebSocketEndpoint(self.services, serving[RESPONSES.path], self.tasks),
            trusted_proxies=self._settings.trusted_proxies,
            figures=FiguresAccess(self._settings.metrics_token),
        )
