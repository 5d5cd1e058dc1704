"""Every Prometheus series of the gateway, by name, on a registry that is handed over.

Labels come from closed sets: endpoints, endings, opaque account ids, models the catalogue knows.
Never from a client's text. What happened is decided elsewhere; this module only counts it.
"""

from collections.abc import Callable, Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from commons.accounts.quota import SeenQuota
from commons.records import ExchangeRecord
from gateway.dialects.quota import window_name

OTHER = "other"
"""Label of a model that no catalogue knows."""

FIRST_BYTE_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600)
"""Seconds; a reasoning model may stay silent for minutes."""
SILENCE_BUCKETS = (1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300)
"""Seconds; silences are counted in whole ones."""
EXCHANGE_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 180, 300, 450, 600)
"""Seconds; a long answer takes ten minutes."""
TOKEN_KINDS = ("input", "cached", "cache_write", "output", "reasoning")


class Metrics:
    """The series of one process. Children are made once for each label set and kept."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._known_models: Collection[str] = ()
        self._settled: dict[tuple[str, str, str], Callable[[ExchangeRecord], None]] = {}
        self._counted: dict[tuple[str, ...], Counter] = {}
        self._declare_exchanges(registry)
        self._declare_accounts(registry)
        self._declare_process(registry)

    def __repr__(self) -> str:
        return f"<Metrics with {len(self._settled)} kinds of exchange>"

    def _declare_exchanges(self, registry: CollectorRegistry) -> None:
        self.exchanges = Counter(
            "gateway_exchanges",
            "Settled exchanges by endpoint and ending.",
            ("endpoint", "ending"),
            registry=registry,
        )
        self.errors = Counter(
            "gateway_errors", "Errors clients saw, by status.", ("status",), registry=registry
        )
        self.first_byte = Histogram(
            "gateway_first_byte_seconds",
            "From admission to the first word for the client.",
            ("endpoint",),
            buckets=FIRST_BYTE_BUCKETS,
            registry=registry,
        )
        self.duration = Histogram(
            "gateway_exchange_seconds",
            "From admission to settlement.",
            ("endpoint",),
            buckets=EXCHANGE_BUCKETS,
            registry=registry,
        )
        self.silence = Histogram(
            "gateway_silence_seconds",
            "Longest silence of upstream inside an answer, in whole seconds.",
            ("endpoint",),
            buckets=SILENCE_BUCKETS,
            registry=registry,
        )
        self.key_tokens = Counter(
            "gateway_key_tokens",
            "Tokens by API key id and kind.",
            ("key", "kind"),
            registry=registry,
        )
        self.tokens = Counter(
            "gateway_tokens",
            "Tokens by kind and by the model that answered; cached is part of input, "
            "reasoning of output.",
            ("kind", "answered_model"),
            registry=registry,
        )
        self.dropped = Counter(
            "gateway_dropped_parameters",
            "Parameters accepted and left out of the upstream request.",
            registry=registry,
        )
        self.unknown_events = Counter(
            "gateway_unknown_events",
            "Upstream events this version does not know.",
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
        self.quota_used = Gauge(
            "gateway_quota_used_ratio",
            "Used part of a quota window, as last seen; 1 is spent.",
            ("account", "window"),
            registry=registry,
        )
        self.quota_reset = Gauge(
            "gateway_quota_reset_timestamp_seconds",
            "When a quota window begins anew.",
            ("account", "window"),
            registry=registry,
        )
        self.refreshes = Counter(
            "gateway_refreshes", "Refreshes by outcome.", ("outcome",), registry=registry
        )
        self.budget_refusals = Counter(
            "gateway_retry_budget_refusals",
            "Retries of transient faults given up because too many were under way.",
            registry=registry,
        )

    def _declare_process(self, registry: CollectorRegistry) -> None:
        self.in_flight = Gauge(
            "gateway_exchanges_in_flight", "Exchanges under way.", registry=registry
        )
        self.refused_at_door = Counter(
            "gateway_refused_at_door",
            "Requests refused before an exchange began, by error code.",
            ("code",),
            registry=registry,
        )
        self.settle_failures = Counter(
            "gateway_settle_failures",
            "Settlements that could not be written; they are kept and written later, or lost "
            "when the ledger is full.",
            registry=registry,
        )
        self.ledger_pending = Gauge(
            "gateway_ledger_pending", "Settlements waiting to be written.", registry=registry
        )
        self.draining = Gauge(
            "gateway_draining", "1 while this replica is shutting down.", registry=registry
        )

    def know_models(self, models: Collection[str]) -> None:
        """Take the names that may become labels; all others are counted as `other`."""
        self._known_models = models

    def settle(self, record: ExchangeRecord) -> None:
        """Count one settled exchange: one of the four readers of a record."""
        model = self._model_label(record.answered_model)
        kind = (record.endpoint, record.ending.value, model)
        count = self._settled.get(kind)
        if count is None:
            count = self._settled[kind] = self._counter_of(kind)
        count(record)
        for attempt in record.attempts:
            self._child(self.attempts, attempt.account, attempt.verdict).inc()
        if record.status >= 400:  # noqa: PLR2004 - HTTP's own border
            self._child(self.errors, str(record.status)).inc()
        if record.key_id:
            for name in TOKEN_KINDS:
                if amount := getattr(record.tokens, name):
                    self._child(self.key_tokens, record.key_id, name).inc(amount)
        if record.dropped:
            self.dropped.inc(len(record.dropped))

    def show_accounts(self, states: Mapping[str, int]) -> None:
        """Set how many accounts are in each state."""
        for state, count in states.items():
            self.accounts.labels(state).set(count)

    def show_quotas(self, quotas: Mapping[str, SeenQuota]) -> None:
        """Set what is known of each account's general windows; accounts that are gone go."""
        self.quota_used.clear()
        self.quota_reset.clear()
        for account, quota in quotas.items():
            for window in quota.windows:
                labels = account, window_name(window.minutes)
                self.quota_used.labels(*labels).set(window.used_percent / 100)
                if window.resets_at:
                    self.quota_reset.labels(*labels).set(window.resets_at)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _model_label(self, model: str) -> str:
        if not model:
            return ""
        return model if model in self._known_models else OTHER

    def _child(self, counter: Counter, *labels: str) -> Counter:
        # `labels()` takes a lock and rebuilds its key on each call: half the cost of counting.
        known = self._counted.get((counter._name, *labels))  # noqa: SLF001 - its only public name
        if known is None:
            known = self._counted[counter._name, *labels] = counter.labels(*labels)  # noqa: SLF001
        return known

    def _counter_of(self, kind: tuple[str, str, str]) -> Callable[[ExchangeRecord], None]:
        """A function with every child of one kind of exchange already looked up."""
        endpoint, ending, model = kind
        exchanges = self.exchanges.labels(endpoint, ending)
        first_byte = self.first_byte.labels(endpoint)
        duration = self.duration.labels(endpoint)
        silence = self.silence.labels(endpoint)
        tokens = {kind: self.tokens.labels(kind, model) for kind in TOKEN_KINDS} if model else {}

        def count(record: ExchangeRecord) -> None:
            exchanges.inc()
            duration.observe(record.total_ms / 1000)
            if record.first_byte_ms:
                first_byte.observe(record.first_byte_ms / 1000)
                silence.observe(record.silence_seconds)
            for name, counter in tokens.items():
                amount = getattr(record.tokens, name)
                if amount:
                    counter.inc(amount)

        return count
