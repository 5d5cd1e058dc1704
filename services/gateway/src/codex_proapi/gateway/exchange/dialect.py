"""What serving an exchange must know of a client's protocol: one value for each POST route.

The values are made in `api.dialects` and handed in; nothing here or below asks which dialect it is.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.limits.charge import LimitCharge
from codex_proapi.gateway.server.asgi import Header
from codex_proapi.gateway.server.error_response import ErrorBody, ErrorHeaders
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator


class Read(Protocol):
    """Makes an upstream request of a body."""

    def __call__(
        self, body: bytes, *, catalogue: Catalogue, options: RequestOptions, client: ClientTraits
    ) -> TranslatedRequest:
        """Read one body. Raises BadRequest or UnknownModel."""


class MakeTranslator(Protocol):
    """Makes the translator of one answer, streamed or in one piece as the request wants it."""

    def __call__(
        self, asked: TranslatedRequest, *, request_id: str, created: int, own_quota: bool = False
    ) -> StreamTranslator:
        """Make one. Ids that clients see derive from the request's; `created` is a Unix time.

        `own_quota` says that the client's key has budgets, of which it is told instead of the
        account's quota.
        """


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One protocol on one POST route."""

    name: str
    """Label of metrics and `endpoint` of records."""
    path: str
    """The route, without `/v1`."""
    read: Read
    translator: MakeTranslator
    error_body: ErrorBody
    """Body of a response with an error status."""
    error_headers: ErrorHeaders | None = None
    """Headers of an error that only this protocol's clients read."""
    id_header: bytes = b""
    """A header that names the request to this protocol's clients, beside `x-request-id`."""
    limit_headers: Callable[[LimitCharge | None, bool], Sequence[Header]]
    """Headers that tell of the limits of the client's key; the flag says that Codex itself asks."""
