"""Counters of what is odd in the backend's answers: what this version does not know."""

from prometheus_client import CollectorRegistry, Counter

DRIFT_SORTS = ("event", "field", "refusal")


class AnswerFigures:
    """The counters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.drift = Counter(
            "gateway_upstream_drift",
            "Answers and refusals with something this version does not know: event, field, refusal.",
            ("sort",),
            registry=registry,
        )
        for sort in DRIFT_SORTS:
            self.drift.labels(sort)

    def __repr__(self) -> str:
        return "<AnswerFigures>"
