"""Tracks which parts of an answer came in deltas, so that nothing is passed on twice.

Upstream sends everything up to four times: in deltas, in a `.done` event, in the finished item and
in the completed response. Whatever comes first is passed on; the rest is recognised here.
"""

Position = tuple[str | None, int | None, int | None]
"""Item id, output index and the part's index within the item; each may be missing."""


class DeltaTracker:
    """The parts of one kind (text, refusal, …) of which deltas have come.

    A part is known by its item's id or by its output index: either may be missing, and some
    proxies in between change the ids from event to event.
    """

    def __init__(self) -> None:
        # Most answers have one of three kinds: an empty set takes as much memory as the rest of this.
        self._by_id: set[tuple[str, int]] | None = None
        self._by_index: set[tuple[int, int]] | None = None
        self._nameless = False

    def __repr__(self) -> str:
        return f"<DeltaTracker {len({*(self._by_id or ()), *(self._by_index or ())})} parts>"

    def note(self, position: Position) -> None:
        """Note that a delta of this part has come."""
        item_id, output_index, part = position
        if item_id is not None:
            if self._by_id is None:
                self._by_id = set()
            self._by_id.add((item_id, part or 0))
        if output_index is not None:
            if self._by_index is None:
                self._by_index = set()
            self._by_index.add((output_index, part or 0))
        if item_id is None and output_index is None:
            self._nameless = True

    def has(self, position: Position) -> bool:
        """Whether any delta of this part has come."""
        item_id, output_index, part = position
        return (
            self._nameless
            or (item_id, part or 0) in (self._by_id or ())
            or (output_index, part or 0) in (self._by_index or ())
        )
