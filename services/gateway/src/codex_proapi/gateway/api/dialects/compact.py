"""Compaction of a conversation, which Codex asks for: `POST /v1/responses/compact`."""

from typing import Final

from codex_proapi.gateway.api.dialects.limit_headers import headers_of_limits
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.formats.openai.errors import error_body
from codex_proapi.gateway.translation.responses.request import read_compact_request
from codex_proapi.gateway.translation.responses.translator_factory import responses_translator

COMPACT: Final = Dialect(
    name="compact",
    path="/responses/compact",
    read=read_compact_request,
    translator=responses_translator,
    error_body=error_body,
    limit_headers=headers_of_limits,
)
