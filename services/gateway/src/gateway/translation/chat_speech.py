"""What an answer says in words: text, refusal, reasoning, citations; as chat chunks, each once."""

from typing import Final

from gateway.dialects.codex_items import Citation, MessageItem, ReasoningItem, citations_of
from gateway.dialects.openai_chunks import ChatChunk
from gateway.translation.heard import Heard, Place
from gateway.translation.stops import StopCutter

BETWEEN_PARTS: Final = "\n\n"
"""Separates the parts of a reasoning summary."""

SUMMARY: Final = "summary"
RAW: Final = "raw"
"""Two tellings of the same thoughts. The first kind heard is told, the other never."""


class ChatSpeech:
    """The words of one answer on their way to a chat client."""

    def __init__(self, *, stop: tuple[str, ...], refusal_as_refusal: bool) -> None:
        self.said = False
        """Whether there was any text or refusal."""
        self.text_place: tuple[int | None, int | None] | None = None
        """Output and content index whose next text delta may pass as it is; None when none may."""
        self.thought_place: tuple[int | None, int | None] | None = None
        """Output and summary index whose next reasoning delta may pass as it is."""
        self.citations: list[Citation] = []
        self._cutter = StopCutter(stop) if any(stop) else None
        self._refusal_as_refusal = refusal_as_refusal
        self._text = Heard()
        self._refusal = Heard()
        self._thoughts = Heard()
        self._thought_kind: str | None = None
        self._thought: tuple[str | int | None, int | None] | None = None

    def __repr__(self) -> str:
        return f"<ChatSpeech {'said something' if self.said else 'silent'}>"

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._cutter is not None and self._cutter.found

    def text(self, delta: str, place: Place) -> list[ChatChunk]:
        """A piece of text."""
        if not delta:
            return []
        self._text.note(place)
        if self._cutter is None and place[1] is not None:
            self.text_place = place[1:]
        return self._say(delta)

    def text_done(self, text: str, place: Place) -> list[ChatChunk]:
        """A text, whole: said unless it was heard."""
        return [] if self._text.has(place) else self.text(text, place)

    def refusal(self, delta: str, place: Place) -> list[ChatChunk]:
        """A piece of the model's refusal.

        It is sent as content: several agents take an answer that is nothing but a `refusal` for an
        empty one, and ask again and again. SDKs that parse a schema look into `refusal`.
        """
        if not delta:
            return []
        self._refusal.note(place)
        if self._refusal_as_refusal:
            self.said = True
            return [ChatChunk(refusal=delta)]
        return self._say(delta)

    def refusal_done(self, text: str, place: Place) -> list[ChatChunk]:
        """A refusal, whole: said unless it was heard."""
        return [] if self._refusal.has(place) else self.refusal(text, place)

    def thought(self, delta: str, place: Place, kind: str) -> list[ChatChunk]:
        """A piece of reasoning; a blank line goes before each part but the first."""
        if not delta or self._thought_kind not in (None, kind):
            return []
        self._thoughts.note(place)
        item_id, output_index, part = place
        this = (item_id if output_index is None else output_index, part)
        between = BETWEEN_PARTS if self._thought not in (None, this) else ""
        self._thought, self._thought_kind = this, kind
        passable = kind == SUMMARY and output_index is not None
        self.thought_place = (output_index, part) if passable else None
        return [ChatChunk(reasoning=between + delta)]

    def thought_done(self, text: str, place: Place, kind: str) -> list[ChatChunk]:
        """A part of the reasoning, whole: told unless it was heard."""
        return [] if self._thoughts.has(place) else self.thought(text, place, kind)

    def message(self, item: MessageItem, output_index: int | None) -> list[ChatChunk]:
        """A message, whole: says what was not heard of it."""
        chunks: list[ChatChunk] = []
        for i, part in enumerate(item.content or ()):
            place = (item.id, output_index, i)
            if part.text and part.type in ("output_text", "text"):
                chunks += self.text_done(part.text, place)
            if part.refusal:
                chunks += self.refusal_done(part.refusal, place)
            self.cite(citations_of(part.annotations))
        return chunks

    def reasoning(self, item: ReasoningItem, output_index: int | None) -> list[ChatChunk]:
        """A reasoning item, whole: tells what was not heard of it."""
        chunks: list[ChatChunk] = []
        for kind, parts in ((SUMMARY, item.summary), (RAW, item.content)):
            for i, part in enumerate(parts or ()):
                if part.text:
                    place = (item.id, output_index, i)
                    chunks += self.thought_done(part.text, place, kind)
        return chunks

    def cite(self, citations: list[Citation]) -> None:
        """Remember citations, each once."""
        for citation in citations:
            if citation not in self.citations:
                self.citations.append(citation)

    def flush(self) -> list[ChatChunk]:
        """The text pauses or is over: say what was held back for a stop string."""
        rest = self._cutter.flush() if self._cutter else ""
        return [ChatChunk(content=rest)] if rest else []

    def _say(self, text: str) -> list[ChatChunk]:
        self.said = True
        if self._cutter is not None:
            text = self._cutter.feed(text)
        return [ChatChunk(content=text)] if text else []
