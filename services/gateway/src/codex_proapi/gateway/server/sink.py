"""The sink: where a response is written, independent of the server's protocol.

`Sink` has a start with status and headers, pieces of the body, an end, and an error; `HttpSink`
implements it over ASGI, `DirectSink` without: the same bytes, and no message for each piece.
"""

from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

import msgspec

from codex_proapi.commons.http.connection.heads import (
    framed_lines,
    header_lines,
    remembered_lines,
)
from codex_proapi.commons.http.connection.request_cycle import DONE, RequestCycle
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.server.asgi import Header, Send
from codex_proapi.gateway.server.common_headers import CORS_HEADERS
from codex_proapi.gateway.server.error_response import (
    ErrorBody,
    ErrorHeaders,
    send_error,
    with_status,
)

_CORS_LINES: Final = header_lines(CORS_HEADERS)
_ID_LINE: Final = b"x-request-id: %b\r\n"


class Sink(Protocol):
    """One response to a client.

    `start`, any number of `write`, then `end`; or `fail` in their place.
    """

    def start(
        self, status: int, headers: Sequence[Header], more: Sequence[Header] = ()
    ) -> Awaitable[None]:
        """Send status and headers; a tuple of `headers` is one that many responses have."""

    def write(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body; returns when the client's connection takes more."""

    def end(self, data: bytes = b"") -> Awaitable[None]:
        """Send the last piece."""

    def fail(self, error: GatewayError, headers: Sequence[Header] = ()) -> Awaitable[None]:
        """Send an error as the whole response; only before `start`."""

    def fail_started(self, error: GatewayError) -> Awaitable[None]:
        """End a JSON response that has started, with the error and its status as the body."""


class ErrorFormat(Protocol):
    """How a dialect names a request and its errors to clients."""

    @property
    def error_body(self) -> ErrorBody:
        """Body of a response with an error status."""

    @property
    def error_headers(self) -> ErrorHeaders | None:
        """Additional headers of an error response in this dialect."""

    @property
    def id_header(self) -> bytes:
        """Name of a further header that carries the request id, beside `x-request-id`; may be empty."""


class HttpSink(msgspec.Struct, eq=False):
    """A response over ASGI HTTP."""

    send: Send
    request_id: str
    errors: ErrorFormat

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.request_id}>"

    # The methods give the server's awaitable itself: no coroutine is made for each piece.

    def start(
        self, status: int, headers: Sequence[Header], more: Sequence[Header] = ()
    ) -> Awaitable[None]:
        """Send status and headers, with those that every response carries."""
        sent = [*self._ids(), *headers, *more, *CORS_HEADERS]
        return self.send({"type": "http.response.start", "status": status, "headers": sent})

    def _ids(self) -> tuple[Header, ...]:
        own, named = self.request_id.encode(), self.errors.id_header
        return ((b"x-request-id", own), (named, own)) if named else ((b"x-request-id", own),)

    def write(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body."""
        return self.send({"type": "http.response.body", "body": data, "more_body": True})

    def end(self, data: bytes = b"") -> Awaitable[None]:
        """Send the last piece."""
        return self.send({"type": "http.response.body", "body": data, "more_body": False})

    def fail(self, error: GatewayError, headers: Sequence[Header] = ()) -> Awaitable[None]:
        """Send an error as the whole response."""
        errors = self.errors
        named = self._ids()[1:]
        more = errors.error_headers(error) if errors.error_headers is not None else ()
        return send_error(
            self.send,
            error,
            self.request_id,
            error_body=errors.error_body,
            headers=[*named, *headers, *more],
        )

    def fail_started(self, error: GatewayError) -> Awaitable[None]:
        """End a JSON response that has started, with the error and its status as the body."""
        body = self.errors.error_body(error, request_id=self.request_id)
        return self.end(with_status(body, error))


class DirectSink(HttpSink, eq=False):
    """A response on the client's connection itself; its head leaves with its first piece."""

    cycle: RequestCycle
    """The request on its connection, whose `send` is the sink's."""

    def start(
        self, status: int, headers: Sequence[Header], more: Sequence[Header] = ()
    ) -> Awaitable[None]:
        """Begin the response; how it is framed is said in `headers`."""
        repeats = isinstance(headers, tuple)
        framing, lines = remembered_lines(headers) if repeats else framed_lines(headers)
        own, named = self.request_id.encode(), self.errors.id_header
        ids = b"x-request-id: %b\r\n%b: %b\r\n" % (own, named, own) if named else _ID_LINE % own
        added = header_lines(more) if more else b""
        self.cycle.start_framed(status, framing, b"".join((ids, lines, added, _CORS_LINES)))
        return DONE

    def write(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body; b"" sends the head alone."""
        self.cycle.write(data)
        return self.cycle.drained()

    def end(self, data: bytes = b"") -> Awaitable[None]:
        """Send the last piece."""
        self.cycle.end(data)
        return DONE
