"""Codex' own web search, as its web tool asks for it: `POST /v1/alpha/search`."""

from typing import Final

from codex_proapi.gateway.api.dialects.limit_headers import headers_of_limits
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.formats.openai.errors import error_body
from codex_proapi.gateway.translation.unary.answer import unary_answer
from codex_proapi.gateway.translation.unary.search import read_search_request

SEARCH: Final = Dialect(
    name="search",
    path="/alpha/search",
    read=read_search_request,
    translator=unary_answer,
    error_body=error_body,
    limit_headers=headers_of_limits,
)
