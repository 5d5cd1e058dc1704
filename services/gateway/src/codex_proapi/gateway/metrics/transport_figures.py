"""The series about transports: WebSocket connections of clients."""

from prometheus_client import CollectorRegistry, Gauge


class TransportFigures:
    """The series of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.client_sockets = Gauge(
            "gateway_client_sockets",
            "Open WebSocket connections of clients.",
            registry=registry,
        )

    def __repr__(self) -> str:
        return "<TransportFigures>"
