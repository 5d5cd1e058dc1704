"""The dependencies of serving exchanges: one value for each process, made by `app`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from codex_proapi.commons.cluster.live_settings import (
    HistoryMode,
    ModelSubstitution,
    ReasoningSummary,
)
from codex_proapi.commons.codex.luna_reserve import LunaReserve
from codex_proapi.commons.prices.price_table import PriceView
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.commons.usage.calendar import UTC
from codex_proapi.gateway.accounting.upstream_drift import UpstreamDrift
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.exchange.dispatch import Dispatcher
from codex_proapi.gateway.exchange.exchange import Reader
from codex_proapi.gateway.exchange.stored_responses import ResponseStore
from codex_proapi.gateway.limits.expected_output import ExpectedOutput
from codex_proapi.gateway.limits.stream_permits import StreamPermits
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.admission_control import AdmissionControl
from codex_proapi.gateway.pool.slot_queue import AccountQueue
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.server.body_budget import BodyBudget
from codex_proapi.gateway.server.in_flight import InFlight
from codex_proapi.gateway.server.ticker import Ticker
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServingOptions:
    """Options that live settings may change while the process runs."""

    def __init__(self, prices: PriceView) -> None:
        self.prices = prices
        """What tokens cost, for budgets in money."""
        self.history_mode = HistoryMode.STRUCTURED
        """How conversations are put into upstream's `input`."""
        self.reasoning_summary = ReasoningSummary.MODEL
        """The reasoning summary where neither client nor key says which."""
        self.model_fallbacks: Mapping[str, str] = {}
        """Models that serve where no account can serve others, unless the key says otherwise."""
        self.small_work_models: Mapping[str, str] = {}
        """Models by class of small work, unless the key says otherwise."""
        self.model_substitution = ModelSubstitution.ACCEPT
        """What happens to an answer that another model gives."""
        self.luna_reserve = LunaReserve.OFF
        """Whether requests may be served by accounts' reserves."""
        self.calendar = UTC
        """Whose days and months budgets count."""

    def __repr__(self) -> str:
        return f"<ServingOptions {self.history_mode.value}>"


class Dependencies(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that serving an exchange uses, passed as one value."""

    admission_control: AdmissionControl
    authenticator: Authenticator
    bodies: BodyBudget
    catalogues: ModelCatalogues
    clock: SharedClock
    dispatcher: Dispatcher
    expected_output: ExpectedOutput
    drift: UpstreamDrift
    """Notes what the backend sent that is not known."""
    in_flight: InFlight
    metrics: Metrics
    options: ServingOptions
    patience: float
    """Seconds after which a streaming client gets its 200 before the first event."""
    whole_patience: float
    """Seconds after which an answer in one piece gets its 200 and blank space; 0 for never."""
    queue: AccountQueue
    readers: tuple[Reader, ...]
    """Called with the record of each settled exchange."""
    responses: ResponseStore
    stream_permits: StreamPermits
    tasks: Tasks
    ticker: Ticker
    reserve_models: Callable[[], frozenset[str]] = frozenset
    """Gives the models that reserves of accounts serve."""
