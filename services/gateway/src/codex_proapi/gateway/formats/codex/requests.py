"""One request to the Codex backend, in either of its two shapes, and the headers it travels with.

A request is kept shape-neutral and becomes bytes only in `encode`: classic puts tools at the top
level, lite hides them in the first input item. What a client meant is decided in
`gateway.translation`; which account pays for it is decided in `gateway.pool`.
"""

import enum
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.minimal_request import (
    ENCRYPTED_REASONING,
    LITE_CONTEXT,
    LITE_HEADER,
)
from codex_proapi.gateway.errors import BadRequest

Item = dict[str, Any]
"""One entry of `input`, as upstream takes it."""

LITE_NAMESPACE = "functions"
"""The namespace that holds plain tools in the lite shape, as the CLI 0.169.0 wraps them."""
HOSTED_TOOLS = frozenset({"web_search", "image_generation", "local_shell"})
"""Tools upstream runs itself or built into old models: never inside `additional_tools`."""
COMPACTION_TRIGGER: Item = {"type": "compaction_trigger"}
"""The last item of a request for a compacted history."""

FORWARDED_HEADERS = (
    "session-id",
    "thread-id",
    "x-client-request-id",
    "x-codex-window-id",
    "x-codex-turn-metadata",
    "x-codex-beta-features",
)
"""What a Codex client may say to upstream through us, apart from its turn state."""
TURN_STATE_HEADER = "x-codex-turn-state"
COMPACTION_FEATURE = "remote_compaction_v2"
ACCOUNT_MARK_LENGTH = 12
HEADER_LIMIT = 8192
"""A forwarded header longer than this is left out rather than break the whole request."""


def account_mark(account_id: str) -> str:
    """Return what stands for an account where its id must not be seen; empty for none."""
    if not account_id:
        return ""
    return hashlib.sha256(f"thinking {account_id}".encode()).hexdigest()[:ACCOUNT_MARK_LENGTH]


class Shape(enum.Enum):
    """The two forms of a request body."""

    CLASSIC = "classic"
    """Tools at the top level: gpt-5.5 and older."""
    LITE = "lite"
    """Tools in `input[0]`, no image detail, one call at a time: gpt-5.6 and younger."""

    @property
    def other(self) -> "Shape":
        """The one to try when this one is refused."""
        return Shape.LITE if self is Shape.CLASSIC else Shape.CLASSIC


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool as upstream takes it, with what must be known of it to place or choose it."""

    type: str
    name: str = ""
    """Empty for hosted tools."""
    definition: Any
    """The wire form; what need not be read in it may still be the client's bytes (`msgspec.Raw`)."""


class UpstreamRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of upstream, before a shape makes bytes of it. Never mutated."""

    model: str
    """The sent model."""
    shape: Shape
    """The form `encode` gives."""
    session_id: str
    """UUID of the conversation, for `session-id` and `thread-id`."""
    input: tuple[Item, ...]
    """The conversation. May hold `additional_tools` items of a client that speaks lite itself."""
    instructions: str | None = ""
    """System text outside the conversation; None leaves the field out of the classic shape."""
    tools: tuple[Tool, ...] = ()
    """Tools on offer, in the client's order."""
    tool_choice: str | dict[str, Any] = "auto"
    """In the classic form; the lite shape emulates anything but `auto`."""
    parallel_tool_calls: bool | None = None
    """The client's wish; always false in lite."""
    reasoning: dict[str, Any] = {}
    """`effort` and `summary`; the lite shape adds its `context`."""
    text: dict[str, Any] = {}
    """`verbosity` and `format`."""
    service_tier: str | None = None
    """`priority`, or what a Codex client asked for."""
    prompt_cache_key: str = ""
    """Upstream's prompt cache lane: one for each conversation."""
    client_metadata: dict[str, Any] | None = None
    """A Codex client's own, passed on."""
    encrypted_for: Mapping[str, str] = {}
    """Encrypted content to the mark of the one account that can decrypt it, where it is known."""

    def encode(self) -> bytes:
        """Return the body in this request's shape. Raises BadRequest for bottomless nesting."""
        try:
            return msgspec.json.encode(self.body())
        except RecursionError:
            raise BadRequest("The body is nested too deeply", param="input") from None

    def body(self) -> dict[str, Any]:
        """Return the body before encoding, its keys in the CLI's order; anything else is refused."""
        body: dict[str, Any] = {"model": self.model, "stream": True}
        if self.service_tier:
            body["service_tier"] = self.service_tier
        if self.shape is Shape.LITE:
            self._fill_lite(body)
        else:
            self._fill_classic(body)
        body["store"] = False
        body["include"] = [ENCRYPTED_REASONING]
        if self.prompt_cache_key:
            body["prompt_cache_key"] = self.prompt_cache_key
        if self.text:
            body["text"] = self.text
        if self.client_metadata:
            body["client_metadata"] = self.client_metadata
        return body

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
        """Return the request without items only their own account can decrypt; itself if none."""
        kept = tuple(item for item in self.input if not item.get("encrypted_content"))
        if len(kept) == len(self.input):
            return self
        return msgspec.structs.replace(self, input=kept)

    @property
    def searches(self) -> bool:
        """Whether upstream's own web search is on offer; the lite shape leaves it out."""
        return any(tool.type == "web_search" for tool in self.tools)

    @property
    def compacts(self) -> bool:
        """Whether upstream is asked for a compacted history."""
        return bool(self.input) and self.input[-1].get("type") == COMPACTION_TRIGGER["type"]

    def _fill_classic(self, body: dict[str, Any]) -> None:
        if self.instructions is not None:
            body["instructions"] = self.instructions
        body["input"] = self.input
        if self.tools:
            body["tools"] = [tool.definition for tool in self.tools]
            body["tool_choice"] = self.tool_choice
            if self.parallel_tool_calls is not None:
                body["parallel_tool_calls"] = self.parallel_tool_calls
        reasoning = {name: value for name, value in self.reasoning.items() if name != "context"}
        if reasoning:
            body["reasoning"] = reasoning

    def _fill_lite(self, body: dict[str, Any]) -> None:
        opening: list[Item] = []
        if tools := _nested(_allowed(self.tools, self.tool_choice)):
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
        body["input"] = [*opening, *map(_without_detail, self.input)]
        body["tool_choice"] = "auto"
        body["parallel_tool_calls"] = False
        body["reasoning"] = {"context": LITE_CONTEXT, **self.reasoning}


def upstream_headers(
    identity: Identity,
    account: Account,
    *,
    credential: Credential,
    request: UpstreamRequest,
    client_headers: Mapping[str, str] | None = None,
    turn_state: bool = False,
) -> dict[str, str]:
    """Headers of one attempt.

    `client_headers` are those of a Codex client, lower-cased; give None for anybody else. Its turn
    state goes along only with `turn_state`: it must not change account nor outlive its turn.
    """
    hint = f"model={request.model}"
    if request.service_tier:
        hint = f"{hint};tier={request.service_tier}"
    headers = {
        **kind_of(account).headers(identity, account, credential),
        "content-type": "application/json",
        "accept": "text/event-stream",
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
    """Narrow the tools to those a choice allows: the lite shape proves only `auto`."""
    if choice == "none":
        return ()
    if isinstance(choice, str):
        return tools
    wanted = choice.get("tools") if choice.get("type") == "allowed_tools" else [choice]
    names = {(each.get("type"), each.get("name", "")) for each in wanted or ()}
    return tuple(tool for tool in tools if (tool.type, tool.name) in names)


def _nested(tools: Iterable[Tool]) -> list[Any]:
    """Wrap plain tools in one namespace; namespaces and client-run searches stay as they are."""
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
    """Return the tools of `additional_tools` items, out of the namespace that only lite needs."""
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
    """Drop the namespace of plain tools from a call, as its tool has left it."""
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
