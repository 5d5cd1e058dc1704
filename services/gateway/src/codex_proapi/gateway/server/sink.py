"""The sink: where a response is written, independent of the server's protocol.

`Sink` has a start with status and headers, pieces of the body, an end, and an error; `HttpSink`
implements it over ASGI, `DirectSink` without: the same bytes, and no message for each piece.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol

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


class Sink(Protocol):
    """One response to a client.

    `start`, any number of `write`, then `end`; or `fail` in their place.
    """

    def start(self, status: int, headers: Sequence[Header]) -> Awaitable[None]:
        """Send status and headers."""

    def write(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body; returns when the client's connection takes more."""

    def end(self, data: bytes = b"") -> Awaitable[None]:
        """Send the last piece."""

    def fail(self, error: GatewayError, headers: Sequence[Header] = ()) -> Awaitable[None]:
        """Send an error as the whole response; only before `start`."""

    def fail_started(self, error: GatewayError) -> Awaitable[None]:
        """End a JSON response that has started, with the error and its status as the body."""


class HttpSink:
    """A response over ASGI HTTP."""

    __slots__ = ("_error_body", "_error_headers", "_headers", "_request_id", "_send")

    def __init__(
        self,
        send: Send,
        *,
        request_id: str,
        error_body: ErrorBody,
        error_headers: ErrorHeaders | None = None,
        id_header: bytes = b"",
    ) -> None:
        """`id_header` names the request to clients that do not read `x-request-id`."""
        self._send = send
        self._request_id = request_id
        self._error_body = error_body
        self._error_headers = error_headers
        self._headers = ((id_header, request_id.encode()),) if id_header else ()

    def __repr__(self) -> str:
        return f"<HttpSink of {self._request_id}>"

    # The methods give the server's awaitable itself: no coroutine is made for each piece.

    def start(self, status: int, headers: Sequence[Header]) -> Awaitable[None]:
        """Send status and headers, with those that every response carries."""
        sent = self._all_headers(headers)
        return self._send({"type": "http.response.start", "status": status, "headers": sent})

    def _all_headers(self, headers: Sequence[Header]) -> list[Header]:
        own = (b"x-request-id", self._request_id.encode())
        return [own, *self._headers, *CORS_HEADERS, *headers]

    def write(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body."""
        return self._send({"type": "http.response.body", "body": data, "more_body": True})

    def end(self, data: bytes = b"") -> Awaitable[None]:
        """Send the last piece."""
        return self._send({"type": "http.response.body", "body": data, "more_body": False})

    def fail(self, error: GatewayError, headers: Sequence[Header] = ()) -> Awaitable[None]:
        """Send an error as the whole response."""
        more = self._error_headers(error) if self._error_headers is not None else ()
        return send_error(
            self._send,
            error,
            self._request_id,
            error_body=self._error_body,
            headers=[*self._headers, *headers, *more],
        )

    def fail_started(self, error: GatewayError) -> Awaitable[None]:
        """End a JSON response that has started, with the error and its status as the body."""
        return self.end(with_status(self._error_body(error, request_id=self._request_id), error))


class DirectSink(HttpSink):
    """A response on the client's connection itself; its head leaves with its first piece.

    Takes what `HttpSink` takes, with the request in the place of `send`.
    """

    __slots__ = ("cycle",)

    def __init__(
        self,
        cycle: RequestCycle,
        *,
        request_id: str,
        error_body: ErrorBody,
        error_headers: ErrorHeaders | None = None,
        id_header: bytes = b"",
    ) -> None:
        super().__init__(
            cycle.send,
            request_id=request_id,
            error_body=error_body,
            error_headers=error_headers,
            id_header=id_header,
        )
        self.cycle = cycle
        """The request on its connection."""

    def __repr__(self) -> str:
        return f"<DirectSink of {self._request_id}>"

    def start(self, status: int, headers: Sequence[Header]) -> Awaitable[None]:
        """Begin the response."""
        self.cycle.start(status, self._all_headers(headers))
        return DONE

    def write(self, data: bytes) -> Awaitable[None]:
        """Send a piece of the body; b"" sends the head alone."""
        self.cycle.write(data)
        return self.cycle.drained()

    def end(self, data: bytes = b"") -> Awaitable[None]:
        """Send the last piece."""
        self.cycle.end(data)
        return DONE
