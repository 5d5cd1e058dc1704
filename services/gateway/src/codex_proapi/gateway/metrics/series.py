"""The gateway's Prometheus series: their names, descriptions, labels and buckets.

What is counted in them, and when, is `registry`'s. All are documented in docs/metrics.md.
"""

import enum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from codex_proapi.commons.api_keys.limits import Limit
from codex_proapi.commons.runtime.process_metrics import ProcessMetrics
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.metrics.answer_figures import AnswerFigures
from codex_proapi.gateway.metrics.connection_figures import ConnectionFigures
from codex_proapi.gateway.metrics.histograms import HotCounter, HotHistogram
from codex_proapi.gateway.metrics.quota_gauges import QuotaFigures
from codex_proapi.gateway.metrics.state_figures import StateFigures
from codex_proapi.gateway.metrics.transport_figures import TransportFigures

OTHER: Final = "other"
"""Label of values outside of the closed sets."""
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
TOKEN_KINDS: Final = Tokens.__struct_fields__
REFRESH_OUTCOMES = ("refreshed", "confirmed", "superseded", "refused", "unavailable")
CONNECT_CAUSES = ("dns", "tcp", "tls", "proxy", "timeout", OTHER)
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


class Series:
    """The series of one process, registered on `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # One more series for each, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        self.process = ProcessMetrics("gateway", registry)
        self.answers = AnswerFigures(registry)
        self.connections = ConnectionFigures(registry)
        self.states = StateFigures(registry)
        self.transports = TransportFigures(registry)
        self._declare_exchanges(registry)
        self._declare_upstream(registry)
        self._declare_accounts(registry)
        self._declare_redis(registry)
        self._declare_process(registry)
        for collector in (
            *(self.exchanges, self.tokens, self.key_tokens, self.attempts),
            *(self.duration, self.first_byte, self.silence, self.gaps, self.snapshot_seconds),
        ):
            registry.register(collector)
        self._begin()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _declare_exchanges(self, registry: CollectorRegistry) -> None:
        self.exchanges = HotCounter(
            "gateway_exchanges",
            "Settled exchanges by endpoint, ending and the model sent upstream.",
            labels=("endpoint", "ending", "sent_model"),
        )
        self.errors = Counter(
            "gateway_errors",
            "Errors clients saw, by endpoint, status and code; status 200 is an error in the "
            "middle of a stream.",
            ("endpoint", "status", "code"),
            registry=registry,
        )
        self.duration = HotHistogram(
            "gateway_exchange_seconds",
            "From admission to settlement.",
            labels=("endpoint", "ending"),
            bounds=EXCHANGE_BUCKETS,
        )
        self.first_byte = HotHistogram(
            "gateway_first_byte_seconds",
            "From admission to the first word for the client.",
            labels=("endpoint", "sent_model"),
            bounds=FIRST_BYTE_BUCKETS,
        )
        self.tokens = HotCounter(
            "gateway_tokens",
            "Tokens by kind and by the model that answered; cached is part of input, "
            "reasoning of output.",
            labels=("kind", "answered_model"),
        )
        self.key_tokens = HotCounter(
            "gateway_key_tokens",
            "Tokens by API key id and kind.",
            labels=("key", "kind"),
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
            labels=("endpoint",),
            bounds=GAP_BUCKETS,
        )
        self.silence = HotHistogram(
            "gateway_silence_seconds",
            "Longest silence of upstream inside an answer, in whole seconds.",
            labels=("endpoint",),
            bounds=SILENCE_BUCKETS,
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
        self.attempts = HotCounter(
            "gateway_attempts",
            "Attempts by account and verdict; `committed` is a success.",
            labels=("account", "verdict"),
        )
        self.accounts = Gauge(
            "gateway_accounts", "Accounts by state.", ("state",), registry=registry
        )
        self.small_work = Counter(
            "gateway_small_work",
            "Requests of small work, by class and what became of it; `moved` went to its model.",
            ("work", "outcome"),
            registry=registry,
        )
        self.substitutions = Counter(
            "gateway_substitutions",
            "Answers begun by another model than was sent, by account and models.",
            ("account", "sent_model", "answered_model"),
            registry=registry,
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
        self.snapshot_seconds = HotHistogram(
            "gateway_survey_seconds",
            "The look into Redis before upstream, answered or not.",
            labels=(),
            bounds=SNAPSHOT_BUCKETS,
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
            "gateway_build_info",
            "1, with the version that runs, and whether compiled functions serve.",
            ("version", "native"),
            registry=registry,
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
