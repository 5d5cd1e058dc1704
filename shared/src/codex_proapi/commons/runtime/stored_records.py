"""Decodes stored records that another version of the product may have written.

Fields this version does not know are ignored. A record that cannot be decoded is skipped, counted
and logged once, so that one bad record does not fail a request.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import structlog

T = TypeVar("T")

MOST_REMEMBERED = 1000
"""Most records that are remembered as logged already."""

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
