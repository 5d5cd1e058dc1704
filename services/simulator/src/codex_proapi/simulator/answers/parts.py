"""The parts an answer is made of, before they become output items and events."""

import msgspec


class Reasoning(msgspec.Struct, frozen=True, kw_only=True):
    """Reasoning, shown as summary parts."""

    summary: tuple[str, ...]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message."""

    text: str
    refusal: bool = False
    phase: str = "final_answer"
    citation: str = ""
    """URL the text cites."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call."""

    name: str
    arguments: str
    """JSON, or free text for a custom tool."""
    custom: bool = False
    namespace: str = ""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A hosted web search."""

    query: str


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier history in one sealed item."""

    text: str


Answer = Reasoning | Message | Call | Search | Compaction
