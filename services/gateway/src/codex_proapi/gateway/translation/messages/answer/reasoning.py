"""Translates reasoning into `thinking` blocks: summaries are the text, encrypted content the signature.

Consecutive reasoning items are one block. Its signature comes once, just before its end, and has the
content of every finished item: the content in `output_item.added` is a snapshot, which is used only
if `output_item.done` has none.
"""

from typing import Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, reader
from codex_proapi.gateway.formats.anthropic.events import (
    signature_delta,
    thinking_block,
    thinking_delta,
)
from codex_proapi.gateway.formats.codex.items import ReasoningItem
from codex_proapi.gateway.translation.messages.answer.blocks import Block, BlockQueue
from codex_proapi.gateway.translation.messages.answer.signature import sealed
from codex_proapi.gateway.translation.stream.delta_tracker import DeltaTracker, Position
from codex_proapi.gateway.translation.stream.stream_translator import ResponseReport

BETWEEN_PARTS: Final = "\n\n"
"""Separates the parts of a reasoning summary."""
SUMMARY: Final = "summary"
RAW: Final = "raw"
"""Two forms of the same reasoning. The form that comes first is written, the other left out."""


class _Encrypted(msgspec.Struct):
    encrypted_content: str | None = None


_read: Final = reader(_Encrypted)


class Reasoning:
    """The thinking blocks of one answer."""

    __slots__ = (
        *("_contents", "_kind", "_part", "_parts", "_queue", "_report", "_snapshots"),
        *("_summaries", "_visible", "block", "position"),
    )

    def __init__(
        self, queue: BlockQueue, *, visible: bool, summaries: bool, report: ResponseReport
    ) -> None:
        """Create the state of an answer.

        Args:
            queue: The blocks of the answer.
            visible: Whether thinking blocks are written at all.
            summaries: Whether they have text.
            report: Names the account that answers, for signatures.
        """
        self.position: tuple[int | None, int | None] | None = None
        """Output and summary index whose next delta can take the fast path; None for none."""
        self._queue = queue
        self._visible = visible
        self._summaries = summaries
        self._report = report
        self._parts = DeltaTracker()
        self._kind: str | None = None
        self._part: tuple[str | int | None, int | None] | None = None
        self.block: Block | None = None
        """The open block, if any."""
        self._contents: list[str] = []
        self._snapshots: dict[str | None, str] = {}

    def __repr__(self) -> str:
        return f"<Reasoning {'open' if self.block else 'closed'}>"

    def piece(self, text: str, position: Position, kind: str) -> None:
        """Write a delta; parts of a block are separated by a blank line."""
        wanted = self._visible and self._summaries and self._kind in (None, kind)
        if not text or not wanted:
            return
        self._parts.note(position)
        block = self._open()
        item_id, output_index, part = position
        this = (item_id if output_index is None else output_index, part)
        between = BETWEEN_PARTS if self._part not in (None, this) else ""
        self._part, self._kind = this, kind
        self.position = (output_index, part) if kind == SUMMARY else None
        block.ready = True
        block.waiting.append(thinking_delta(between + text))

    def part_done(self, text: str, position: Position, kind: str) -> None:
        """Write a whole part, unless its deltas were written."""
        if not self._parts.has(position):
            self.piece(text, position, kind)

    def added(self, raw: Raw, item: ReasoningItem) -> None:
        """Begin a reasoning item; its content so far is a snapshot."""
        if self._visible and (content := _content(raw)):
            self._snapshots[item.id] = content

    def done(self, raw: Raw, item: ReasoningItem, output_index: int | None) -> None:
        """Finish a reasoning item: write what is missing of its text, keep its content."""
        for kind, parts in ((SUMMARY, item.summary), (RAW, item.content)):
            for index, part in enumerate(parts or ()):
                if part.text:
                    self.part_done(part.text, (item.id, output_index, index), kind)
        content = _content(raw) or self._snapshots.pop(item.id, "")
        if self._visible and content:
            self._open()
            self._contents.append(content)

    def finish(self) -> None:
        """End the answer: drop a block that would have only a signature, end any other."""
        block = self.block
        if block is not None and not block.ready:
            self.block = None
            self._contents.clear()
            self._queue.discard(block)
        self._close()

    def _open(self) -> Block:
        if self.block is None:
            self.block = self._queue.open(thinking_block(), ready=False, close=self._close)
        return self.block

    def _close(self) -> None:
        """Write the signature of the block and end it."""
        block, self.block = self.block, None
        if block is None:
            return
        if signature := sealed(self._report.account, self._contents):
            block.waiting.append(signature_delta(signature))
        block.ready = block.ended = True
        self._contents = []
        self._part = self.position = None


def _content(raw: Raw) -> str:
    try:
        return _read(raw).encrypted_content or ""
    except DECODE_ERRORS:
        return ""
