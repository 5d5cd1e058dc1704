"""The input of a translation beside the body (options, client traits), and its result."""

import enum
from collections.abc import Mapping

import msgspec

from codex_proapi.commons.codex.minimal_request import LITE_HEADER
from codex_proapi.gateway.formats.codex.requests import (
    FORWARDED_HEADERS,
    TURN_STATE_HEADER,
    Item,
    UpstreamRequest,
)

SESSION_HEADERS = (
    "session-id",
    "session_id",
    "x-session-id",
    "x-session-affinity",
    "x-claude-code-session-id",
    "conversation_id",
)
"""Headers with which known clients name their conversation, in order of preference."""
CODEX_ORIGINATORS = ("codex_", "codex-")
"""Prefixes of the `originator` of Codex clients."""
CLAUDE_CODE_HEADER = "x-claude-code-session-id"
AGENT_HEADER = "x-claude-code-agent-id"
"""Id of a sub-agent, which has its own conversation within the session."""
REQUEST_CLASS_HEADER = "x-claude-code-request-class"
"""`main`, `subagent`, `workflow`, `compaction` or `auxiliary`."""
SUBAGENT_HEADER = "x-openai-subagent"
"""What Codex' own helper conversations are for: `compact`, `review`, `guardian`, `collab_spawn`, …."""
TURN_METADATA_HEADER = "x-codex-turn-metadata"
_COMPACTION = "compaction"


class HistoryMode(enum.StrEnum):
    """How a conversation is written into `input`."""

    STRUCTURED = "structured"
    """As items, with roles, tools and images."""
    TRANSCRIPT = "transcript"
    """As one user message with the whole history as text."""


class RequestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the settings and of the client's key."""

    key_id: str = ""
    """Id of the key, which separates its conversations from others'; empty in open mode."""
    history_mode: HistoryMode = HistoryMode.STRUCTURED
    default_model: str | None = None
    """The key's default model, for bodies without one."""
    default_effort: str | None = None
    """The key's default effort, if neither body nor model name has one."""
    reasoning_summary: str | None = None
    """The default summary: `auto`, `concise` or `detailed`; None for the catalogue's."""


class ClientTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What the request's headers reveal about the client."""

    is_codex: bool = False
    """Whether it is a Codex client, whose items are passed unchanged."""
    session: str | None = None
    """The value of its session header, if any."""
    lite: bool = False
    """Whether its request is in the lite shape."""
    is_claude_code: bool = False
    """Whether it is Claude Code."""
    agent: str = ""
    """Id of Claude Code's sub-agent; empty for the main conversation."""
    request_class: str = ""
    """The purpose of the request as Claude Code states it: see `REQUEST_CLASS_HEADER`."""
    subagent: str = ""
    """The purpose of a Codex client's conversation: see `SUBAGENT_HEADER`."""
    compacts: bool = False
    """Whether a Codex client states in the turn's metadata that it compacts its history."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "ClientTraits":
        """Read the traits from headers with lower-case names."""
        if _REVEALING.isdisjoint(headers):
            return _NO_TRAITS
        session = None
        for name in SESSION_HEADERS:
            if name in headers and (session := headers[name].strip() or None):
                break
        return cls(
            is_codex=headers.get("originator", "").startswith(CODEX_ORIGINATORS),
            session=session,
            lite=headers.get(LITE_HEADER, "").lower() == "true",
            is_claude_code=CLAUDE_CODE_HEADER in headers,
            agent=headers.get(AGENT_HEADER, "").strip(),
            request_class=headers.get(REQUEST_CLASS_HEADER, "").strip(),
            subagent=headers.get(SUBAGENT_HEADER, "").strip(),
            compacts=TURN_METADATA_HEADER in headers
            and _states_compaction(headers[TURN_METADATA_HEADER]),
        )


_REVEALING = frozenset(
    {
        *SESSION_HEADERS, "originator", LITE_HEADER, CLAUDE_CODE_HEADER, AGENT_HEADER,
        REQUEST_CLASS_HEADER, SUBAGENT_HEADER, TURN_METADATA_HEADER,
    }
)  # fmt: skip
"""All headers that are looked at: most clients send none."""
_NO_TRAITS = ClientTraits()
_READ = frozenset(name.encode() for name in (*_REVEALING, *FORWARDED_HEADERS, TURN_STATE_HEADER))
"""Headers that a translation or an attempt reads of a client's."""


def read_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Those of a request's headers that are read after its authentication, as text.

    Args:
        headers: all of them, by lower-case name.
    """
    if _READ.isdisjoint(headers):
        return {}
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name in _READ
    }


class _TurnMetadata(msgspec.Struct):
    request_kind: str = ""


_METADATA = msgspec.json.Decoder(_TurnMetadata)


def _states_compaction(metadata: str) -> bool:
    """Whether a turn's metadata, JSON, has the request kind of a compaction."""
    if _COMPACTION not in metadata:
        return False
    try:
        return _METADATA.decode(metadata).request_kind == _COMPACTION
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What `finish` needs to know of a request, at once or after `stored_items.expand`."""

    key_id: str
    history_mode: HistoryMode
    verbatim: bool
    """Whether items pass unchanged."""
    lane: str | None
    """The client's own name of the conversation."""
    session: str | None
    """A Codex client's session id."""


class TranslatedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream request, and what the translator of its answer needs to know of it."""

    request: UpstreamRequest
    """The request to send; if `unresolved`, only after `expand`."""
    asked_model: str
    """The model as the client wrote it, repeated in the answer; the sent model if it wrote none."""
    replaces: str = ""
    """The model as the client wrote it, if another one serves in its place; `asked_model` is that."""
    small_work: str = ""
    """The class of small work whose model serves; empty if that is the one asked for, or a fallback."""
    task: str = ""
    """The purpose that the body declares (`metadata.task`, as Open WebUI has it); else empty."""
    stream: bool
    """Whether the client wants a stream."""
    answer: msgspec.Struct
    """Options of the dialect's translator; made and read only by the dialect."""
    verbatim: bool = False
    """Whether the client is Codex, whose answers pass unchanged."""
    tool_names: dict[str, str] = {}
    """Sent tool name to the client's, for those that differ."""
    asks_faster: bool = False
    """Whether the body names a faster service tier, also one that the model does not have."""
    dropped: tuple[str, ...] = ()
    """Names of what was accepted and left out, safe for a header."""
    store: bool = False
    """Whether the response is to be stored."""
    unresolved: bool = False
    """Whether `expand` must be called before the request is sent."""
    previous_response_id: str | None = None
    """A stored response whose items `stored_items.expand` inserts before the others."""
    references: tuple[str, ...] = ()
    """Ids of stored items that `expand` inserts."""
    fingerprint_source: str = ""
    """Digest that names the conversation: the same on every turn, different for each key."""
    begins: bool = False
    """Whether this is a first turn without a session's name: an equal one before it is unrelated."""
    history: tuple[Item, ...] = ()
    """The conversation as items, even if `input` is a transcript of it."""
    basis: Basis
    """What `expand` needs."""
