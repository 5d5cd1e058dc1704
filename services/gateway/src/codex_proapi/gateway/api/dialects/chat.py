"""Chat Completions: `POST /v1/chat/completions`."""

from typing import Final

from codex_proapi.gateway.api.dialects.limit_headers import headers_of_limits
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.formats.openai.errors import error_body
from codex_proapi.gateway.translation.chat.request import read_chat_request
from codex_proapi.gateway.translation.chat.translator_factory import chat_translator

CHAT: Final = Dialect(
    name="chat",
    path="/chat/completions",
    read=read_chat_request,
    translator=chat_translator,
    error_body=error_body,
    limit_headers=headers_of_limits,
)
