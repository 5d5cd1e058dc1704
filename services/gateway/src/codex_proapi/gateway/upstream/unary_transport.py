"""The transport of the backend's other routes: POST, the answer is one JSON body.

The whole body is read before the answer counts as committed, so another account may be asked as
long as it has not come. Routes are few and rarely used: each has a client of its own.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.proxy.address import ProxyRules
from codex_proapi.gateway.errors import Malformed, UpstreamFault
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.metrics.connection_figures import ConnectionFigures
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_response import HttpResponse
from codex_proapi.gateway.upstream.http_transport import read_refusal, refusal_of_fault
from codex_proapi.gateway.upstream.transport import PreparedRequest, SilenceBudget

ROUTES: Final = ("images/generations", "images/edits", "alpha/search")
"""The backend's routes below CODEX_BASE_URL."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of an answer."""


class UnaryResponse:
    """A whole answer; a `ResponseStream`."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.held = body
        """The body."""
        self.headers = headers
        """Upstream's response headers, by lower-case name."""
        self.way = ""

    def __repr__(self) -> str:
        return f"<UnaryResponse of {len(self.held)} bytes>"

    async def read(self) -> bytes:
        """Nothing follows."""
        return b""

    def close(self) -> None:
        """The connection is free already."""

    def release(self) -> None:
        """The connection is free already."""


class UnaryTransport:
    """Sends requests to routes that answer in one piece; a `Transport`."""

    def __init__(
        self,
        base_url: str,
        rules: ProxyRules,
        *,
        figures: ConnectionFigures | None = None,
        outgoing: Outgoing | None = None,
    ) -> None:
        """`base_url` is CODEX_BASE_URL; `rules` say which proxy is on the way to it."""
        outgoing = outgoing or Outgoing()
        urls = {route: f"{base_url.rstrip('/')}/{route}" for route in ROUTES}
        self._clients = {
            route: HttpClient(
                url, proxy=rules.proxy_for_url(url), figures=figures, outgoing=outgoing
            )
            for route, url in urls.items()
        }

    def __repr__(self) -> str:
        return f"<UnaryTransport to {', '.join(self._clients)}>"

    async def open(
        self, request: PreparedRequest, silence: SilenceBudget
    ) -> UnaryResponse | Refusal:
        """Send a request once; faults of the transport are returned as refusals of status 0."""
        answer: HttpResponse | None = None
        try:
            async with asyncio.timeout_at(silence.deadline):
                answer = await self._clients[request.route].post(
                    request.headers,
                    request.body,
                    login=request.login,
                    new_connection=request.new_connection,
                )
                if answer.status != 200:  # noqa: PLR2004 - HTTP's own number
                    return await read_refusal(answer)
                if request.on_head is not None:
                    request.on_head(answer.headers)
                return UnaryResponse(await _whole(answer), answer.headers)
        except (TimeoutError, ConnectionError, UpstreamFault) as error:
            if answer is not None:
                answer.close()
            return refusal_of_fault(error)
        except BaseException:
            if answer is not None:
                answer.close()
            raise

    def tick(self) -> None:
        """Count a second: close connections that have been idle for too long."""
        for client in self._clients.values():
            client.tick()

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()


async def _whole(answer: HttpResponse) -> bytes:
    """Read a body. Raises Malformed for none, for a page, and beyond MOST_BYTES."""
    if "text/html" in answer.headers.get("content-type", "").lower():
        raise Malformed("A page came instead of the backend's answer.")
    body = bytearray()
    while piece := await answer.read():
        body += piece
        if len(body) > MOST_BYTES:
            raise Malformed("The backend's answer is too large.")
    if not body:
        raise Malformed("The backend's answer was empty.")
    return bytes(body)
