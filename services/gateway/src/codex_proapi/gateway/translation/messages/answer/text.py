"""Translates text and refusals into `text` blocks, each delta once.

Messages that nothing stands between share a block, with a blank line between them: clients read the
first block as the answer. Commentary before a structured answer is left out, as in the chat dialect.
"""

from codex_proapi.gateway.formats.anthropic.events import text_block, text_delta
from codex_proapi.gateway.formats.codex.items import Citation, MessageItem, citations_of
from codex_proapi.gateway.translation.messages.answer.blocks import Block, BlockQueue
from codex_proapi.gateway.translation.stream.delta_tracker import DeltaTracker, Position
from codex_proapi.gateway.translation.stream.message_boundaries import MessageBoundaries
from codex_proapi.gateway.translation.stream.stop_sequences import StopCutter


class Text:
    """The text blocks of one answer."""

    __slots__ = (
        *("_boundaries", "_cutter", "_held", "_queue", "_refusals", "_structured", "_texts"),
        *("block", "citations", "position", "refused", "said", "stopped_at"),
    )

    def __init__(
        self, queue: BlockQueue, *, stop: tuple[str, ...], structured: bool = False
    ) -> None:
        self.said = False
        """Whether there was text other than a refusal."""
        self.refused = False
        """Whether there was a refusal of the model's."""
        self.position: tuple[int | None, int | None] | None = None
        """Output and content index whose next delta can take the fast path; None for none."""
        self.citations: list[Citation] = []
        self._queue = queue
        self._cutter = StopCutter(stop) if stop else None
        self._texts = DeltaTracker()
        self._refusals: DeltaTracker | None = None
        self.block: Block | None = None
        """The open block, if any."""
        self.stopped_at: str | None = None
        """The stop sequence at which the text was cut, if any."""
        self._structured = structured
        self._boundaries = MessageBoundaries()
        self._held: list[tuple[str, Position]] = []

    def __repr__(self) -> str:
        return f"<Text {'open' if self.block else 'closed'}>"

    def message_added(self, item: MessageItem, output_index: int | None) -> None:
        """Remember a message that is commentary."""
        if item.phase is not None:
            self._boundaries.added(item, output_index)
            self.position = None  # of a message that began before it was added

    def piece(self, text: str, position: Position) -> None:
        """Write a delta of text. Commentary before a structured answer is held back."""
        if not text:
            return
        self._texts.note(position)
        if self._structured and self._boundaries.is_commentary(position):
            self._held.append((text, position))
            return
        self._held.clear()
        self._write(text, position)

    def release(self) -> None:
        """Write the commentary held back: a call follows it, or nothing."""
        held, self._held = self._held, []
        for text, position in held:
            self._write(text, position)

    def done(self, text: str, position: Position) -> None:
        """Write a whole text, unless its deltas were written."""
        if not self._texts.has(position):
            self.piece(text, position)

    def refusal(self, text: str, position: Position) -> None:
        """Write a delta of a refusal as text, as Anthropic's answers do."""
        if text:
            self.refused = True
            self._refusals = self._refusals or DeltaTracker()
            self._refusals.note(position)
            self._say(text, position)

    def refusal_done(self, text: str, position: Position) -> None:
        """Write a whole refusal, unless its deltas were written."""
        if not (self._refusals and self._refusals.has(position)):
            self.refusal(text, position)

    def message(self, item: MessageItem, output_index: int | None) -> None:
        """Write what is missing of a finished message."""
        if item.phase is not None:
            self._boundaries.added(item, output_index)
            self.position = None  # of a message that began before it was added
        for index, part in enumerate(item.content or ()):
            position = (item.id, output_index, index)
            if part.text and part.type in ("output_text", "text"):
                self.done(part.text, position)
            if part.refusal:
                self.refusal_done(part.refusal, position)
            if part.annotations:
                self.cite(citations_of(part.annotations))

    def cite(self, citations: list[Citation]) -> None:
        """Remember citations, each URL once."""
        known = {citation.url for citation in self.citations}
        for citation in citations:
            if citation.url not in known:
                known.add(citation.url)
                self.citations.append(citation)

    def close(self) -> None:
        """Write what was held back for a stop sequence, and end the block."""
        block, self.block = self.block, None
        if block is None:
            return
        if self._cutter is not None and (rest := self._cutter.flush()):
            block.waiting.append(text_delta(rest))
            block.ready = True
        block.ended = True
        self.position = None
        if not block.ready:
            self._queue.discard(block)

    def _write(self, text: str, position: Position) -> None:
        self.said = True
        self._say(text, position)
        if self._cutter is None and position[1] is not None:
            self.position = position[1:]

    def _say(self, text: str, position: Position) -> None:
        self.position = None
        text = self._boundaries.separator(position, begun=self.block is not None) + text
        if self.block is None:
            self.block = self._queue.open(text_block(), ready=False, close=self.close)
        if self._cutter is not None:
            text = self._cutter.feed(text)
            self.stopped_at = self._cutter.met
        if text:
            self.block.ready = True
            self.block.waiting.append(text_delta(text))
