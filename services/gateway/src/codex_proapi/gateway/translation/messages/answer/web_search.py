"""Translates the backend's web searches into `server_tool_use` and `web_search_tool_result` blocks.

The backend's item usually has only the query; the pages come as citations of the text. A search
without sources of its own is therefore written at the end of the answer.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, reader
from codex_proapi.gateway.formats.anthropic.events import input_delta
from codex_proapi.gateway.formats.codex.items import Citation
from codex_proapi.gateway.translation.messages.answer.blocks import BlockQueue

SEARCH_ITEM: Final = "web_search_call"
NAME: Final = "web_search"
MOST_RESULTS: Final = 100
"""Most pages listed for one search."""


class _Source(msgspec.Struct):
    url: str = ""
    title: str | None = None


class _Action(msgspec.Struct):
    query: str | None = None
    queries: list[str] | None = None
    url: str | None = None
    sources: list[_Source] | None = None


class _Search(msgspec.Struct):
    type: str = ""
    action: _Action | None = None
    results: list[_Source] | None = None


_read: Final = reader(_Search)


class WebSearches:
    """The web searches of one answer."""

    def __init__(self, queue: BlockQueue, *, fallback_id: str) -> None:
        """Create the state of an answer; ids of searches are derived from `fallback_id`."""
        self.count = 0
        """The number of searches."""
        self._queue = queue
        self._fallback_id = fallback_id
        self._without_sources: list[str] = []

    def __repr__(self) -> str:
        return f"<WebSearches {self.count}>"

    def done(self, raw: Raw) -> None:
        """Add a finished search."""
        try:
            found = _read(raw)
        except DECODE_ERRORS:
            found = _Search()
        action = found.action or _Action()
        query = action.query or ", ".join(action.queries or ()) or action.url or ""
        sources = action.sources or found.results or []
        self.count += 1
        if sources:
            self._write(query, [(source.url, source.title) for source in sources if source.url])
        else:
            self._without_sources.append(query)

    def finish(self, citations: list[Citation]) -> None:
        """End the answer: its citations become the results of the first search without sources."""
        pages = [(citation.url, citation.title) for citation in citations]
        for query in self._without_sources:
            self._write(query, pages)
            pages = []
        self._without_sources = []

    def _write(self, query: str, pages: list[tuple[str, str | None]]) -> None:
        call_id = f"srvtoolu_{self._fallback_id}_{self._queue.opened}"
        use = self._queue.open(
            {"type": "server_tool_use", "id": call_id, "name": NAME, "input": {}}
        )
        use.waiting.append(input_delta(msgspec.json.encode({"query": query}).decode()))
        use.ended = True
        results: list[dict[str, Any]] = [
            {
                "type": "web_search_result",
                "url": url,
                "title": title or url,
                "encrypted_content": "",
                "page_age": None,
            }
            for url, title in pages[:MOST_RESULTS]
        ]
        opening = {"type": "web_search_tool_result", "tool_use_id": call_id, "content": results}
        self._queue.open(opening).ended = True
