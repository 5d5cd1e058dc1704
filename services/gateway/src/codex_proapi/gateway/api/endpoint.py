"""The POST route of a dialect: passes a request to `exchange.serve`.

It has two doors. The server opens `direct` for a request on one of its connections; ASGI, through
which every other route goes, is the other one, for servers that are not ours and as what tests
compare with.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from codex_proapi.commons.http.connection.request_cycle import RequestCycle
from codex_proapi.gateway.auth.client_head import NO_HEAD, ClientHead
from codex_proapi.gateway.exchange.serve import ExchangeService, Request
from codex_proapi.gateway.server.asgi import Receive, Scope, Send, headers_of
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.server.read_body import read_body
from codex_proapi.gateway.server.sink import DirectSink, HttpSink


class DirectRequest(Request, kw_only=True, eq=False):
    """A request on its connection."""

    cycle: RequestCycle

    async def read_body(self, hold: BodyHold) -> bytes:
        """The body, decompressed, once."""
        cycle, whole = self.cycle, self.cycle.whole_body
        return await read_body(cycle.receive, dict(cycle.headers), hold=hold, whole=whole)

    def take_head(self) -> ClientHead:
        """What its head says, once; a head that no other request has is dropped."""
        head, self.head = self.head, NO_HEAD
        if self.cycle.known_head is None:
            self.cycle.head.headers.clear()
        return head


class AsgiRequest(Request, kw_only=True, eq=False):
    """A request through ASGI."""

    receive: Receive
    headers: Mapping[bytes, bytes]
    """By lower-case name."""

    async def read_body(self, hold: BodyHold) -> bytes:
        """The body, decompressed, once."""
        headers, self.headers = self.headers, {}
        return await read_body(self.receive, headers, hold=hold)


class Endpoint:
    """The POST route of one dialect."""

    def __init__(self, service: ExchangeService) -> None:
        self._service = service

    def __repr__(self) -> str:
        return f"<Endpoint {self._service.dialect.name}>"

    def direct(
        self, cycle: RequestCycle, request_id: str, head: ClientHead
    ) -> Coroutine[Any, Any, None]:
        """What serves one request on its connection; `head` is what that says."""
        request = DirectRequest(
            id=request_id,
            head=head,
            watch=cycle.watch,
            whole=None if head.packed else cycle.whole_body,
            cycle=cycle,
        )
        sink = DirectSink(cycle.send, request_id, self._service.dialect, cycle)
        return self._service.serve(request, sink)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        """Serve one request through ASGI."""
        watching: list[asyncio.Future[None]] = []

        def watch(gone: Callable[[], None]) -> None:
            watching.append(asyncio.ensure_future(_disconnected(receive, gone)))

        headers = headers_of(scope)
        request = AsgiRequest(
            id=request_id,
            head=ClientHead.of(headers),
            watch=watch,
            receive=receive,
            headers=headers,
        )
        sink = HttpSink(send, request_id, self._service.dialect)
        try:
            await self._service.serve(request, sink)
        finally:
            for each in watching:
                each.cancel()


async def _disconnected(receive: Receive, gone: Callable[[], None]) -> None:
    """Wait for the client's end, and tell of it."""
    while (await receive())["type"] != "http.disconnect":
        pass
    gone()
