"""What every wire has in common."""

from codex_proapi.commons.usage.exchange_record import Ending
from codex_proapi.gateway.translation.stream.stream_translator import UNKNOWN_NAMES, ResponseReport


def test_names_of_unknown_events_are_counted_but_bounded() -> None:
    report = ResponseReport()
    for i in range(UNKNOWN_NAMES + 10):
        report.count_unknown(f"event.{i}")
    report.count_unknown("event.0")

    assert report.unknown_events["event.0"] == 2
    assert report.unknown_events["other"] == 10
    assert len(report.unknown_events) == UNKNOWN_NAMES + 1


def test_a_report_shows_its_ending_and_nothing_of_the_answer() -> None:
    report = ResponseReport()
    report.response = b"secret"
    assert repr(report) == "<ResponseReport open >"

    report.ending, report.code = Ending.BROKEN, "server_error"
    assert repr(report) == "<ResponseReport broken server_error>"
