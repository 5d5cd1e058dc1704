"""The content blocks of one answer, written one after the other in any order of upstream's events.

Clients fail at a delta of a block that is not open, and blocks cannot overlap: the first block that
has not ended is written as its deltas come, the blocks after it are buffered.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from codex_proapi.gateway.formats.anthropic.events import (
    BlockDelta,
    BlockStart,
    BlockStop,
    StreamEvent,
)


class Block(msgspec.Struct, kw_only=True, eq=False):
    """One content block and how much of it was written."""

    opening: dict[str, Any]
    """The block as in `content_block_start`."""
    ready: bool
    """Whether it may be written; false while it may still be dropped."""
    waiting: list[dict[str, Any]] = []
    """Deltas that are not written yet."""
    ended: bool = False
    """Whether no delta will follow."""
    index: int = -1
    """Its index in the message, once it has begun; -1 before."""

    @property
    def begun(self) -> bool:
        """Whether its start was written."""
        return self.index >= 0


class BlockQueue:
    """The blocks that are not completely written."""

    __slots__ = ("_blocks", "_close_tail", "_next_index", "opened", "tail")

    def __init__(self) -> None:
        self.tail: Block | None = None
        """The last block, until another is opened or it is closed."""
        self.opened = 0
        """The number of blocks opened."""
        self._blocks: list[Block] = []
        self._next_index = 0
        self._close_tail: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<BlockQueue {self._next_index} begun, {len(self._blocks)} waiting>"

    @property
    def current(self) -> Block | None:
        """The block whose deltas can be written at once: begun, not ended, nothing buffered."""
        head = self._blocks[0] if self._blocks else None
        return head if head is not None and head.index >= 0 and not head.ended else None

    def open(
        self,
        opening: dict[str, Any],
        *,
        ready: bool = True,
        close: Callable[[], None] | None = None,
    ) -> Block:
        """Append a block. `close` is called before another one is opened."""
        if self.tail is not None:
            self.close_tail()
        self.opened += 1
        block = Block(opening=opening, ready=ready)
        self._blocks.append(block)
        self.tail, self._close_tail = block, close
        return block

    def close_tail(self) -> None:
        """Call the `close` of the last block."""
        close, self._close_tail = self._close_tail, None
        if close is not None:
            close()
        self.tail = None

    def discard(self, block: Block) -> None:
        """Drop a block that has not begun."""
        self._blocks.remove(block)
        if self.tail is block:
            self.tail = self._close_tail = None

    def take(self) -> list[StreamEvent]:
        """Return the events that can be written now, and remove them."""
        events: list[StreamEvent] = []
        while self._blocks and self._blocks[0].ready:
            head = self._blocks[0]
            if head.index < 0:
                head.index = self._next_index
                self._next_index += 1
                events.append(BlockStart(head.index, head.opening))
            for delta in head.waiting:
                events.append(BlockDelta(head.index, delta))  # noqa: PERF401 - most have one
            head.waiting.clear()
            if not head.ended:
                break
            events.append(BlockStop(head.index))
            del self._blocks[0]
        return events
