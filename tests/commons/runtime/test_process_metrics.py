from prometheus_client import CollectorRegistry

from codex_proapi.commons.runtime.line_writer import DROPPED
from codex_proapi.commons.runtime.process_metrics import ProcessMetrics
from codex_proapi.commons.runtime.stored_records import UNREADABLE


def test_failures_of_loops_and_unreadable_records_are_series() -> None:
    registry = CollectorRegistry()
    figures = ProcessMetrics("gateway", registry)
    figures.task_failures = {"beat": 3, "ledger": 0}
    before = UNREADABLE.counts["thing"]
    UNREADABLE.note("thing", "1", "no record")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("gateway_task_failures_total", task="beat") == 3
    assert value("gateway_task_failures_total", task="ledger") == 0
    assert value("gateway_unreadable_records_total", kind="thing") == before + 1
    assert value("gateway_log_lines_dropped_total") == DROPPED.count
    assert repr(figures) == "<ProcessMetrics of gateway>"
