"""Encodes a request to the Codex backend, in either of its two shapes, and its headers.

A request is independent of its shape until `encode`: classic puts tools at the top level, lite into
the first input item. Not here: translating a client's request (`gateway.translation`), selecting the
account (`gateway.pool`).
"""

import enum
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from codex_proapi.commons.codex.minimal_request import (
    ENCRYPTED_REASONING,
    LITE_CONTEXT,
    LITE_HEADER,
)
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.codex.tool_search import NAME as SEARCH_FUNCTION
from codex_proapi.gateway.formats.codex.tool_search import TYPE as TOOL_SEARCH
from codex_proapi.gateway.formats.codex.tool_search import Search, native_items, native_tool
from codex_proapi.gateway.formats.json_pieces import encoded_pieces

Item = dict[str, Any]
"""One entry of `input`."""

LITE_NAMESPACE = "functions"
"""The namespace of plain tools in the lite shape, as sent by the CLI 0.169.0."""
HOSTED_TOOLS = frozenset({"web_search", "image_generation", "local_shell"})
"""Tools that upstream runs itself or built into old models; never inside `additional_tools`."""
COMPACTION_TRIGGER: Item = {"type": "compaction_trigger"}
"""Last item of a request for a compacted history."""

FORWARDED_HEADERS = (
    "session-id",
    "thread-id",
    "x-client-request-id",
    "x-codex-window-id",
    "x-codex-turn-metadata",
    "x-codex-beta-features",
)
"""Headers of Codex clients that are forwarded, besides the turn state."""
TURN_STATE_HEADER = "x-codex-turn-state"
COMPACTION_FEATURE = "remote_compaction_v2"
ACCOUNT_MARK_LENGTH = 12
HEADER_LIMIT = 8192
"""Most characters of a forwarded header; a longer one is left out."""
_encode = msgspec.json.Encoder().encode


def account_mark(account_id: str) -> str:
    """Return the mark of an account, a digest that replaces its id; empty for an empty id."""
    if not account_id:
        return ""
    return hashlib.sha256(f"thinking {account_id}".encode()).hexdigest()[:ACCOUNT_MARK_LENGTH]


class Shape(enum.Enum):
    """The two shapes of a request body."""

    CLASSIC = "classic"
    """Tools at the top level: gpt-5.5 and older."""
    LITE = "lite"
    """Tools in `input[0]`, no image detail, one call at a time: gpt-5.6 and younger."""

    @property
    def other(self) -> "Shape":
        """The other shape, to try if this one is refused."""
        return Shape.LITE if self is Shape.CLASSIC else Shape.CLASSIC


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool, with the fields needed to place or choose it."""

    type: str
    name: str = ""
    """Its name; empty for hosted tools."""
    definition: Any
    """The tool as sent; values may be the client's undecoded bytes (`msgspec.Raw`)."""


class UpstreamRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to upstream, independent of its shape. Never mutated."""

    model: str
    """The model to send."""
    shape: Shape
    """The shape that `encode` uses."""
    session_id: str
    """UUID of the conversation, for `session-id` and `thread-id`."""
    input: tuple[Item, ...]
    """The conversation; may have `additional_tools` items of a Codex client in the lite shape."""
    instructions: str | None = ""
    """System text outside the conversation; None leaves the field out of the classic shape."""
    tools: tuple[Tool, ...] = ()
    """The tools, in the client's order."""
    tool_choice: str | dict[str, Any] = "auto"
    """The tool choice in the classic form; the lite shape emulates all but `auto`."""
    parallel_tool_calls: bool | None = None
    """Whether the client wants parallel calls; always false in lite."""
    reasoning: dict[str, Any] = {}
    """`effort` and `summary`; the lite shape adds its `context`."""
    text: dict[str, Any] = {}
    """`verbosity` and `format`."""
    service_tier: str | None = None
    """The service tier: `priority`, or that of a Codex client."""
    prompt_cache_key: str = ""
    """The prompt cache key: one for each conversation."""
    client_metadata: dict[str, Any] | None = None
    """`client_metadata` of a Codex client."""
    encrypted_for: Mapping[str, str] = {}
    """Encrypted content to the mark of the account that can decrypt it, if known."""
    route: str = ""
    """The backend's route that is asked instead of Responses and answers in one piece."""
    tool_search: Search | None = None
    """The client's tool search, if it is sent in the native form; all else is in the text form."""
    reserve_of: str = ""
    """The model that RESERVE, the one to send, stands for; empty for every other request."""
    payload: dict[str, Any] | None = None
    """The body for that route, without its model."""
    text_only: bool = False
    """Whether its messages and results are known to be text alone, without pictures and files."""

    def encode(self) -> bytes:
        """Return the body in this request's shape. Raises BadRequest if it is nested too deeply."""
        try:
            if self.payload is None and self.tool_search is None:
                return _encode(self.body())
            return _encode(self._encodable())
        except RecursionError:
            raise BadRequest("The body is nested too deeply", param="input") from None

    def encode_in_pieces(self) -> Iterator[bytes]:
        """Encode as `encode` does, in pieces that take a millisecond each."""
        try:
            yield from encoded_pieces(self._encodable())
        except RecursionError:
            raise BadRequest("The body is nested too deeply", param="input") from None

    def _encodable(self) -> dict[str, Any]:
        if self.payload is not None:
            return {**self.payload, "model": self.model}
        return self.body() if self.tool_search is None else self._native(self.tool_search).body()

    def body(self) -> dict[str, Any]:
        """Return the body before encoding: the keys the CLI sends, in its order; upstream refuses others."""
        body: dict[str, Any] = {"model": self.model, "stream": True}
        if self.service_tier:
            body["service_tier"] = self.service_tier
        if self.shape is Shape.LITE:
            self._fill_lite(body)
        else:
            if self.instructions is not None:
                body["instructions"] = self.instructions
            body["input"] = self.input
            if self.tools:
                self._fill_tools(body)
            reasoning = self.reasoning
            if "context" in reasoning:
                reasoning = {name: reasoning[name] for name in reasoning if name != "context"}
            if reasoning:
                body["reasoning"] = reasoning
        body["store"] = False
        body["include"] = [ENCRYPTED_REASONING]
        if self.prompt_cache_key:
            body["prompt_cache_key"] = self.prompt_cache_key
        if self.text:
            body["text"] = self.text
        if self.client_metadata:
            body["client_metadata"] = self.client_metadata
        return body

    def _native(self, search: Search) -> "UpstreamRequest":
        """The request with its tool search in the native form."""
        functions = {tool.name: tool for tool in self.tools if tool.type == "function"}
        definitions = {name: tool.definition for name, tool in functions.items()}
        items, loaded = native_items(self.input, search, definitions)
        tools = [
            Tool(type=TOOL_SEARCH, definition=native_tool(tool.definition))
            if tool is functions.get(SEARCH_FUNCTION)
            else tool
            for tool in self.tools
            if tool.name not in loaded
        ]
        return msgspec.structs.replace(
            self, input=tuple(items), tools=tuple(tools), tool_search=None
        )

    def in_shape(self, shape: Shape) -> "UpstreamRequest":
        """Return the same request in another shape."""
        if shape is self.shape:
            return self
        tools = (*_tools_inside(self.input), *self.tools)
        kept = tuple(
            _without_wrapper(item) for item in self.input if item.get("type") != "additional_tools"
        )
        return msgspec.structs.replace(self, shape=shape, input=kept, tools=tools)

    def without_encrypted(self) -> "UpstreamRequest":
        """Return the request without encrypted items; the same object if it has none."""
        kept = tuple(item for item in self.input if not item.get("encrypted_content"))
        if len(kept) == len(self.input):
            return self
        return msgspec.structs.replace(self, input=kept)

    @property
    def meant_model(self) -> str:
        """The model that is to answer: the one sent, or the one that RESERVE stands for."""
        return self.reserve_of or self.model

    @property
    def searches(self) -> bool:
        """Whether upstream's web search is among the tools; the lite shape leaves it out."""
        return any(tool.type == "web_search" for tool in self.tools)

    @property
    def forces_search(self) -> bool:
        """Whether the model must call a tool and may call nothing but upstream's web search."""
        choice = self.tool_choice
        mode = choice if isinstance(choice, str) else choice.get("mode", "required")
        types = {tool.type for tool in _allowed(self.tools, choice)}
        return mode == "required" and types == {"web_search"}

    @property
    def compacts(self) -> bool:
        """Whether it requests a compacted history."""
        return bool(self.input) and self.input[-1].get("type") == COMPACTION_TRIGGER["type"]

    def _fill_tools(self, body: dict[str, Any]) -> None:
        """Write the tools at the top level, for the classic shape."""
        body["tools"] = [tool.definition for tool in self.tools]
        body["tool_choice"] = self.tool_choice
        if self.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = self.parallel_tool_calls

    def _fill_lite(self, body: dict[str, Any]) -> None:
        opening: list[Item] = []
        if self.tools and (tools := _nested(_allowed(self.tools, self.tool_choice))):
            opening.append(
                {
                    "type": "additional_tools",
                    "id": f"at_{self.session_id}",
                    "role": "developer",
                    "tools": tools,
                }
            )
        if self.instructions:
            content = [{"type": "input_text", "text": self.instructions}]
            opening.append({"type": "message", "role": "developer", "content": content})
        items = self.input if self.text_only else map(_without_detail, self.input)
        body["input"] = [*opening, *items]
        body["tool_choice"] = "auto"
        body["parallel_tool_calls"] = False
        body["reasoning"] = {"context": LITE_CONTEXT, **self.reasoning}


def request_headers(
    request: UpstreamRequest,
    *,
    client_headers: Mapping[str, str] | None = None,
    turn_state: bool = False,
) -> dict[str, str]:
    """Return the headers of one attempt, beside those of its account.

    `client_headers` are those of a Codex client, by lower-case name; None for other clients. The turn
    state is sent only with `turn_state`, because it is valid for one account and one turn.
    """
    hint = f"model={request.model}"
    if request.service_tier:
        hint = f"{hint};tier={request.service_tier}"
    headers = {
        "content-type": "application/json",
        "accept": "application/json" if request.route else "text/event-stream",
        "session-id": request.session_id,
        "thread-id": request.session_id,
        "x-client-request-id": request.session_id,
        "x-codex-routing-hint": hint,
    }
    if request.shape is Shape.LITE:
        headers[LITE_HEADER] = "true"
    if request.compacts:
        headers["x-codex-beta-features"] = COMPACTION_FEATURE
    if client_headers:
        headers.update(_forwarded(client_headers, turn_state=turn_state))
    return headers


def _forwarded(headers: Mapping[str, str], *, turn_state: bool) -> Iterator[tuple[str, str]]:
    names = (*FORWARDED_HEADERS, TURN_STATE_HEADER) if turn_state else FORWARDED_HEADERS
    for name in names:
        value = headers.get(name, "")
        if value and len(value) <= HEADER_LIMIT and value.isascii() and value.isprintable():
            yield name, value


def _allowed(tools: tuple[Tool, ...], choice: str | dict[str, Any]) -> Iterable[Tool]:
    """Reduce the tools to those a choice allows: of the lite shape only `auto` is proven."""
    if isinstance(choice, str):
        return () if choice == "none" else tools
    wanted = choice.get("tools") if choice.get("type") == "allowed_tools" else [choice]
    names = {(each.get("type"), each.get("name", "")) for each in wanted or ()}
    return tuple(tool for tool in tools if (tool.type, tool.name) in names)


def _nested(tools: Iterable[Tool]) -> list[Any]:
    """Wrap plain tools in one namespace; namespaces and searches run by the client stay unchanged."""
    plain = [tool.definition for tool in tools if tool.type in {"function", "custom"}]
    others = [
        tool.definition
        for tool in tools
        if tool.type not in {"function", "custom"} and tool.type not in HOSTED_TOOLS
    ]
    if not plain:
        return others
    wrapped = {"type": "namespace", "name": LITE_NAMESPACE, "description": "", "tools": plain}
    return [wrapped, *others]


def _tools_inside(items: Iterable[Item]) -> Iterator[Tool]:
    """Return the tools of `additional_tools` items, without the namespace that only lite needs."""
    for item in items:
        if item.get("type") != "additional_tools":
            continue
        for tool in item.get("tools") or ():
            if tool.get("type") == "namespace" and tool.get("name") == LITE_NAMESPACE:
                yield from map(_as_tool, tool.get("tools") or ())
            else:
                yield _as_tool(tool)


def _as_tool(tool: dict[str, Any]) -> Tool:
    return Tool(type=str(tool.get("type")), name=str(tool.get("name", "")), definition=tool)


def _without_wrapper(item: Item) -> Item:
    """Drop the namespace of plain tools from a call."""
    if item.get("namespace") != LITE_NAMESPACE:
        return item
    return {name: value for name, value in item.items() if name != "namespace"}


def _without_detail(item: Item) -> Item:
    """Drop `detail` from images: the lite shape has none."""
    for field in ("content", "output"):
        parts = item.get(field)
        if isinstance(parts, list) and any(map(_has_detail, parts)):
            return {**item, field: [_bare(part) if _has_detail(part) else part for part in parts]}
    return item


def _has_detail(part: Any) -> bool:
    return isinstance(part, dict) and "detail" in part


def _bare(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "detail"}


def request_id_of(headers: Mapping[str, str]) -> str:
    """The backend's request id from its response headers, at most 128 characters; empty if none."""
    found = headers.get("x-request-id") or headers.get("x-oai-request-id") or ""
    return found[:128] if found.isascii() and found.isprintable() else ""
