"""The series about transports: WebSocket connections of clients, and the ways to the backend."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from codex_proapi.gateway.metrics.histograms import HotCounter, HotHistogram

FIRST_EVENT_BUCKETS: Final = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 13, 20, 30, 60, 120, 300)
"""Seconds; WebSocket was reported a second, POST four, for the same request."""


class TransportFigures:
    """The series of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.client_sockets = Gauge(
            "gateway_client_sockets",
            "Open WebSocket connections of clients.",
            registry=registry,
        )
        self.first_event = HotHistogram(
            "gateway_upstream_first_event_seconds",
            "From sending a request to the backend to the first event with content, by transport.",
            labels=("transport",),
            bounds=FIRST_EVENT_BUCKETS,
        )
        registry.register(self.first_event)
        self.socket_requests = HotCounter(
            "gateway_upstream_socket_requests",
            "Requests answered over WebSocket, by socket (new, kept) and input (full, incremental).",
            labels=("socket", "input"),
        )
        registry.register(self.socket_requests)
        self.socket_faults = Counter(
            "gateway_upstream_socket_faults",
            "Faults of WebSocket on the way to the backend, by kind; no account is blamed for them.",
            ("kind",),
            registry=registry,
        )

    def __repr__(self) -> str:
        return "<TransportFigures>"
