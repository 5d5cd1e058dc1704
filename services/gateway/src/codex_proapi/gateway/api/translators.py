"""The translations of each route's dialect, by the route's name."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.translation.chat.request import read_chat_request
from codex_proapi.gateway.translation.chat.responder import chat_translator
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.responses.request import (
    read_compact_request,
    read_responses_request,
)
from codex_proapi.gateway.translation.responses.responder import responses_translator
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator

Endpoint = Literal["chat", "responses", "compact"]
"""A POST route's name, as metrics and records have it."""


class ReadRequest(Protocol):
    """Makes an upstream request of a body."""

    def __call__(
        self,
        body: bytes | Mapping[str, Any],
        *,
        catalogue: Catalogue,
        options: RequestOptions,
        client: ClientTraits,
    ) -> TranslatedRequest:
        """Translate. Raises BadRequest or UnknownModel."""


class MakeTranslator(Protocol):
    """Makes the translator of one answer."""

    def __call__(
        self, asked: TranslatedRequest, *, request_id: str, created: int, own_quota: bool = False
    ) -> StreamTranslator:
        """Choose by what was asked; ids that clients see derive from the request's."""


READERS: Final[Mapping[Endpoint, ReadRequest]] = {
    "chat": read_chat_request,
    "responses": read_responses_request,
    "compact": read_compact_request,
}
TRANSLATORS: Final[Mapping[Endpoint, MakeTranslator]] = {
    "chat": chat_translator,
    "responses": responses_translator,
    "compact": responses_translator,
}
