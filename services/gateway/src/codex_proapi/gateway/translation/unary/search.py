"""Reads requests of Codex' own web search, `POST …/alpha/search`, which pass as they are.

Body and answer are the CLI's (openai/codex, `codex-api`, search, 2026): one JSON object each. Only
the model is resolved, and the account is that of the session's conversation.
"""

from collections.abc import Mapping
from typing import Any, Final

from codex_proapi.commons.codex.errors import ModelNotFound
from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.errors import BadRequest, UnknownModel
from codex_proapi.gateway.formats.client_body import decode_body
from codex_proapi.gateway.formats.codex.requests import Shape, UpstreamRequest
from codex_proapi.gateway.translation.history.fingerprints import fingerprint, session_uuid
from codex_proapi.gateway.translation.request.request_reader import DECODING_ERRORS, unreadable
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.unary.answer import UnaryOptions

SEARCH: Final = "alpha/search"


def read_search_request(
    body: bytes | Mapping[str, Any],
    *,
    catalogue: Catalogue,
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Return the upstream request for a search.

    Raises:
        BadRequest: the body is no JSON object, or `commands` is missing.
        UnknownModel: the catalogue has no such model.
    """
    try:
        asked = decode_body(body)
        if not isinstance(asked.values.get("commands"), dict):
            raise BadRequest(
                "'commands' must be an object", code="missing_required_parameter", param="commands"
            )
        name = asked.text("model") or options.default_model or ""
        try:
            model = catalogue.resolve(name).model.slug
        except ModelNotFound as missing:
            raise UnknownModel(str(missing)) from None
        own = asked.values.get("id")
        session = client.session or (own if isinstance(own, str) and own else None)
        conversation = fingerprint(options.key_id, f"lane {session or 'search'}")
        return TranslatedRequest(
            request=UpstreamRequest(
                model=model,
                shape=Shape.CLASSIC,
                session_id=session_uuid(conversation),
                input=(),
                route=SEARCH,
                payload=asked.values,
            ),
            asked_model=name[:128] or model,
            stream=False,
            answer=UnaryOptions(),
            verbatim=client.is_codex,
            fingerprint_source=conversation if session else "",
            basis=Basis(
                key_id=options.key_id,
                history_mode=options.history_mode,
                verbatim=client.is_codex,
                lane=session,
                session=None,
            ),
        )
    except DECODING_ERRORS:
        raise unreadable() from None
