"""What a client asked becomes an upstream request: the one way in for every request body.

Total: any JSON gives a `Translated`, or raises BadRequest or UnknownModel with the culprit's name;
the argument is never changed. The rules themselves live beside: tools, messages, items, parameters.
"""

import enum
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gateway.dialects.catalogue import Catalogue
from gateway.dialects.codex_requests import UpstreamRequest

Endpoint = Literal["chat", "responses", "compact"]
"""Which of our routes the body came in by."""
AnswerForm = Literal["chat", "responses"]
"""Which dialect the answer must speak."""


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
    """A Codex client that speaks the lite shape."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "ClientTraits":
        """Read them off lower-cased headers."""
        raise NotImplementedError


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream request, and all the answer's way back must know about the asking."""

    request: UpstreamRequest
    """To be sent; not before `expand`, where `unresolved`."""
    asked_model: str
    """What the client wrote, to be echoed; the sent model where it wrote none."""
    stream: bool
    """Whether it wants a stream."""
    include_usage: bool = False
    """Chat streams: whether it wants a usage chunk."""
    answer_form: AnswerForm
    """The dialect of the answer."""
    verbatim: bool = False
    """Codex itself asked: its answer passes untouched."""
    tool_names: dict[str, str] = {}
    """Sent name to the client's name, for the shortened ones only."""
    custom_tools: frozenset[str] = frozenset()
    """Sent names of tools declared in the chat form of `custom`: answered as `custom` calls."""
    legacy_functions: bool = False
    """Asked with `functions`: answer with `function_call`."""
    refusal_as_refusal: bool = False
    """A JSON schema was asked for: a refusal goes into `refusal`, not into the text."""
    stop: tuple[str, ...] = ()
    """Strings to cut the text at, which upstream cannot."""
    dropped: tuple[str, ...] = ()
    """Names of what was accepted and left out, cleaned for a header."""
    store: bool = False
    """Whether the client counts on its answer being kept."""
    previous_response_id: str | None = None
    """A response whose items must be put in front, by `expand`."""
    references: tuple[str, ...] = ()
    """Ids of kept items that must be put in, by `expand`."""
    fingerprint_source: str = ""
    """Digest that names the conversation: the same over its turns, another for another key."""

    @property
    def unresolved(self) -> bool:
        """Whether `expand` must be called before the request is sent."""
        return self.previous_response_id is not None or bool(self.references)


def to_upstream(
    body: bytes | Mapping[str, Any],
    *,
    endpoint: Endpoint,
    catalogue: Catalogue,
    options: RequestOptions,
    client: ClientTraits,
) -> Translated:
    """Give the upstream request a body means. Raises BadRequest or UnknownModel."""
    raise NotImplementedError


def expand(
    translated: Translated,
    *,
    previous_items: list[bytes] | None,
    referenced_items: Mapping[str, bytes],
) -> Translated:
    """Put kept items where the client only named them.

    `previous_items` are those of its `previous_response_id` (None when unknown),
    `referenced_items` what the store has of its `references`, by id.
    Raises BadRequest where something named is not there.
    """
    raise NotImplementedError
