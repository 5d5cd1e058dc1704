"""Every series the console shows Prometheus. Labels come from closed sets, never from a visitor."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets of answer times; streams end in the last one and beyond."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The console's series on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._requests = Counter(
            "console_http_requests",
            "Requests answered, by route and status.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "console_http_seconds",
            "Seconds until an answer was complete, by route.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.sign_ins = Counter(
            "console_sign_ins",
            "Sign-ins to the console, by outcome: signed_in, refused, limited.",
            ("outcome",),
            registry=registry,
        )
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
        self.streams = Gauge(
            "console_streams",
            "Open streams to browsers, by kind.",
            ("stream",),
            registry=registry,
        )
        self.store_failures = Counter(
            "console_store_failures",
            "Requests that failed because Redis did not answer.",
            registry=registry,
        )

    def __repr__(self) -> str:
        return "<Metrics of the console>"

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is the template, so paths cannot make series."""
        method = method if method in METHODS else "other"
        self._requests.labels(method=method, route=route, status=str(status)).inc()
        self._seconds.labels(route=route).observe(seconds)

    def exposition(self) -> tuple[bytes, str]:
        """What `/metrics` answers, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4
