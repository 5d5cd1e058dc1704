"""The dialect: what serving an exchange needs to know of a client's wire format, one per POST route.

The values are defined in `api.dialects` and passed in; no module of this package or below branches
on a dialect's name.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.limits.limit_charge import LimitCharge
from codex_proapi.gateway.server.asgi import Header
from codex_proapi.gateway.server.error_response import ErrorBody, ErrorHeaders
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator


class Read(Protocol):
    """Translates a request body into an upstream request."""

    def __call__(
        self, body: bytes, *, catalogue: Catalogue, options: RequestOptions, client: ClientTraits
    ) -> TranslatedRequest:
        """Translate one body (JSON bytes).

        Raises:
            BadRequest: the body is malformed; names the parameter.
            UnknownModel: no account's catalogue lists the model.
        """


class MakeTranslator(Protocol):
    """Makes the translator of one answer, or the aggregator if the request does not stream."""

    def __call__(
        self,
        translated: TranslatedRequest,
        /,
        *,
        request_id: str,
        created: int,
        own_quota: bool = False,
    ) -> StreamTranslator:
        """Make a translator.

        Args:
            translated: the translated request.
            request_id: the ids in the answer are derived from it.
            created: Unix time in seconds.
            own_quota: whether the client's key has budgets; the answer then states these instead
                of the account's quota.
        """


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One wire format on one POST route."""

    name: str
    """Label of metrics and `endpoint` of records."""
    path: str
    """The route, without `/v1`."""
    read: Read
    translator: MakeTranslator
    error_body: ErrorBody
    """Body of a response with an error status."""
    error_headers: ErrorHeaders | None = None
    """Additional headers of an error response in this dialect."""
    id_header: bytes = b""
    """Name of a further header that carries the request id, beside `x-request-id`; may be empty."""
    limit_headers: Callable[[LimitCharge, bool], Sequence[Header]]
    """Makes the rate limit headers of a key's charge; the flag is whether the client is Codex."""
