"""Tracks which parts of an answer came in deltas, so that nothing is passed on twice.

Upstream sends everything up to four times: in deltas, in a `.done` event, in the finished item and
in the completed response. Whatever comes first is passed on; the rest is recognised here.
"""

import msgspec

Position = tuple[str | None, int | None, int | None]
"""Item id, output index and the part's index within the item; each may be missing."""


class DeltaTracker(msgspec.Struct):
    """The parts of one kind (text, refusal, …) of which deltas have come.

    A part is known by its item's id or by its output index: either may be missing, and some
    proxies in between change the ids from event to event.
    """

    last: Position | None = None
    """The part of the latest delta: of most answers the only one."""
    by_id: set[tuple[str, int]] | None = None
    """The parts before it, by item id; None while there are none."""
    by_index: set[tuple[int, int]] | None = None
    """The same by output index."""
    nameless: bool = False
    """Whether one of them had neither."""

    def __repr__(self) -> str:
        return f"<DeltaTracker at {self.last}>"

    def note(self, position: Position) -> None:
        """Note that a delta of this part has come."""
        before, self.last = self.last, position
        if before is not None and before != position:
            self._keep(before)

    def has(self, position: Position) -> bool:
        """Whether any delta of this part has come."""
        if self.last is None:
            return False
        item_id, output_index, part = position
        last_id, last_index, last_part = self.last
        if (part or 0) == (last_part or 0) and (
            (item_id is not None and item_id == last_id)
            or (output_index is not None and output_index == last_index)
        ):
            return True
        return (
            self.nameless
            or (last_id is None and last_index is None)
            or (item_id, part or 0) in (self.by_id or ())
            or (output_index, part or 0) in (self.by_index or ())
        )

    def _keep(self, position: Position) -> None:
        item_id, output_index, part = position
        if item_id is not None:
            if self.by_id is None:
                self.by_id = set()
            self.by_id.add((item_id, part or 0))
        if output_index is not None:
            if self.by_index is None:
                self.by_index = set()
            self.by_index.add((output_index, part or 0))
        if item_id is None and output_index is None:
            self.nameless = True
