"""What all endpoints of a replica share: its rooms, and what they work with."""

import msgspec

from codex_proapi.commons.cluster.live_settings import HistoryMode
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.exchange.dispatch import Dispatcher
from codex_proapi.gateway.exchange.exchange import Reader
from codex_proapi.gateway.exchange.in_flight import InFlight
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.limits.stream_permits import StreamPermits
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.clock import SharedClock
from codex_proapi.gateway.pool.concurrency import AccountQueue
from codex_proapi.gateway.server.ticker import Ticker
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues


class EndpointContext:
    """What all endpoints of a replica share."""

    def __init__(
        self,
        *,
        admission: Authenticator,
        in_flight: InFlight,
        catalogues: ModelCatalogues,
        dispatcher: Dispatcher,
        responses: ResponseStore,
        stream_permits: StreamPermits,
        runtime: "ExchangeRuntime",
    ) -> None:
        self.admission = admission
        self.in_flight = in_flight
        self.catalogues = catalogues
        self.dispatcher = dispatcher
        self.responses = responses
        self.stream_permits = stream_permits
        self.runtime = runtime
        self.history_mode = HistoryMode.STRUCTURED
        """How conversations are told to upstream; may change while running."""

    def __repr__(self) -> str:
        return f"<EndpointContext with {self.in_flight!r}>"


class ExchangeRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint works with, beside its house's rooms."""

    clock: SharedClock
    metrics: Metrics
    ticker: Ticker
    tasks: Tasks
    slots: AccountQueue
    readers: tuple[Reader, ...]
    """Who wants to know of settled exchanges."""
    patience: float
    """Seconds until a streaming client gets its 200 though nothing was said."""
