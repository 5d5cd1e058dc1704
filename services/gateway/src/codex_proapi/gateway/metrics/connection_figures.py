"""The series about connections to the backend: how many are open, and what opening one costs."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from codex_proapi.gateway.metrics.histograms import HotCounter, HotHistogram, LabelledCount

CONNECT_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2.5, 5)
"""Seconds; a step takes one round trip or two, and all of them five seconds at most."""
KINDS: Final = ("http", "websocket")
STATES: Final = ("busy", "idle")
STEPS: Final = ("dns", "tcp", "proxy", "tls")


class ConnectionObserver:
    """Observes how the connections of one kind are opened."""

    def __init__(self, opened: LabelledCount, seconds: HotHistogram) -> None:
        self._opened = opened
        self._seconds = {step: seconds.of(step) for step in STEPS}

    def __repr__(self) -> str:
        return "<ConnectionObserver>"

    def opened(self) -> None:
        """Count a connection that is open, TLS included."""
        self._opened.count += 1

    def took(self, step: str, seconds: float) -> None:
        """Observe one completed step of opening a connection, one of `STEPS`."""
        self._seconds[step].note(seconds)


class ConnectionFigures:
    """The series of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._opened = HotCounter(
            "gateway_upstream_connections_opened",
            "Connections to the backend that were opened, by kind.",
            labels=("kind",),
        )
        self._seconds = HotHistogram(
            "gateway_upstream_connect_seconds",
            "How long the steps of opening a connection to the backend took, by step.",
            labels=("step",),
            bounds=CONNECT_BUCKETS,
        )
        registry.register(self._opened)
        registry.register(self._seconds)
        self._open = Gauge(
            "gateway_upstream_connections",
            "Open connections to the backend, by kind and whether one carries an answer.",
            ("kind", "state"),
            registry=registry,
        )
        self._counted: dict[tuple[str, str], list[Callable[[], int]]] = {}
        for kind in KINDS:
            self._opened.of(kind)
            for state in STATES:
                counts = self._counted[kind, state] = []
                self._open.labels(kind, state).set_function(_sum_of(counts))

    def __repr__(self) -> str:
        return "<ConnectionFigures>"

    def observer(self, kind: str) -> ConnectionObserver:
        """The observer of connections of a kind, one of `KINDS`."""
        return ConnectionObserver(self._opened.of(kind), self._seconds)

    def watch(self, kind: str, *, busy: Callable[[], int], idle: Callable[[], int]) -> None:
        """Include one more client's connections in the gauge; the functions count them now."""
        self._counted[kind, "busy"].append(busy)
        self._counted[kind, "idle"].append(idle)


def _sum_of(counts: list[Callable[[], int]]) -> Callable[[], float]:
    return lambda: float(sum(count() for count in counts))
