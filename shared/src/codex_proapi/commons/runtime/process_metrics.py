"""Prometheus series that every process exposes beside those of its service."""

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from codex_proapi.commons.runtime.line_writer import DROPPED
from codex_proapi.commons.runtime.stored_records import UNREADABLE


class ProcessMetrics(Collector):
    """The series `<service>_task_failures_total`, `…_unreadable_records_total`, `…_log_lines_dropped_total`.

    Args:
        service: Prefix of the names.
        registry: Where they are registered.
    """

    def __init__(self, service: str, registry: CollectorRegistry) -> None:
        self._service = service
        self.task_failures: Mapping[str, int] = {}
        """Failures by name of the background loop: `Tasks.failures`."""
        registry.register(self)

    def __repr__(self) -> str:
        return f"<ProcessMetrics of {self._service}>"

    def collect(self) -> Iterator[Metric]:
        """The series as they are now."""
        yield _counter(
            f"{self._service}_task_failures",
            "Background loops that failed and were begun again, by name.",
            label="task",
            counts=self.task_failures,
        )
        yield _counter(
            f"{self._service}_unreadable_records",
            "Records in Redis that this version cannot read and left out, by kind.",
            label="kind",
            counts=UNREADABLE.counts,
        )
        yield CounterMetricFamily(
            f"{self._service}_log_lines_dropped",
            "Lines of the log that were dropped, because nobody read or they could not be written.",
            value=DROPPED.count,
        )


def _counter(name: str, text: str, *, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in sorted(counts.items()):
        family.add_metric((value,), count)
    return family
