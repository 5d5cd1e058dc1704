"""Translates the messages of a conversation into upstream's items, in order."""

from operator import itemgetter
from typing import Any, Final

import msgspec

from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.input_items import Part, message, output_part, text_part
from codex_proapi.gateway.formats.codex.requests import Item
from codex_proapi.gateway.formats.codex.tool_search import NAME, Found, Search
from codex_proapi.gateway.translation.messages.answer.signature import opened
from codex_proapi.gateway.translation.messages.request.documents import (
    document_head,
    is_of_parts,
    search_result_text,
)
from codex_proapi.gateway.translation.messages.request.joined_results import (
    with_followed_reasoning,
    with_joined_results,
)
from codex_proapi.gateway.translation.messages.request.server_tools import (
    CALLS,
    SEARCH,
    is_result,
    query_of,
    search_text,
    server_call,
    server_result,
)
from codex_proapi.gateway.translation.messages.request.tool_search import (
    ADDITION,
    REFERENCE,
    REMOVAL,
    change_text,
    changed_name,
    loaded_text,
)
from codex_proapi.gateway.translation.request.context import TranslationContext
from codex_proapi.gateway.translation.request.message_items import (
    call_item,
)
from codex_proapi.gateway.translation.request.parts import (
    assistant_text,
    each_part,
    input_part,
    kind_of,
    text_parts,
)
from codex_proapi.gateway.translation.request.tool_results import part_as_text, tool_output

TOOL_ERROR: Final = "[tool error]"
"""Prefix of the result of a failed call (`is_error`), for which upstream has no field."""
_MESSAGES: Final = frozenset({"message"})
_kind_of_item: Final = itemgetter("type")
_RESULT: Final = "result"
"""Where the parts of a result stand: no client is told, as they are passed in any case."""
_SILENT: Final = frozenset({"redacted_thinking", "container_upload"})
"""Parts of an assistant's message that are left out: they mean nothing to other models."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as upstream's items."""

    items: list[Item]
    text_only: bool = True
    """Whether they are text alone, without pictures and files."""
    encrypted_for: dict[str, str] = {}
    """Encrypted content to the mark of the account that can decrypt it."""
    search: Search = Search()
    """What tool searches have found."""


class HistoryReader:
    """Reads the messages of one request."""

    def __init__(self, reading: TranslationContext, tool_names: frozenset[str]) -> None:
        """`tool_names` are the client's names of the tools it offers."""
        self._reading = reading
        self._tool_names = tool_names
        self._encrypted_for: dict[str, str] = {}
        self._queries: dict[str, str] = {}
        self._searches: set[str] = set()
        self._found: dict[str, Found] = {}

    def __repr__(self) -> str:
        return f"<HistoryReader of {len(self._tool_names)} tools>"

    def read(self, messages: list[dict[str, Any]], texts: list[Item]) -> History:
        """Return the conversation; `texts` are the messages' `text_messages`. Raises BadRequest."""
        items: list[Item] = []
        for index, item in enumerate(texts):
            if item:
                items.append(item)
                continue
            entry, where = messages[index], f"messages.{index}"
            match entry.get("role"):
                case "user":
                    items += self._user(entry.get("content"), f"{where}.content")
                case "assistant":
                    items += self._assistant(entry.get("content"), f"{where}.content")
                case "system" | "developer":
                    items += self._system(entry.get("content"), f"{where}.content")
                case _:
                    raise BadRequest(
                        "The role must be user, assistant or system", param=f"{where}.role"
                    )
        if not _MESSAGES.issuperset(map(_kind_of_item, items)):
            items = with_followed_reasoning(with_joined_results(items))
        return History(
            items=items,
            text_only=self._reading.text_only,
            encrypted_for=self._encrypted_for,
            search=Search(found=self._found),
        )

    def _user(self, content: Any, where: str) -> list[Item]:
        """Read a user message: its parts, and tool results in their order."""
        items: list[Item] = []
        parts: list[Part] = []
        for index, part in enumerate(each_part(content, where)):
            if part.get("type") != "tool_result":
                parts += self._parts(part, f"{where}.{index}")
                continue
            if parts:
                items.append(message("user", parts))
                parts = []
            items.append(self._result(part))
        if parts:
            items.append(message("user", parts))
        return items

    def _system(self, content: Any, where: str) -> list[Item]:
        """Read a later system message as `developer`, in place, which keeps the prefix cached."""
        parts: list[Part] = []
        for index, part in enumerate(each_part(content, where)):
            if kind_of(part) in (ADDITION, REMOVAL):
                known = changed_name(part) in self._tool_names
                parts.append(text_part(change_text(part, known=known)))
            else:
                parts += self._parts(part, f"{where}.{index}")
        return [message("developer", parts)] if parts else []

    def _assistant(self, content: Any, where: str) -> list[Item]:
        """Read an assistant message: reasoning, text and calls, in order."""
        items: list[Item] = []
        texts: list[Part] = []
        for index, part in enumerate(each_part(content, where)):
            kind = part.get("type")
            if kind == "text" and isinstance(text := part.get("text"), str):
                found: str | list[Item] = text
            elif kind == "tool_use":
                found = [self._call(part, f"{where}.{index}")]
            else:
                found = self._assistant_item(part, f"{where}.{index}")
            if isinstance(found, str):
                if found:
                    texts.append(output_part(found))
                continue
            if texts:
                items.append(message("assistant", texts))
                texts = []
            items += found
        if texts:
            items.append(message("assistant", texts))
        return items

    def _call(self, part: Part, where: str) -> Item:
        name, call_id = part.get("name"), part.get("id")
        if name == NAME and isinstance(call_id, str):
            self._searches.add(call_id)
        return call_item(
            name, part.get("input"), call_id=call_id, where=where, reading=self._reading
        )

    def _assistant_item(self, part: Part, where: str) -> str | list[Item]:
        """Return the text of an assistant's part other than a text or a call, or its items."""
        match kind_of(part):
            case "thinking":
                return self._thoughts(part)
            case "server_tool_use" if part.get("name") == SEARCH:
                self._queries[_id(part.get("id"))] = query_of(part)
                return ""
            case "web_search_tool_result":
                return search_text(self._queries.get(_id(part.get("tool_use_id")), ""), part)
            case kind if kind in CALLS:
                return [server_call(part, where, self._reading)]
            case kind if is_result(kind):
                return [server_result(part, self._reading)]
            case "compaction":
                summary = part.get("content")
                return summary if isinstance(summary, str) else ""
            case kind if kind in _SILENT:
                return ""
            case _:
                return assistant_text(part, where, self._reading)

    def _thoughts(self, part: Part) -> list[Item]:
        """Return the reasoning in a signature of ours; thinking without one cannot be replayed."""
        envelope = opened(part.get("signature"))
        if envelope is None:
            return []
        if envelope.account:
            self._encrypted_for.update(dict.fromkeys(envelope.contents, envelope.account))
        return [
            {"type": "reasoning", "summary": [], "encrypted_content": content}
            for content in envelope.contents
        ]

    def _result(self, part: Part) -> Item:
        """Read a result; the parts of it that cannot be read are passed as text."""
        content, call_id = part.get("content"), _id(part.get("tool_use_id"))
        output: str | list[Part] = []
        if isinstance(content, list):
            if call_id in self._searches:
                self._note_found(call_id, content, part.get("is_error") is True)
            output = text_parts(content, "input_text")
            if not output:
                content = [inner for each in content for inner in self._result_parts(each)] or None
        if not output:
            output = tool_output(content, self._reading)
        if part.get("is_error") is True:
            output = _failed(output)
        return {"type": "function_call_output", "call_id": call_id, "output": output}

    def _result_parts(self, part: Any) -> list[Part]:
        """Return a part of a result for upstream; a part that cannot be read is passed as text."""
        if not isinstance(part, dict):
            return [part_as_text(part)]
        try:
            return self._parts(part, _RESULT)
        except BadRequest:
            self._reading.dropped.add(f"content.{kind_of(part) or 'unknown'}")
            return [part_as_text(part)]

    def _note_found(self, call_id: str, content: list[Any], failed: bool) -> None:  # noqa: FBT001 - of a result
        """Note the tools that a search has found; a result with other than text is left as it is."""
        names: list[str] = []
        notes = [TOOL_ERROR] if failed else []
        for part in content:
            if isinstance(part, dict) and part.get("type") == REFERENCE:
                name = changed_name(part)
                if name in self._tool_names:
                    names.append(self._reading.names.sent(name))
                else:
                    notes.append(loaded_text(name, known=False))
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                notes += [part["text"]] if part["text"] else []
        if call_id not in self._found:
            self._found[call_id] = Found(names=tuple(names), notes=tuple(notes))

    def _parts(self, part: Part, where: str) -> list[Part]:
        """Return a part for upstream; a part that contains others as those."""
        match kind_of(part):
            case kind if kind == REFERENCE:
                name = changed_name(part)
                return [text_part(loaded_text(name, known=name in self._tool_names))]
            case "search_result":
                return [text_part(text)] if (text := search_result_text(part, where)) else []
            case "document":
                head = document_head(part)
                return [*([text_part(head)] if head else ()), *self._document(part, where)]
            case kind if kind in _SILENT:
                return []
            case _:
                found = input_part(part, where, self._reading)
                return [found] if found else []

    def _document(self, part: Part, where: str) -> list[Part]:
        """Return the content of a document: a file, a text, or parts of its own."""
        if not is_of_parts(part):
            found = input_part(part, where, self._reading)
            return [found] if found else []
        nested = each_part(part["source"].get("content"), f"{where}.source.content")
        return [inner for each in nested for inner in self._parts(each, where)]


def _id(value: Any) -> str:
    """Return the id of a call; empty for a value that is none, which may be anything."""
    return value if isinstance(value, str) else ""


def _failed(output: str | list[Part]) -> str | list[Part]:
    if isinstance(output, str):
        return f"{TOOL_ERROR}\n{output}"
    return [text_part(TOOL_ERROR), *output]
