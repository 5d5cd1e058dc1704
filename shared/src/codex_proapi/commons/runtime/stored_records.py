"""Decodes stored records that another version of the product may have written.

Fields this version does not know are ignored. A record that cannot be decoded is skipped, counted
and logged once, so that one bad record does not fail a request.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
import structlog

T = TypeVar("T")
R = TypeVar("R")

MOST_REMEMBERED = 1000
"""Most records that are remembered as logged already."""
MOST_DECODED = 10_000
"""Most records of one kind that are remembered as decoded; beyond, only those of the last reading."""

log = structlog.get_logger(__name__)


class UnreadableRecords:
    """Counts the records that could not be decoded since the process began, by kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._logged: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"<UnreadableRecords {dict(self.counts)}>"

    def note(self, kind: str, name: str, reason: str) -> None:
        """Count a record; log it if it is new. `name` is an id of ours, `reason` never its content."""
        self.counts[kind] += 1
        if (kind, name) in self._logged or len(self._logged) >= MOST_REMEMBERED:
            return
        self._logged.add((kind, name))
        log.error("record.unreadable", kind=kind, record=name, reason=reason)


UNREADABLE = UnreadableRecords()
"""Of this process; both services show it as a metric."""


class DecodedRecords(Generic[R, T]):
    """Records as they were last decoded: one that is read again unchanged is not decoded again.

    What was read is compared whole, so a record is never older than the reading. Records that
    cannot be decoded are not remembered.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[R, T]] = {}

    def __repr__(self) -> str:
        return f"<DecodedRecords {len(self._held)}>"

    def of(self, readings: Mapping[str, R], decode: Callable[[R, str], T | None]) -> dict[str, T]:
        """The records by name, without those that cannot be decoded.

        Args:
            readings: What was read of each, by name.
            decode: From what was read and the name to the record; None if it is unreadable.
        """
        found: dict[str, tuple[R, T]] = {}
        for name, reading in readings.items():
            held = self._held.get(name)
            if held is not None and held[0] == reading:
                found[name] = held
            elif (record := decode(reading, name)) is not None:
                found[name] = reading, record
        self._held |= found
        if len(self._held) > MOST_DECODED:
            self._held = found
        return {name: record for name, (_, record) in found.items()}


def read_json(body: str | bytes, shape: type[T], *, kind: str, name: str) -> T | None:
    """A record kept as JSON; None if this version cannot read it."""
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeError, ValueError) as error:
        UNREADABLE.note(kind, name, _reason(error))
        return None


def read_fields(fields: Mapping[Any, Any], shape: type[T], *, kind: str, name: str) -> T | None:
    """A record kept as a hash of texts; None if this version cannot read it."""
    try:
        return msgspec.convert(fields, shape, strict=False)
    except (msgspec.MsgspecError, UnicodeError, ValueError) as error:
        UNREADABLE.note(kind, name, _reason(error))
        return None


def _reason(error: Exception) -> str:
    """Where it fails (`$.weight`), without the value: that may be anything."""
    return str(error).rpartition(" - at ")[2].strip("`") if " - at " in str(error) else "no record"
