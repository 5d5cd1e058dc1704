"""Unreadable records are counted each time and logged once, without what is in them."""

import msgspec
import pytest
from structlog.testing import capture_logs

from codex_proapi.commons.runtime import stored_records
from codex_proapi.commons.runtime.stored_records import (
    DecodedRecords,
    UnreadableRecords,
    read_fields,
    read_json,
)


class Thing(msgspec.Struct):
    weight: float
    name: str = ""


@pytest.fixture(autouse=True)
def unreadable(monkeypatch: pytest.MonkeyPatch) -> UnreadableRecords:
    fresh = UnreadableRecords()
    monkeypatch.setattr(stored_records, "UNREADABLE", fresh)
    return fresh


def test_what_can_be_read_is_read_and_fields_not_known_are_ignored() -> None:
    assert read_json(b'{"weight": 2, "colour": "x"}', Thing, kind="k", name="1") == Thing(2.0)
    assert read_fields({"weight": "2"}, Thing, kind="k", name="1") == Thing(2.0)


def test_what_cannot_be_read_is_counted_each_time_and_logged_once(
    unreadable: UnreadableRecords,
) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            assert read_fields({"weight": "canary"}, Thing, kind="k", name="1") is None
        for body in (b"canary", b"\xff", b"[]", b'{"weight": "canary"}'):
            assert read_json(body, Thing, kind="k", name="2") is None

    assert unreadable.counts == {"k": 7}
    assert [(each["record"], each["reason"]) for each in logs] == [
        ("1", "$.weight"),
        ("2", "no record"),
    ]
    assert "canary" not in str(logs)


def test_what_is_remembered_is_bounded(
    unreadable: UnreadableRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_records, "MOST_REMEMBERED", 2)
    with capture_logs() as logs:
        for number in range(5):
            unreadable.note("k", str(number), "no record")

    assert (len(logs), unreadable.counts["k"]) == (2, 5)
    assert repr(unreadable) == "<UnreadableRecords {'k': 5}>"


def test_what_is_read_again_unchanged_is_not_decoded_again() -> None:
    decoded: list[str] = []

    def decode(reading: str, name: str) -> str | None:
        decoded.append(name)
        return None if reading == "broken" else reading.upper()

    records: DecodedRecords[str, str] = DecodedRecords()
    assert records.of({"a": "x", "b": "y", "c": "broken"}, decode) == {"a": "X", "b": "Y"}
    assert records.of({"a": "x", "b": "z", "c": "broken"}, decode) == {"a": "X", "b": "Z"}
    assert records.of({"a": "x"}, decode) == {"a": "X"}
    assert decoded == ["a", "b", "c", "b", "c"]


def test_a_bounded_number_of_records_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_records, "MOST_DECODED", 3)
    records: DecodedRecords[int, int] = DecodedRecords()

    for number in range(9):
        records.of({str(number): number}, lambda reading, _: reading)

    assert repr(records) in {f"<DecodedRecords {n}>" for n in range(4)}
