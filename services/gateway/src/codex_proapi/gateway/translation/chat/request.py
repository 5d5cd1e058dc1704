"""Translates a chat completions body into an upstream request."""

from collections.abc import Mapping
from typing import Any

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.request.parameters import stops_of, wants_usage
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


def read_chat_request(
    body: bytes | Mapping[str, Any],
    *,
    catalogue: Catalogue,
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Translate a chat completions body. Raises BadRequest or UnknownModel."""
    try:
        reader = RequestReader(body, catalogue=catalogue, options=options, client=client)
        asked = reader.body
        field = "messages"
        if not asked.values.get(field):
            field = reader.history_field(own=field, other="input")
        request, items = reader.upstream_request(field)
        if "previous_response_id" in asked.values and asked.text("previous_response_id"):
            # Chat has no stored responses: its clients send the whole history.
            reader.dropped.add("previous_response_id")
        form = request.text.get("format", {}).get("type") if request.text else None
        answer = ChatOptions(
            include_usage=field == "input"
            or ("stream_options" in asked.values and wants_usage(asked)),
            custom_tools=reader.tools.chat_custom,
            legacy_functions=bool(asked.functions) and not asked.tools,
            structured=form in ("json_schema", "json_object"),
            refusal_as_refusal=form == "json_schema",
            stop=stops_of(asked) if "stop" in asked.values else (),
        )
        return reader.translated(request, items, field=field, answer=answer)
    except DECODING_ERRORS:
        raise unreadable() from None
