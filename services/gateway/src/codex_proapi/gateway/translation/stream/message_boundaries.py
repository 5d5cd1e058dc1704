"""Tells the messages of one answer apart: where one ends and the next begins, and which is commentary.

Upstream answers in several messages, each with a phase. Dialects whose answers are one text need to
know where to separate them, and what must not stand in a structured answer.
"""

from typing import Final

import msgspec

from codex_proapi.gateway.formats.codex.items import MessageItem
from codex_proapi.gateway.translation.stream.delta_tracker import Position

BETWEEN_MESSAGES: Final = "\n\n"
"""Separates messages."""
COMMENTARY: Final = "commentary"
"""Phase of messages about the work in progress, not its result."""

NONE: Final[frozenset[str | int]] = frozenset()


class MessageBoundaries(msgspec.Struct):
    """The messages of one answer."""

    last: tuple[str | None, int | None] = (None, None)
    """Item id and output index of the latest message."""
    commentary: frozenset[str | int] = NONE
    """The same of those that are commentary."""

    def __repr__(self) -> str:
        return f"<MessageBoundaries at {self.last}>"

    def added(self, item: MessageItem, output_index: int | None) -> None:
        """Remember a message that is commentary."""
        if item.phase == COMMENTARY:
            names = (each for each in (item.id, output_index) if each is not None)
            self.commentary = self.commentary.union(names)

    def is_commentary(self, position: Position) -> bool:
        """Whether a delta belongs to commentary."""
        return not self.commentary.isdisjoint(position[:2])

    def separator(self, position: Position, *, begun: bool) -> str:
        """The separator before a delta: a blank line if it begins another message and text has `begun`."""
        (item_id, index, _), (last_id, last_index) = position, self.last
        if index is not None and last_index is not None:
            differs = index != last_index
        else:
            differs = item_id is not None and last_id is not None and item_id != last_id
        self.last = (
            last_id if item_id is None else item_id,
            last_index if index is None else index,
        )
        return BETWEEN_MESSAGES if begun and differs else ""
