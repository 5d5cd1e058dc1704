"""What a response object says of its answer: id, model, usage, and fields that are not known. Pure."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, reader
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.codex.events import NOTHING
from codex_proapi.gateway.translation.stream.token_usage import PlainUsage, tokens_of
from codex_proapi.gateway.translation.stream.unknown_fields import RESPONSE_FIELDS, unknown_fields

NAME_LIMIT: Final = 128
"""Most characters of an id, a model's name or a reason."""


class ResponseFacts(msgspec.Struct, frozen=True):
    """The facts of one response object; empty where it does not say."""

    id: str = ""
    model: str = ""
    tokens: Tokens | None = None
    unknown_fields: tuple[str, ...] = ()
    """Names of fields that are not known, of its usage as `usage.…`."""


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    """A response object as all are today; whatever differs is looked at piece by piece."""

    id: str = ""
    model: str = ""
    usage: PlainUsage | None = None


_PlainResponse: Final = msgspec.defstruct(
    "_PlainResponse",
    [(name, Raw, NOTHING) for name in sorted(RESPONSE_FIELDS - set(_Plain.__struct_fields__))],
    bases=(_Plain,),
    forbid_unknown_fields=True,
)
_read_plain: Final = msgspec.json.Decoder(_PlainResponse).decode


class _Named(msgspec.Struct):
    id: Any = ""
    model: Any = ""
    incomplete_details: Any = None


_read_named: Final = reader(_Named)


def facts_of(response: bytes | Raw) -> ResponseFacts:
    """The facts of a response object, however it is written; none of what cannot be read."""
    try:
        plain: _Plain = _read_plain(response)  # type: ignore[assignment]
    except DECODE_ERRORS:
        return _facts_of_any(response)
    usage = plain.usage
    return ResponseFacts(
        plain.id[:NAME_LIMIT], plain.model[:NAME_LIMIT], None if usage is None else usage.tokens()
    )


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


def incomplete_reason(response: Raw) -> str:
    """Why upstream ended an answer early (`incomplete_details.reason`); empty if missing."""
    try:
        details = _read_named(response or b"{}").incomplete_details
    except DECODE_ERRORS:
        return ""
    reason = details.get("reason") if isinstance(details, dict) else None
    return reason[:NAME_LIMIT] if isinstance(reason, str) else ""
