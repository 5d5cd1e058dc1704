"""Reasoning as `thinking` blocks: summaries as text, encrypted content as the signature.

Reasoning items that follow each other are one block. Its signature comes once, just before its
end, and holds the content of every item that is done: what `output_item.added` has is a snapshot,
which counts only where `output_item.done` brings none.
"""

from collections.abc import Callable
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

BETWEEN_PARTS: Final = "\n\n"
"""Separates the parts of a reasoning summary."""
SUMMARY: Final = "summary"
RAW: Final = "raw"
"""Two forms of the same thoughts. The form that comes first is written, the other never."""


class _Encrypted(msgspec.Struct):
    encrypted_content: str | None = None


_read: Final = reader(_Encrypted)


class Reasoning:
    """The thinking of one answer."""

    def __init__(
        self, queue: BlockQueue, *, visible: bool, summaries: bool, account: Callable[[], str]
    ) -> None:
        """`account` gives the id of the account that answers, asked when a signature is made."""
        self.position: tuple[int | None, int | None] | None = None
        """Output and summary index whose next delta may pass as it is; None when none may."""
        self._queue = queue
        self._visible = visible
        self._summaries = summaries
        self._account = account
        self._parts = DeltaTracker()
        self._kind: str | None = None
        self._part: tuple[str | int | None, int | None] | None = None
        self._block: Block | None = None
        self._contents: list[str] = []
        self._snapshots: dict[str | None, str] = {}

    def __repr__(self) -> str:
        return f"<Reasoning {'open' if self._block else 'closed'}>"

    @property
    def block(self) -> Block | None:
        """The block that is open."""
        return self._block

    def piece(self, text: str, position: Position, kind: str) -> None:
        """A piece of thinking; a blank line goes before each part but the first of a block."""
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
        """A part of the thinking, whole: written unless its pieces were."""
        if not self._parts.has(position):
            self.piece(text, position, kind)

    def added(self, raw: Raw, item: ReasoningItem) -> None:
        """A reasoning item begins: its content so far."""
        if self._visible and (content := _content(raw)):
            self._snapshots[item.id] = content

    def done(self, raw: Raw, item: ReasoningItem, output_index: int | None) -> None:
        """A reasoning item, whole."""
        for kind, parts in ((SUMMARY, item.summary), (RAW, item.content)):
            for index, part in enumerate(parts or ()):
                if part.text:
                    self.part_done(part.text, (item.id, output_index, index), kind)
        content = _content(raw) or self._snapshots.pop(item.id, "")
        if self._visible and content:
            self._open()
            self._contents.append(content)

    def finish(self) -> None:
        """The answer is over: a block with nothing but a signature belongs to no answer."""
        block = self._block
        if block is not None and not block.ready:
            self._block = None
            self._contents.clear()
            self._queue.discard(block)
        self._close()

    def _open(self) -> Block:
        if self._block is None:
            self._block = self._queue.open(thinking_block(), ready=False, close=self._close)
        return self._block

    def _close(self) -> None:
        """Something else follows: sign the block and end it."""
        block, self._block = self._block, None
        if block is None:
            return
        if signature := sealed(self._account(), self._contents):
            block.waiting.append(signature_delta(signature))
        block.ready = block.ended = True
        self._contents = []
        self._part = self.position = None


def _content(raw: Raw) -> str:
    try:
        return _read(raw).encrypted_content or ""
    except DECODE_ERRORS:
        return ""
