"""Upstream's usage as tokens. The usage of each dialect is written in `formats`."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any, reader
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.formats.codex.events import NOTHING


class _Response(msgspec.Struct):
    usage: Raw = NOTHING


_read: Final = reader(_Response)


_Count = Annotated[int, Meta(ge=0)]


class _InputDetails(msgspec.Struct, frozen=True):
    cached_tokens: _Count = 0
    cache_write_tokens: _Count = 0


class _OutputDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: _Count = 0


class PlainUsage(msgspec.Struct, forbid_unknown_fields=True):
    """A usage object as all are today."""

    input_tokens: _Count
    output_tokens: _Count
    input_tokens_details: _InputDetails = _InputDetails()
    output_tokens_details: _OutputDetails = _OutputDetails()
    total_tokens: Raw = NOTHING
    cost: Raw = NOTHING
    billing: Raw = NOTHING

    def tokens(self) -> Tokens:
        """Its counts."""
        into = self.input_tokens_details
        return Tokens(
            input=self.input_tokens,
            cached=into.cached_tokens,
            cache_write=into.cache_write_tokens,
            output=self.output_tokens,
            reasoning=self.output_tokens_details.reasoning_tokens,
        )


class _Plain(msgspec.Struct):
    usage: PlainUsage


_read_plain: Final = msgspec.json.Decoder(_Plain).decode


def tokens_of(response: bytes | Raw) -> Tokens | None:
    """Tokens in a response object's usage; None when it has none, or one that cannot be read."""
    try:
        return _read_plain(response).usage.tokens()
    except DECODE_ERRORS:
        return _tokens_of_any(response)


def _tokens_of_any(response: bytes | Raw) -> Tokens | None:
    """The same for any usage: `tokens_of` reads those that are as they should be in one step."""
    try:
        usage = read_any(_read(response).usage or b"null")
    except DECODE_ERRORS:
        return None
    return tokens_of_usage(usage) if isinstance(usage, dict) else None


def tokens_of_usage(usage: dict[str, Any]) -> Tokens:
    """Tokens in a usage object; a missing or invalid count is 0."""
    input_details = usage.get("input_tokens_details")
    output_details = usage.get("output_tokens_details")
    return Tokens(
        input=_count(usage, "input_tokens"),
        cached=_count(input_details, "cached_tokens"),
        cache_write=_count(input_details, "cache_write_tokens"),
        output=_count(usage, "output_tokens"),
        reasoning=_count(output_details, "reasoning_tokens"),
    )


def _count(counts: object, name: str) -> int:
    value = counts.get(name) if isinstance(counts, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return max(0, int(value))
