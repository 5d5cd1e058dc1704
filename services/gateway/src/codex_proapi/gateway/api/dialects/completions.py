"""Legacy completions: `POST /v1/completions`."""

from typing import Final

from codex_proapi.gateway.api.dialects.limit_headers import headers_of_limits
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.formats.openai.errors import error_body
from codex_proapi.gateway.translation.completions.request import read_completions_request
from codex_proapi.gateway.translation.completions.translator_factory import completions_translator

COMPLETIONS: Final = Dialect(
    name="completions",
    path="/completions",
    read=read_completions_request,
    translator=completions_translator,
    error_body=error_body,
    limit_headers=headers_of_limits,
)
