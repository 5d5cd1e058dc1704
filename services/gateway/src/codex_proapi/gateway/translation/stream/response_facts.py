"""What a response object says of its answer: id, model, usage, and fields that are not known. Pure."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, reader
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.codex.events import NOTHING
from codex_proapi.gateway.translation.stream.token_usage import PlainUsage, tokens_of

NAME_LIMIT: Final = 128
"""Most characters of an id, a model's name or a reason."""
RESPONSE_FIELDS: Final = frozenset(
    (
        *("id", "object", "created_at", "completed_at", "status", "background", "billing"),
        *("content_filters", "conversation", "error", "frequency_penalty", "incomplete_details"),
        *("instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation"),
        *("output", "output_text", "parallel_tool_calls", "presence_penalty", "prompt"),
        *("previous_response_id", "prompt_cache_key", "prompt_cache_retention", "reasoning"),
        *("safety_identifier", "service_tier", "store", "temperature", "text", "tool_choice"),
        *("tools", "tool_usage", "top_logprobs", "top_p", "truncation", "usage", "user"),
        *("context_management", "end_turn", "headers"),
    )
)
"""Fields of a response, as the public schema of November 2026 and captured answers have them."""
USAGE_FIELDS: Final = frozenset(PlainUsage.__struct_fields__)
MOST_FIELDS: Final = 32
"""Most unknown fields that one answer names."""


class ResponseFacts(msgspec.Struct, frozen=True):
    """The facts of one response object; empty where it does not say."""

    id: str = ""
    model: str = ""
    tokens: Tokens | None = None
    unknown_fields: tuple[str, ...] = ()
    """Names of fields that are not known, of its usage as `usage.…`."""


_Name = Annotated[str, Meta(max_length=NAME_LIMIT)]


class PlainResponse(msgspec.Struct, forbid_unknown_fields=True):
    """A response object as all are today; whatever differs is looked at piece by piece."""

    id: _Name = ""
    model: _Name = ""
    usage: PlainUsage | None = None


class PlainEvent(msgspec.Struct):
    """An event with such a response object."""

    response: PlainResponse


_PlainResponse: Final = msgspec.defstruct(
    "_PlainResponse",
    [
        (name, Raw, NOTHING)
        for name in sorted(RESPONSE_FIELDS - set(PlainResponse.__struct_fields__))
    ],
    bases=(PlainResponse,),
    forbid_unknown_fields=True,
    gc=False,
)
_read_plain: Final[Callable[[bytes | Raw], Any]] = msgspec.json.Decoder(_PlainResponse).decode


class _Named(msgspec.Struct):
    id: Any = ""
    model: Any = ""
    incomplete_details: Any = None


_read_named: Final = reader(_Named)
_read_fields: Final = reader(dict[str, Raw])


def facts_of(response: bytes | Raw) -> ResponseFacts:
    """The facts of a response object, however it is written; none of what cannot be read."""
    try:
        plain: PlainResponse = _read_plain(response)
    except DECODE_ERRORS:
        return _facts_of_any(response)
    usage = plain.usage
    return ResponseFacts(plain.id, plain.model, None if usage is None else usage.tokens())


def plain_reader(name: str) -> Callable[[bytes], PlainEvent]:
    """What reads an event with a plain response object in one step; a `ValueError` for any other."""
    fields = [("response", _PlainResponse)]
    shape = msgspec.defstruct("_PlainEvent", fields, tag_field="type", tag=name, gc=False)
    read: Callable[[bytes], Any] = msgspec.json.Decoder(shape).decode
    return read


def _facts_of_any(response: bytes | Raw) -> ResponseFacts:
    """The same, field by field: `facts_of` reads those that are as they should be in one step."""
    try:
        named = _read_named(response or b"{}")
    except DECODE_ERRORS:
        named = _Named()
    return ResponseFacts(
        named.id[:NAME_LIMIT] if isinstance(named.id, str) else "",
        named.model[:NAME_LIMIT] if isinstance(named.model, str) else "",
        tokens_of(response),
        tuple(unknown_fields(response)),
    )


def unknown_fields(response: bytes | Raw) -> list[str]:
    """Names of the fields of a response object, and of its usage as `usage.…`, that are not known."""
    try:
        fields = _read_fields(response or b"{}")
        usage = read_any(fields["usage"]) if "usage" in fields else None
    except DECODE_ERRORS:
        return []
    found = sorted(fields.keys() - RESPONSE_FIELDS)
    if isinstance(usage, dict):
        found += [f"usage.{name}" for name in sorted(set(usage) - USAGE_FIELDS)]
    return found[:MOST_FIELDS]


def incomplete_reason(response: Raw) -> str:
    """Why upstream ended an answer early (`incomplete_details.reason`); empty if missing."""
    try:
        details = _read_named(response or b"{}").incomplete_details
    except DECODE_ERRORS:
        return ""
    reason = details.get("reason") if isinstance(details, dict) else None
    return reason[:NAME_LIMIT] if isinstance(reason, str) else ""
