"""The POST route of a dialect: authenticates a request and passes it to `exchange.serve`.

It has two doors. The server opens `direct` for a request on one of its connections; ASGI, through
which every other route goes, is the other one, for servers that are not ours and as what tests
compare with. Behind both is `_serve`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from codex_proapi.commons.http.connection.request_cycle import RequestCycle
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.exchange.dialect import Dialect
from codex_proapi.gateway.exchange.serve import ExchangeService, Request, Watch
from codex_proapi.gateway.server.asgi import Receive, Scope, Send, headers_of, texts_of
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.server.read_body import read_body
from codex_proapi.gateway.server.sink import DirectSink, HttpSink

ReadBody = Callable[[BodyHold], Awaitable[bytes]]
"""Reads the body into its share of the body budget."""


class Endpoint:
    """The POST route of one dialect."""

    def __init__(self, dialect: Dialect, service: ExchangeService) -> None:
        self._dialect = dialect
        self._service = service

    def __repr__(self) -> str:
        return f"<Endpoint {self._dialect.name}>"

    async def direct(self, cycle: RequestCycle, request_id: str) -> None:
        """Serve one request on its connection."""
        headers, dialect = dict(cycle.head.headers), self._dialect
        sink = DirectSink(
            cycle,
            request_id=request_id,
            error_body=dialect.error_body,
            error_headers=dialect.error_headers,
            id_header=dialect.id_header,
        )

        async def body(hold: BodyHold) -> bytes:
            read = await read_body(cycle.receive, headers, hold=hold, whole=cycle.whole_body)
            headers.clear()  # read already, and some KB for as long as the answer takes
            cycle.head.headers.clear()
            return read

        await self._serve(request_id, headers, body=body, watch=cycle.watch, sink=sink)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Serve one request through ASGI."""
        headers, dialect = headers_of(scope), self._dialect
        sink = HttpSink(
            send,
            request_id=request_id,
            error_body=dialect.error_body,
            error_headers=dialect.error_headers,
            id_header=dialect.id_header,
        )

        async def body(hold: BodyHold) -> bytes:
            return await read_body(receive, headers, hold=hold)

        def watch(gone: Callable[[], None]) -> Callable[[], None]:
            watching = asyncio.ensure_future(_disconnected(receive, gone))
            return partial(_cancel, watching)

        await self._serve(request_id, headers, body=body, watch=watch, sink=sink)

    async def _serve(
        self,
        request_id: str,
        headers: Mapping[bytes, bytes],
        *,
        body: ReadBody,
        watch: Watch,
        sink: HttpSink,
    ) -> None:
        try:
            authenticated = await self._service.authenticate(headers)
        except GatewayError as error:
            await sink.fail(error)
            return
        hold = self._service.hold_body(authenticated)
        await self._service.serve(
            Request(
                id=request_id,
                dialect=self._dialect,
                headers=texts_of(headers),
                authenticated=authenticated,
                body=lambda: body(hold),
                hold=hold,
                watch=watch,
            ),
            sink,
        )


def _cancel(watching: "asyncio.Future[None]") -> None:
    watching.cancel()


async def _disconnected(receive: Receive, gone: Callable[[], None]) -> None:
    """Wait for the client's end, and tell of it."""
    while (await receive())["type"] != "http.disconnect":
        pass
    gone()
