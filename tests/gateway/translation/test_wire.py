"""What every wire has in common."""

from commons.records import Ending
from gateway.translation.wire import UNKNOWN_NAMES, Report


def test_names_of_unknown_events_are_counted_but_bounded() -> None:
    report = Report()
    for i in range(UNKNOWN_NAMES + 10):
        report.count_unknown(f"event.{i}")
    report.count_unknown("event.0")

    assert report.unknown_events["event.0"] == 2
    assert report.unknown_events["other"] == 10
    assert len(report.unknown_events) == UNKNOWN_NAMES + 1


def test_a_report_shows_its_ending_and_nothing_of_the_answer() -> None:
    report = Report()
    report.output_items = [b"secret"]
    assert repr(report) == "<Report open >"

    report.ending, report.code = Ending.BROKEN, "server_error"
    assert repr(report) == "<Report broken server_error>"
