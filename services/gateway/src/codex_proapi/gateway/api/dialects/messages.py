"""Anthropic's Messages: `POST /v1/messages`, as Claude Code and Anthropic's SDKs ask."""

from typing import Final

from codex_proapi.gateway.api.dialects.anthropic_limits import headers_of_limits
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.formats.anthropic.errors import error_body, error_headers
from codex_proapi.gateway.server.asgi import Header
from codex_proapi.gateway.translation.messages.answer.translator_factory import messages_translator
from codex_proapi.gateway.translation.messages.request.read_request import read_messages_request

ID_HEADER: Final = b"request-id"
"""Where Anthropic's SDKs look for a request's id."""


def headers_of_error(error: GatewayError) -> list[Header]:
    """Headers of an error that only this dialect's clients read."""
    return [(name.encode(), value.encode()) for name, value in error_headers(error)]


MESSAGES: Final = Dialect(
    name="messages",
    path="/messages",
    read=read_messages_request,
    translator=messages_translator,
    error_body=error_body,
    error_headers=headers_of_error,
    id_header=ID_HEADER,
    limit_headers=headers_of_limits,
)
