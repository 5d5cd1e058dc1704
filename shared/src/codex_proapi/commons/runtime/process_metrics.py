"""Prometheus series that every process exposes beside those of its service."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from codex_proapi.commons.runtime.line_writer import DROPPED
from codex_proapi.commons.runtime.stored_records import UNREADABLE

CHECK_SECONDS = 0.5
"""Seconds between two checks of the event loop's lag."""


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


async def watch_lag(
    saw: Callable[[float], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Call `saw` at each check with how late a sleeping task was woken, in seconds; until cancelled.

    A stall that lies wholly between two checks is not seen, so the figures show what happens often,
    not each stall.
    """
    while True:
        asked = clock()
        await sleep(CHECK_SECONDS)
        saw(max(0.0, clock() - asked - CHECK_SECONDS))


def _counter(name: str, text: str, *, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in sorted(counts.items()):
        family.add_metric((value,), count)
    return family
