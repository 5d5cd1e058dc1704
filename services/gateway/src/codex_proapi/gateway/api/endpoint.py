"""The POST route of a dialect: authenticates a request and passes it to `exchange.serve`.

Raw ASGI, because a framework's handler and stream would double the cost of a request.
"""

from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.serve import ExchangeService, Request
from codex_proapi.gateway.server.asgi import Receive, Scope, Send, headers_of, texts_of
from codex_proapi.gateway.server.read_body import read_body
from codex_proapi.gateway.server.sink import HttpSink


class Endpoint:
    """The POST route of one dialect."""

    def __init__(self, dialect: Dialect, service: ExchangeService) -> None:
        self._dialect = dialect
        self._service = service

    def __repr__(self) -> str:
        return f"<Endpoint {self._dialect.name}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Serve one request."""
        headers = headers_of(scope)
        dialect = self._dialect
        sink = HttpSink(
            send,
            request_id=request_id,
            error_body=dialect.error_body,
            error_headers=dialect.error_headers,
            id_header=dialect.id_header,
        )
        try:
            authenticated = await self._service.authenticate(headers)
        except GatewayError as error:
            await sink.fail(error)
            return

        hold = self._service.hold_body(authenticated)

        async def body() -> bytes:
            return await read_body(receive, headers, hold=hold)

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        await self._service.serve(
            Request(
                id=request_id,
                dialect=dialect,
                headers=texts_of(headers),
                authenticated=authenticated,
                body=body,
                hold=hold,
                gone=gone,
            ),
            sink,
        )
