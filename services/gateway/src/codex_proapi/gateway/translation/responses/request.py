"""Translates the body of `/v1/responses` or `/v1/responses/compact` into an upstream request."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from codex_proapi.commons.codex.model_catalogue import FAST_TIER, Catalogue
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import ClientBody
from codex_proapi.gateway.formats.codex.requests import (
    COMPACTION_TRIGGER,
    Item,
    Shape,
    UpstreamRequest,
)
from codex_proapi.gateway.translation.request import parameters
from codex_proapi.gateway.translation.request.request_reader import (
    DECODING_ERRORS,
    RequestReader,
    unreadable,
)
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.responses import codex_client
from codex_proapi.gateway.translation.responses.options import ResponseOptions

MOST_NOTES: Final = 16
NOTE_NAME_LIMIT: Final = 64
NOTE_LIMIT: Final = 512
"""Bounds of `metadata`, as OpenAI's API has them."""
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def read_responses_request(
    body: bytes | Mapping[str, Any],
    *,
    catalogue: Catalogue,
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Translate a body of `/v1/responses`. Raises BadRequest or UnknownModel."""
    try:
        reader = RequestReader(body, catalogue=catalogue, options=options, client=client)
        return _translated(reader, compact=False)
    except DECODING_ERRORS:
        raise unreadable() from None


def read_compact_request(
    body: bytes | Mapping[str, Any],
    *,
    catalogue: Catalogue,
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Translate a body that requests a compacted history. Raises BadRequest or UnknownModel."""
    try:
        reader = RequestReader(body, catalogue=catalogue, options=options, client=client)
        return _translated(reader, compact=True)
    except DECODING_ERRORS:
        raise unreadable() from None


def _translated(reader: RequestReader, *, compact: bool) -> TranslatedRequest:
    body, values = reader.body, reader.body.values
    echo: dict[str, Any] = {}
    verbatim = reader.client.is_codex and "messages" not in values
    if verbatim:
        field = "input"
        request, items = _codex_request(reader)
    else:
        field = "input"
        if not values.get(field):
            field = reader.history_field(own=field, other="messages")
        request, items = reader.upstream_request(field, echoed={"metadata"})
        echo["metadata"] = _metadata(body) if "metadata" in values else {}
    if compact and (not items or items[-1] != COMPACTION_TRIGGER):
        items = [*items, COMPACTION_TRIGGER]
    store = not compact and values.get("store") is not False
    previous = None
    if "previous_response_id" in values:
        previous = body.text("previous_response_id") or None
    echo["store"] = store
    if previous is not None:
        echo["previous_response_id"] = previous
    return reader.translated(
        request,
        items,
        field=field,
        answer=ResponseOptions(echo=echo, compact=compact),
        verbatim=verbatim,
        store=store,
        previous_response_id=previous,
    )


def _codex_request(reader: RequestReader) -> tuple[UpstreamRequest, list[Item]]:
    """Return a Codex client's request, without `input`, and its items: see `codex_client`."""
    body, resolved = reader.body, reader.resolved
    codex_client.note_codex_dropped(body, reader.dropped)
    items = codex_client.codex_items(body.values.get("input"))
    tier = FAST_TIER if resolved.fast else _codex_tier(body)
    lite = reader.client.lite or codex_client.is_lite(items)
    request = UpstreamRequest(
        model=resolved.model.slug,
        shape=Shape.LITE if lite else Shape.CLASSIC,
        session_id="",
        input=(),
        instructions=body.text("instructions"),
        tools=codex_client.codex_tools(body),
        tool_choice=codex_client.codex_choice(body),
        parallel_tool_calls=parameters.parallel_of(body),
        reasoning=codex_client.codex_reasoning(body, resolved),
        text=body.table("text"),
        service_tier=tier,
        prompt_cache_key=body.text("prompt_cache_key") or "",
        client_metadata=codex_client.codex_metadata(body),
    )
    if resolved.model.use_responses_lite:
        return request, items
    return _in_classic(request, items)


def _codex_tier(body: ClientBody) -> str | None:
    """Return a Codex client's tier, a word safe for a header; None for any other value."""
    tier = (body.text("service_tier") or "").lower()
    if tier in ("", *parameters.STANDARD_TIERS):
        return None
    if tier == "fast":
        return FAST_TIER
    if not _WORD.fullmatch(tier):
        raise BadRequest(
            "'service_tier' must be the name of a tier",
            code="unsupported_value",
            param="service_tier",
        )
    return tier


def _metadata(body: ClientBody) -> dict[str, str]:
    """Return `metadata`, which the response repeats. Raises BadRequest beyond its bounds."""
    metadata = body.table("metadata")
    if len(metadata) > MOST_NOTES:
        raise BadRequest(f"'metadata' may hold at most {MOST_NOTES} pairs", param="metadata")
    for name, value in metadata.items():
        if len(name) > NOTE_NAME_LIMIT:
            raise BadRequest(
                f"Names in 'metadata' may have at most {NOTE_NAME_LIMIT} characters",
                param="metadata",
            )
        if not isinstance(value, str) or len(value) > NOTE_LIMIT:
            raise BadRequest(
                f"Values in 'metadata' must be strings of at most {NOTE_LIMIT} characters",
                param=f"metadata.{name}",
            )
    return metadata


def _in_classic(request: UpstreamRequest, items: list[Item]) -> tuple[UpstreamRequest, list[Item]]:
    """Convert a lite request into a classic one, for a model of ours without the lite shape."""
    classic = msgspec.structs.replace(request, input=tuple(items)).in_shape(Shape.CLASSIC)
    return msgspec.structs.replace(classic, input=()), list(classic.input)
