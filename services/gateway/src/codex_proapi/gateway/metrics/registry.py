"""The Prometheus series of the gateway, on a registry that the caller passes.

Label values come from closed sets: endpoints, endings, opaque account ids, models of the catalogue,
codes and parameters of our tables; any other is `other`. No label contains text from a client.
"""

import enum
from collections.abc import Callable, Collection, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

from codex_proapi.commons.api_keys.limits import Limit
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.process_metrics import ProcessMetrics
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.gateway.errors import CODES
from codex_proapi.gateway.formats.openai.parameter_names import counted_as
from codex_proapi.gateway.metrics.histograms import HotHistogram
from codex_proapi.gateway.metrics.quota_gauges import QuotaFigures

OTHER: Final = "other"
"""Label of values outside of the closed sets."""
NONE: Final = "none"
"""Model label of exchanges refused before their model was known."""
MOST_MODELS: Final = 20
"""Most models used as labels on one replica; further ones are counted as `other`."""

FIRST_BYTE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600)
"""Seconds; a reasoning model may stay silent for minutes."""
GAP_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Seconds; a token takes some ten milliseconds, a thought some seconds."""
SILENCE_BUCKETS = (1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600)
"""Seconds; silences are counted in whole ones."""
EXCHANGE_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 180, 300, 450, 600)
"""Seconds; a long answer takes ten minutes."""
SNAPSHOT_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 2)
"""Seconds; a snapshot takes one round trip, and fails after two tries of a second."""
SLOT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
"""Seconds; after thirty the request is refused with a retry time."""
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
"""Seconds."""
TOKEN_KINDS = ("input", "cached", "cache_write", "output", "reasoning")
REFRESH_OUTCOMES = ("refreshed", "superseded", "refused", "unavailable")
CONNECT_CAUSES = ("dns", "tcp", "tls", "timeout", OTHER)
SHAPE_CAUSES = ("refused", "remembered")
EVENT_FAMILIES = ("response", "codex")
"""What the names of upstream's events begin with."""


class RedisWork(enum.StrEnum):
    """Operations on Redis, each with the consequence of a failure; the values are metric labels."""

    AUTHENTICATE = "admit"
    """Looking up a key that is not cached: the request is refused."""
    SNAPSHOT = "survey"
    """Reading the snapshot: the request is refused."""
    SETTLE = "settle"
    """Writing settled exchanges: they are kept and written later."""
    OUTCOME = "learn"
    """Recording the outcome of an attempt: it is lost."""
    KEEP = "keep"
    """Storing a response: the client cannot continue it."""
    SYNC = "upkeep"
    """Synchronising a replica: its settings and accounts may be outdated."""


class Metrics:
    """The series of one process. Children are created once for each label set, then reused."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # One more series for each, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        self.process = ProcessMetrics("gateway", registry)
        self._known_models: Collection[str] = ()
        self._labelled_models: set[str] = set()
        self._settled: dict[tuple[str, str, str, str], Callable[[ExchangeRecord], None]] = {}
        self._counted: dict[tuple[str, ...], Counter] = {}
        self._declare_exchanges(registry)
        self._declare_upstream(registry)
        self._declare_accounts(registry)
        self._declare_redis(registry)
        self._declare_process(registry)
        self._begin()

    def __repr__(self) -> str:
        return f"<Metrics with {len(self._settled)} kinds of exchange>"

    def _declare_exchanges(self, registry: CollectorRegistry) -> None:
        self.exchanges = Counter(
            "gateway_exchanges",
            "Settled exchanges by endpoint, ending and the model sent upstream.",
            ("endpoint", "ending", "sent_model"),
            registry=registry,
        )
        self.errors = Counter(
            "gateway_errors",
            "Errors clients saw, by endpoint, status and code; status 200 is an error in the "
            "middle of a stream.",
            ("endpoint", "status", "code"),
            registry=registry,
        )
        self.duration = Histogram(
            "gateway_exchange_seconds",
            "From admission to settlement.",
            ("endpoint", "ending"),
            buckets=EXCHANGE_BUCKETS,
            registry=registry,
        )
        self.first_byte = Histogram(
            "gateway_first_byte_seconds",
            "From admission to the first word for the client.",
            ("endpoint", "sent_model"),
            buckets=FIRST_BYTE_BUCKETS,
            registry=registry,
        )
        self.tokens = Counter(
            "gateway_tokens",
            "Tokens by kind and by the model that answered; cached is part of input, "
            "reasoning of output.",
            ("kind", "answered_model"),
            registry=registry,
        )
        self.key_tokens = Counter(
            "gateway_key_tokens",
            "Tokens by API key id and kind.",
            ("key", "kind"),
            registry=registry,
        )
        self.limit_refusals = Counter(
            "gateway_limit_refusals",
            "Exchanges that a limit of their key refused, by limit.",
            ("limit",),
            registry=registry,
        )
        self.dropped = Counter(
            "gateway_dropped_parameters",
            "Parameters accepted and left out of the upstream request.",
            ("parameter",),
            registry=registry,
        )

    def _declare_upstream(self, registry: CollectorRegistry) -> None:
        self.gaps = HotHistogram(
            "gateway_read_gap_seconds",
            "Between two reads of upstream inside an answer.",
            label="endpoint",
            bounds=GAP_BUCKETS,
        )
        registry.register(self.gaps)
        self.silence = Histogram(
            "gateway_silence_seconds",
            "Longest silence of upstream inside an answer, in whole seconds.",
            ("endpoint",),
            buckets=SILENCE_BUCKETS,
            registry=registry,
        )
        self.unknown_events = Counter(
            "gateway_unknown_events",
            "Upstream events this version does not know, by what their name begins with.",
            ("family",),
            registry=registry,
        )
        self.upstream_resends = Counter(
            "gateway_upstream_resends",
            "Requests sent again because a kept connection had ended before upstream saw them.",
            registry=registry,
        )
        self.connect_failures = Counter(
            "gateway_upstream_connect_failures",
            "Connections to upstream that could not be made, by the step that failed.",
            ("cause",),
            registry=registry,
        )
        self.shape_changes = Counter(
            "gateway_shape_changes",
            "Requests sent in another shape than they were made in, because the backend refuses that.",
            ("shape", "cause", "web_search"),
            registry=registry,
        )
        self.malformed_events = Counter(
            "gateway_malformed_events",
            "Upstream events that could not be read and did not end the answer.",
            registry=registry,
        )

    def _declare_accounts(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "gateway_attempts",
            "Attempts by account and verdict; `committed` is a success.",
            ("account", "verdict"),
            registry=registry,
        )
        self.accounts = Gauge(
            "gateway_accounts", "Accounts by state.", ("state",), registry=registry
        )
        self.cooldowns = Counter(
            "gateway_cooldowns",
            "Cooldowns begun, by account and reason.",
            ("account", "reason"),
            registry=registry,
        )
        self.waiting = Gauge(
            "gateway_waiting", "Exchanges waiting for a slot of an account.", registry=registry
        )
        self.slot_wait = Histogram(
            "gateway_slot_wait_seconds",
            "How long exchanges waited for a slot that found none free, served or not.",
            buckets=SLOT_BUCKETS,
            registry=registry,
        )
        self.quota = QuotaFigures(registry)
        self.refreshes = Counter(
            "gateway_refreshes", "Refreshes by outcome.", ("outcome",), registry=registry
        )
        self.budget_refusals = Counter(
            "gateway_retry_budget_refusals",
            "Retries of transient faults given up because too many were under way.",
            registry=registry,
        )

    def _declare_redis(self, registry: CollectorRegistry) -> None:
        self.snapshot_seconds = Histogram(
            "gateway_survey_seconds",
            "The look into Redis before upstream, answered or not.",
            buckets=SNAPSHOT_BUCKETS,
            registry=registry,
        )
        self.redis_errors = Counter(
            "gateway_redis_errors",
            "Redis did not answer or refused, by what it was asked for.",
            ("work",),
            registry=registry,
        )
        self.ledger_pending = Gauge(
            "gateway_ledger_pending", "Settlements waiting to be written.", registry=registry
        )
        self.ledger_lost = Counter(
            "gateway_ledger_lost",
            "Settlements that were never written: the ledger was full, or the process ended.",
            registry=registry,
        )

    def _declare_process(self, registry: CollectorRegistry) -> None:
        self.in_flight = Gauge(
            "gateway_exchanges_in_flight", "Exchanges under way.", registry=registry
        )
        self.refused_before_exchange = Counter(
            "gateway_refused_at_door",
            "Requests refused before an exchange began, by error code.",
            ("code",),
            registry=registry,
        )
        self.graced = Counter(
            "gateway_graced",
            "Choices made from memory while Redis was away.",
            registry=registry,
        )
        self.loop_lag = Histogram(
            "gateway_loop_lag_seconds",
            "How late the event loop is, looked at twice a second.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self.draining = Gauge(
            "gateway_draining", "1 while this replica is shutting down.", registry=registry
        )
        self.build = Gauge(
            "gateway_build_info", "1, with the version that runs.", ("version",), registry=registry
        )

    def _begin(self) -> None:
        """Create the series of rare events with value 0, so that the first event shows as an increase."""
        for counter, labels in (
            (self.redis_errors, [work.value for work in RedisWork]),
            (self.limit_refusals, [limit.value for limit in Limit if limit]),
            (self.unknown_events, [*EVENT_FAMILIES, OTHER]),
            (self.refreshes, REFRESH_OUTCOMES),
            (self.connect_failures, CONNECT_CAUSES),
        ):
            for label in labels:
                counter.labels(label)
        for cause in SHAPE_CAUSES:
            self.shape_changes.labels("lite", cause, "yes")

    def know_models(self, models: Collection[str]) -> None:
        """Set the models that may become labels; any other is counted as `other`."""
        self._known_models = models

    def settle(self, record: ExchangeRecord) -> None:
        """Count one settled exchange; a reader of exchange records."""
        kind = (
            *(record.endpoint, record.ending.value),
            *(self._model_label(record.sent_model), self._model_label(record.answered_model)),
        )
        count = self._settled.get(kind)
        if count is None:
            count = self._settled[kind] = self._counter_of(*kind)
        count(record)
        for attempt in record.attempts:
            self._child(self.attempts, attempt.account, attempt.verdict).inc()
        if _failed(record):
            code = record.code if record.code in CODES else OTHER
            self._child(self.errors, record.endpoint, str(record.status), code).inc()
        if record.key_id:
            for name in TOKEN_KINDS:
                if amount := getattr(record.tokens, name):
                    self._child(self.key_tokens, record.key_id, name).inc(amount)
        for name in record.dropped:
            self._child(self.dropped, counted_as(name)).inc()

    def redis_failed(self, work: RedisWork) -> None:
        """Count one failure of Redis."""
        self.redis_errors.labels(work.value).inc()

    def observe_snapshot(self, seconds: float, error: StoreUnavailable | None) -> None:
        """Observe the duration of one snapshot in seconds, and its error if it failed."""
        self.snapshot_seconds.observe(seconds)
        if error is not None:
            self.redis_failed(RedisWork.SNAPSHOT)

    def count_strange_events(self, unknown: Mapping[str, int], *, malformed: int) -> None:
        """Count unknown events of an answer by name, and events that could not be read."""
        for name, count in unknown.items():
            family = name.partition(".")[0]
            self.unknown_events.labels(family if family in EVENT_FAMILIES else OTHER).inc(count)
        self.malformed_events.inc(malformed)

    def connect_failed(self, cause: str) -> None:
        """Count a failure to connect to upstream, by the step that failed."""
        self.connect_failures.labels(cause).inc()

    def show_accounts(self, states: Mapping[str, int]) -> None:
        """Set the number of accounts in each state."""
        for state, count in states.items():
            self.accounts.labels(state).set(count)

    def exposition(self) -> bytes:
        """All series in Prometheus' text format."""
        return generate_latest(self.registry)

    def _model_label(self, model: str) -> str:
        if not model:
            return NONE
        if model in self._labelled_models:
            return model
        if model not in self._known_models or len(self._labelled_models) >= MOST_MODELS:
            return OTHER
        self._labelled_models.add(model)
        return model

    def _child(self, counter: Counter, *labels: str) -> Counter:
        # `labels()` takes a lock and rebuilds its key on each call: half the cost of counting.
        known = self._counted.get((counter._name, *labels))  # noqa: SLF001 - its only public name
        if known is None:
            known = self._counted[counter._name, *labels] = counter.labels(*labels)  # noqa: SLF001
        return known

    def _counter_of(
        self, endpoint: str, ending: str, sent: str, answered: str
    ) -> Callable[[ExchangeRecord], None]:
        """Make a function that counts one kind of exchange, with its children looked up once."""
        exchanges = self.exchanges.labels(endpoint, ending, sent)
        duration = self.duration.labels(endpoint, ending)
        if ending == Ending.REFUSED:
            first_byte = silence = None
        else:
            first_byte = self.first_byte.labels(endpoint, sent)
            silence = self.silence.labels(endpoint)
        tokens = {}
        if answered != NONE:
            tokens = {kind: self.tokens.labels(kind, answered) for kind in TOKEN_KINDS}

        def count(record: ExchangeRecord) -> None:
            exchanges.inc()
            duration.observe(record.total_ms / 1000)
            if record.first_byte_ms and first_byte and silence:
                first_byte.observe(record.first_byte_ms / 1000)
                silence.observe(record.silence_seconds)
            for name, counter in tokens.items():
                amount = getattr(record.tokens, name)
                if amount:
                    counter.inc(amount)

        return count


def _failed(record: ExchangeRecord) -> bool:
    """Whether the client received an error; one that has disconnected received none."""
    return record.ending in (Ending.REFUSED, Ending.BROKEN)
