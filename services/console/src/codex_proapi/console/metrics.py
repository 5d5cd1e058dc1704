"""The console's Prometheus series. Label values come from closed sets, never from a request."""

import enum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from codex_proapi.commons.codex.reset_credits import RedeemOutcome
from codex_proapi.commons.runtime.process_metrics import ProcessMetrics

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets of answer times."""
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Buckets of how late the event loop is, in seconds."""

SIGN_IN_OUTCOMES = ("signed_in", "refused", "limited")
RESET_OUTCOMES = (*(outcome.value for outcome in RedeemOutcome), "unreadable")
REFRESH_OUTCOMES = ("refreshed", "confirmed", "superseded", "refused", "unavailable")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RedisWork(enum.StrEnum):
    """What Redis was used for when it failed: the label of `redis_failed`."""

    REQUEST = "request"
    """To answer a request, which got an error."""
    FOLLOW = "tail"
    """Reading the log along: live views stand still."""
    UPKEEP = "upkeep"
    """Showing that this replica lives: the others think it gone."""
    ALERTS = "alerts"
    """Looking for alerts and delivering them: they come later."""


ALERT_RESULTS = ("delivered", "failed", "given_up", "dropped")


class Metrics:
    """The console's series on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # Disables the `_created` series.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        self.process = ProcessMetrics("console", registry)
        self._declare_requests(registry)
        self._declare_accounts(registry)
        self._declare_resets(registry)
        self._declare_alerts(registry)
        self._declare_process(registry)
        self._begin()

    def __repr__(self) -> str:
        return "<Metrics of the console>"

    def _declare_requests(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "console_http_requests",
            "Requests answered, by route and status.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "console_http_seconds",
            "Seconds until an answer was complete, by route; streams are not counted.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.sign_ins = Counter(
            "console_sign_ins",
            "Sign-ins to the console, owners' invitations too, by outcome: signed_in, refused, limited.",
            ("outcome",),
            registry=registry,
        )
        self.streams = Gauge(
            "console_streams",
            "Open streams to browsers, by kind.",
            ("stream",),
            registry=registry,
        )

    def _declare_accounts(self, registry: CollectorRegistry) -> None:
        self.logins = Counter(
            "console_logins",
            "Logins of accounts, by way and outcome (done or an error code).",
            ("way", "outcome"),
            registry=registry,
        )
        self.refreshes = Counter(
            "console_refreshes",
            "Credential refreshes this console made, by outcome.",
            ("outcome",),
            registry=registry,
        )

    def _declare_resets(self, registry: CollectorRegistry) -> None:
        self.reset_redemptions = Counter(
            "console_reset_redemptions",
            "Tries to redeem a saved reset, by outcome; unreadable entries of lists too.",
            ("outcome",),
            registry=registry,
        )

    def _declare_alerts(self, registry: CollectorRegistry) -> None:
        self.alerts_firing = Gauge(
            "console_alerts_firing",
            "Alerts that have begun and not ended, by kind; every console has the same figure.",
            ("alert",),
            registry=registry,
        )
        self.alert_deliveries = Counter(
            "console_alert_deliveries",
            "Tries to deliver an alert, by result: delivered, failed, given_up, dropped.",
            ("result",),
            registry=registry,
        )
        self.alert_deliveries_pending = Gauge(
            "console_alert_deliveries_pending",
            "Messages of alerts that wait for a try; every console has the same figure.",
            registry=registry,
        )

    def _declare_process(self, registry: CollectorRegistry) -> None:
        self.redis_errors = Counter(
            "console_redis_errors",
            "Redis did not answer or refused, by what it was asked for.",
            ("work",),
            registry=registry,
        )
        self.loop_lag = Histogram(
            "console_loop_lag_seconds",
            "How late the event loop is, looked at twice a second.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self.build = Gauge(
            "console_build_info", "1, with the version that runs.", ("version",), registry=registry
        )

    def _begin(self) -> None:
        """Start rare counters at 0, so that their first increase is seen."""
        for counter, labels in (
            (self.redis_errors, [work.value for work in RedisWork]),
            (self.sign_ins, SIGN_IN_OUTCOMES),
            (self.refreshes, REFRESH_OUTCOMES),
            (self.alert_deliveries, ALERT_RESULTS),
            (self.reset_redemptions, RESET_OUTCOMES),
        ):
            for label in labels:
                counter.labels(label)

    def answered(self, *, method: str, route: str, status: int, seconds: float | None) -> None:
        """Count one response.

        Args:
            method: HTTP method.
            route: The route's template, so that paths cannot create series.
            status: HTTP status.
            seconds: Duration; None for a stream, whose length says nothing of speed.
        """
        method = method if method in METHODS else "other"
        self._requests.labels(method=method, route=route, status=str(status)).inc()
        if seconds is not None:
            self._seconds.labels(route=route).observe(seconds)

    def redis_failed(self, work: RedisWork) -> None:
        """Count one failure of Redis."""
        self.redis_errors.labels(work.value).inc()

    def exposition(self) -> tuple[bytes, str]:
        """What `/metrics` answers, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4
