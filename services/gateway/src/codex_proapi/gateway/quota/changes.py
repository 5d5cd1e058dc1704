"""Counts changes of quotas in readings, so that selections are prepared anew only where it matters."""

from collections.abc import Sequence
from typing import Final

from codex_proapi.commons.codex.quota_parser import SPENT_PERCENT

MATERIAL_PERCENT: Final = 5.0
"""Percentage points by which a window's use changes materially; to be spent, or not, always does."""


class QuotaChanges:
    """What the last readings of each limit said, and how often that has changed."""

    def __init__(self) -> None:
        self.read: dict[tuple[str, str], Sequence[str | float]] = {}
        """What the last reading of each account's limits said; one that says the same changes nothing."""
        self._marked: dict[tuple[str, str], Sequence[float]] = {}
        self.all = 0
        """Readings with other figures than before."""
        self.material = 0
        """Those that differ materially from the last that did, and reads of all that is stored."""

    def __repr__(self) -> str:
        return f"<QuotaChanges, {self.material} of {self.all} material>"

    def note(self, account_id: str, limit: str, used: Sequence[str | float]) -> None:
        """Note a reading.

        Args:
            account_id: the account.
            limit: the limit, and its source where several tell of it.
            used: percent used of each of its windows, as numbers or in the words of a header.
        """
        key = account_id, limit
        if self.read.get(key) == used:
            return
        self.read[key] = used
        self.all += 1
        figures = [_percent(each) for each in used]
        marked = self._marked.get(key, ())
        if len(marked) != len(figures) or any(map(_differs, marked, figures)):
            self._marked[key] = figures
            self.material += 1


def _percent(used: str | float) -> float:
    """Percent used; -1 if it cannot be read."""
    try:
        return float(used)
    except ValueError:
        return -1.0


def _differs(before: float, used: float) -> bool:
    spent = used >= SPENT_PERCENT
    return spent != (before >= SPENT_PERCENT) or abs(used - before) >= MATERIAL_PERCENT
