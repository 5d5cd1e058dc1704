"""Translates text, refusal, reasoning and citations of one answer into chat chunks, each once."""

from typing import Final

import msgspec

from codex_proapi.gateway.formats.codex.items import (
    Citation,
    MessageItem,
    ReasoningItem,
    citations_of,
)
from codex_proapi.gateway.formats.openai.chat_chunks import ChatChunk
from codex_proapi.gateway.translation.stream.delta_tracker import DeltaTracker, Position
from codex_proapi.gateway.translation.stream.message_boundaries import MessageBoundaries
from codex_proapi.gateway.translation.stream.stop_sequences import StopCutter

BETWEEN_PARTS: Final = "\n\n"
"""Separates the parts of a reasoning summary."""
SUMMARY: Final = "summary"
RAW: Final = "raw"
"""Two forms of the same reasoning. Only the form that comes first is passed on."""


class ChatText(msgspec.Struct, kw_only=True, eq=False):
    """The text of one answer."""

    cutter: StopCutter | None = None
    """What cuts it at a stop sequence; None if there is none to look for."""
    refusal_as_refusal: bool = False
    """Whether a refusal is written into `refusal` instead of the content."""
    structured: bool = False
    """Whether the answer must be JSON."""
    any_text: bool = False
    """Whether there was any text or refusal."""
    stopped: bool = False
    """Whether the text was cut at a stop sequence."""
    text_position: tuple[int | None, int | None] | None = None
    """Output and content index whose next text delta can take the fast path; None for none."""
    reasoning_position: tuple[int | None, int | None] | None = None
    """Output and summary index whose next reasoning delta can take the fast path."""
    citations: list[Citation] = []
    _boundaries: MessageBoundaries = msgspec.field(default_factory=MessageBoundaries)
    _held: str = ""
    """Commentary held back."""
    _text: DeltaTracker = msgspec.field(default_factory=DeltaTracker)
    _refusal: DeltaTracker | None = None
    _reasoning: DeltaTracker | None = None
    _reasoning_kind: str | None = None
    _reasoning_part: tuple[str | int | None, int | None] | None = None

    def __repr__(self) -> str:
        return f"<ChatText {'some text' if self.any_text else 'no text'}>"

    def message_added(self, item: MessageItem, output_index: int | None) -> None:
        """Remember a message that is commentary."""
        if item.phase is not None:
            self._boundaries.added(item, output_index)
            self.text_position = None  # of a message that began before it was added

    def text_delta(self, delta: str, position: Position) -> list[ChatChunk]:
        """Translate a delta of text. Commentary before a structured answer is held back."""
        if not delta:
            return []
        self._text.note(position)
        if self.structured and self._boundaries.is_commentary(position):
            self._held += self._boundaries.separator(position, begun=bool(self._held)) + delta
            return []
        if self.cutter is None and position[1] is not None:
            self.text_position = position[1:]
        return self._content(delta, position)

    def text_done(self, text: str, position: Position) -> list[ChatChunk]:
        """Translate a whole text, unless its deltas were."""
        return [] if self._text.has(position) else self.text_delta(text, position)

    def refusal_delta(self, delta: str, position: Position) -> list[ChatChunk]:
        """Translate a delta of a refusal.

        It is sent as content by default: several agents treat an answer with only `refusal` as empty
        and repeat the request. SDKs that parse a schema read `refusal`.
        """
        if not delta:
            return []
        self._refusal = self._refusal or DeltaTracker()
        self._refusal.note(position)
        self.text_position = None
        if self.refusal_as_refusal:
            self.any_text = True
            return [ChatChunk(refusal=delta)]
        return self._content(delta, position)

    def refusal_done(self, text: str, position: Position) -> list[ChatChunk]:
        """Translate a whole refusal, unless its deltas were."""
        return (
            []
            if self._refusal and self._refusal.has(position)
            else self.refusal_delta(text, position)
        )

    def reasoning_delta(self, delta: str, position: Position, kind: str) -> list[ChatChunk]:
        """Translate a delta of reasoning; parts are separated by a blank line."""
        if not delta or self._reasoning_kind not in (None, kind):
            return []
        self._reasoning = self._reasoning or DeltaTracker()
        self._reasoning.note(position)
        item_id, output_index, part = position
        this = (item_id if output_index is None else output_index, part)
        between = BETWEEN_PARTS if self._reasoning_part not in (None, this) else ""
        self._reasoning_part, self._reasoning_kind = this, kind
        passable = kind == SUMMARY and output_index is not None
        self.reasoning_position = (output_index, part) if passable else None
        return [ChatChunk(reasoning=between + delta)]

    def reasoning_done(self, text: str, position: Position, kind: str) -> list[ChatChunk]:
        """Translate a whole part of the reasoning, unless its deltas were."""
        return (
            []
            if self._reasoning and self._reasoning.has(position)
            else self.reasoning_delta(text, position, kind)
        )

    def message_item(self, item: MessageItem, output_index: int | None) -> list[ChatChunk]:
        """Translate what is missing of a finished message."""
        if item.phase is not None:
            self._boundaries.added(item, output_index)
            self.text_position = None  # of a message that began before it was added
        chunks: list[ChatChunk] = []
        for i, part in enumerate(item.content or ()):
            position = (item.id, output_index, i)
            if part.text and part.type in ("output_text", "text"):
                chunks += self.text_done(part.text, position)
            if part.refusal:
                chunks += self.refusal_done(part.refusal, position)
            if part.annotations:
                self.cite(citations_of(part.annotations))
        return chunks

    def reasoning_item(self, item: ReasoningItem, output_index: int | None) -> list[ChatChunk]:
        """Translate what is missing of a finished reasoning item."""
        chunks: list[ChatChunk] = []
        for kind, parts in ((SUMMARY, item.summary), (RAW, item.content)):
            for i, part in enumerate(parts or ()):
                if part.text:
                    position = (item.id, output_index, i)
                    chunks += self.reasoning_done(part.text, position, kind)
        return chunks

    def cite(self, citations: list[Citation]) -> None:
        """Remember citations, each once."""
        for citation in citations:
            if citation not in self.citations:
                self.citations.append(citation)

    def flush(self) -> list[ChatChunk]:
        """Return the text held back for a stop sequence, at a pause or the end of the text."""
        rest = self.cutter.flush() if self.cutter else ""
        return [ChatChunk(content=rest)] if rest else []

    def close(self) -> list[ChatChunk]:
        """Return the text held back, at the end; commentary is content if no text followed it."""
        held, self._held = self._held, ""
        chunks: list[ChatChunk] = []
        if held and not self.any_text:
            chunks = self._content(held, (None, None, None))
        return chunks if self.cutter is None else chunks + self.flush()

    def _content(self, text: str, position: Position) -> list[ChatChunk]:
        chunks = [ChatChunk(reasoning=self._held)] if self._held else []
        self._held = ""
        text = self._boundaries.separator(position, begun=self.any_text) + text
        self.any_text = True
        if self.cutter is not None:
            text = self.cutter.feed(text)
            self.stopped = self.cutter.found
        return [*chunks, ChatChunk(content=text)] if text else chunks
