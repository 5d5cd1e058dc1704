"""What goes into a translation beside the body, and what comes out of it."""

import enum
from collections.abc import Mapping

import msgspec

from codex_proapi.commons.codex.minimal_request import LITE_HEADER
from codex_proapi.gateway.formats.codex.requests import Item, UpstreamRequest

SESSION_HEADERS = (
    "session-id",
    "session_id",
    "x-session-id",
    "x-session-affinity",
    "x-claude-code-session-id",
    "conversation_id",
)
"""Headers by which known clients name their conversation, the most telling first."""
CODEX_ORIGINATORS = ("codex_", "codex-")
"""How the `originator` of every Codex client begins."""
CLAUDE_CODE_HEADER = "x-claude-code-session-id"
AGENT_HEADER = "x-claude-code-agent-id"
"""Names a sub-agent, whose conversation is its own within the session."""
REQUEST_CLASS_HEADER = "x-claude-code-request-class"
"""`main`, `subagent`, `workflow`, `compaction` or `auxiliary`."""


class HistoryMode(enum.StrEnum):
    """How a conversation is put into `input`."""

    STRUCTURED = "structured"
    """Roles, tools and images stay items."""
    TRANSCRIPT = "transcript"
    """The whole history becomes one user text."""


class RequestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What settings and the client's key say about its requests."""

    key_id: str = ""
    """Keeps one key's conversations apart from another's; empty in open mode."""
    history_mode: HistoryMode = HistoryMode.STRUCTURED
    default_model: str | None = None
    """The key's own default, where the body names no model."""
    default_effort: str | None = None
    """The key's own default effort, where neither body nor model name says one."""
    reasoning_summary: str | None = None
    """`auto`, `concise` or `detailed` asks for one by default; None leaves it to the catalogue."""


class ClientTraits(msgspec.Struct, frozen=True, kw_only=True):
    """What the request's headers say about the client."""

    is_codex: bool = False
    """Codex itself: its items are passed as they are."""
    session: str | None = None
    """Its session header, if any."""
    lite: bool = False
    """Its request is in the lite shape."""
    is_claude_code: bool = False
    """Claude Code asks."""
    agent: str = ""
    """Which of Claude Code's sub-agents asks; empty for the main conversation."""
    request_class: str = ""
    """What Claude Code says its request is for."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "ClientTraits":
        """Read them off lower-cased headers."""
        sessions = (headers.get(name, "").strip() for name in SESSION_HEADERS)
        return cls(
            is_codex=headers.get("originator", "").startswith(CODEX_ORIGINATORS),
            session=next((session for session in sessions if session), None),
            lite=headers.get(LITE_HEADER, "").lower() == "true",
            is_claude_code=CLAUDE_CODE_HEADER in headers,
            agent=headers.get(AGENT_HEADER, "").strip(),
            request_class=headers.get(REQUEST_CLASS_HEADER, "").strip(),
        )


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of an asking to finish its history, at once or once it is expanded."""

    key_id: str
    history_mode: HistoryMode
    verbatim: bool
    """Items pass as they are."""
    lane: str | None
    """The client's own name of the conversation."""
    session: str | None
    """A Codex client's session id."""


class TranslatedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream request, and all that the way back of its answer must know of the asking."""

    request: UpstreamRequest
    """To be sent; where `unresolved`, only after `expand`."""
    asked_model: str
    """What the client wrote, to be echoed; the sent model where it wrote none."""
    stream: bool
    """Whether it wants a stream."""
    answer: msgspec.Struct
    """What the dialect's own translator must know; made and read by the dialect alone."""
    verbatim: bool = False
    """The client is Codex itself: its answer passes untouched."""
    tool_names: dict[str, str] = {}
    """Sent name to the client's name, for those that differ."""
    dropped: tuple[str, ...] = ()
    """Names of what was accepted and left out, clean enough for a header."""
    store: bool = False
    """Whether the client counts on its answer being kept."""
    unresolved: bool = False
    """Whether `expand` must be called before the request is sent."""
    previous_response_id: str | None = None
    """A response whose items must be put before the others, by `stored_items.expand`."""
    references: tuple[str, ...] = ()
    """Ids of kept items that must be put in, by `expand`."""
    fingerprint_source: str = ""
    """Digest that names the conversation: the same over its turns, another for another key."""
    begins: bool = False
    """Whether this is a first turn that no session names: one like it before is another's."""
    history: tuple[Item, ...] = ()
    """The conversation as items, even where `input` is a transcript of it."""
    basis: Basis
    """For `expand`."""

    def kept_items(self) -> list[bytes]:
        """Return the history as it is kept, for a later `previous_response_id`."""
        return [msgspec.json.encode(item) for item in self.history]
