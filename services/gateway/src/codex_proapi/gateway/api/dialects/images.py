"""Images of OpenAI's API: `POST /v1/images/generations` and `/v1/images/edits`."""

from typing import Final

from codex_proapi.gateway.api.dialects.limit_headers import headers_of_limits
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.formats.openai.errors import error_body
from codex_proapi.gateway.translation.unary.answer import unary_answer
from codex_proapi.gateway.translation.unary.images import (
    read_edit_request,
    read_generation_request,
)

IMAGES: Final = Dialect(
    name="images",
    path="/images/generations",
    read=read_generation_request,
    translator=unary_answer,
    error_body=error_body,
    limit_headers=headers_of_limits,
)
IMAGE_EDITS: Final = Dialect(
    name="image_edits",
    path="/images/edits",
    read=read_edit_request,
    translator=unary_answer,
    error_body=error_body,
    limit_headers=headers_of_limits,
)
