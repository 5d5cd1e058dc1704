"""The outermost ASGI application: request ids, CORS headers, preflights, routing.

Routes of dialects are called directly, all others through Litestar. Each route authenticates its
own requests. Routes of dialects are also open to the server without ASGI: `Router.direct`.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from codex_proapi.commons.http.connection.heads import RequestHead
from codex_proapi.commons.http.connection.request_cycle import RequestCycle
from codex_proapi.commons.http.figures import FiguresAccess
from codex_proapi.commons.http.forwarded import client_address
from codex_proapi.commons.http.limits import HttpFault
from codex_proapi.commons.http.request_id import make_request_id
from codex_proapi.commons.http.upgrade import UPGRADE
from codex_proapi.commons.runtime.settings import Network
from codex_proapi.gateway.api.endpoint import Endpoint
from codex_proapi.gateway.api.error_shapes import error_body_for, id_headers_for
from codex_proapi.gateway.api.paths import (
    COUNT_ROUTE,
    FIGURES,
    PATHS,
    POST_ROUTES,
    RESPONSE_ROUTE,
    SUPPORTED,
    may_delete,
    route_of,
)
from codex_proapi.gateway.api.unserved_paths import hint_for
from codex_proapi.gateway.auth.client_head import ClientHead
from codex_proapi.gateway.errors import (
    ClientFault,
    GatewayError,
    MethodRefused,
    NotServed,
    UnknownRoute,
    UpgradeRefused,
)
from codex_proapi.gateway.formats.openai.errors import error_body
from codex_proapi.gateway.server.asgi import (
    ASGIApp,
    Header,
    Message,
    Receive,
    Scope,
    Send,
    headers_of,
)
from codex_proapi.gateway.server.common_headers import CORS_HEADERS
from codex_proapi.gateway.server.error_response import log_refusal, send_error
from codex_proapi.gateway.server.request_context import bind_request

ALLOWED_METHODS: Final = b"GET, POST, DELETE, OPTIONS"
PREFLIGHT_SECONDS: Final = b"86400"
HEADER_NAMES: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, "
)

PostRoute: TypeAlias = Callable[[Scope, Receive, Send, str], Awaitable[None]]
"""A POST route: an ASGI callable that is also given the request's id."""


def fault_body(fault: HttpFault, request_id: str) -> bytes:
    """The error body for a request whose head is refused."""
    del request_id  # no part of OpenAI's errors: it is in the header
    return error_body(ClientFault(fault.message, code=fault.code))


NO_TOKEN: Final = FiguresAccess()
CheckPage: TypeAlias = Callable[[Mapping[bytes, bytes]], Awaitable[None]]
"""Raises OriginRefused for a web page that may not use the gateway at the moment."""


class DirectRoute(msgspec.Struct, frozen=True):
    """What answers requests with one head without ASGI, and what that says of their client."""

    endpoint: Endpoint
    address: str
    """The client's, for the log."""
    client: ClientHead


class Router:
    """The gateway as one ASGI application."""

    def __init__(
        self,
        *,
        endpoints: Mapping[str, PostRoute],
        rest: ASGIApp,
        check_page: CheckPage,
        socket: PostRoute | None = None,
        trusted_proxies: Sequence[Network] = (),
        figures: FiguresAccess = NO_TOKEN,
    ) -> None:
        self._endpoints = endpoints
        self._direct = {
            path: endpoint
            for path, route in PATHS.items()
            if isinstance(endpoint := endpoints.get(route), Endpoint)
        }
        self._socket = socket
        self._rest = rest
        self._check_page = check_page
        self._trusted_proxies = tuple(trusted_proxies)
        self._figures = figures

    def __repr__(self) -> str:
        return f"<Router of {sorted(self._endpoints)}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            return await self._rest(scope, receive, send)
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served here")
        request_id = make_request_id()
        client = client_address(scope.get("client"), scope["headers"], self._trusted_proxies)
        bind_request(request_id, client)
        method = scope["method"]
        if method == "POST":
            endpoint = self._endpoints.get(PATHS.get(scope["path"], ""))
            if endpoint is not None:
                return await endpoint(scope, receive, send, request_id)
        if self._socket is not None and _offers_socket(scope):
            return await self._socket(scope, receive, send, request_id)
        try:
            if _comes_from_page(scope):
                await self._check_page(headers_of(scope))
            if method == "OPTIONS":
                return await _preflight(scope, send, request_id)
            scope = _checked(scope, method, self._figures)
        except GatewayError as error:
            log_refusal(error)
            shape, told = error_body_for(scope), id_headers_for(scope, request_id)
            return await send_error(send, error, request_id, error_body=shape, headers=told)
        told = [(b"x-request-id", request_id.encode()), *id_headers_for(scope, request_id)]
        return await self._rest(scope, receive, _identified(send, told))

    def direct(self, cycle: RequestCycle) -> Coroutine[Any, Any, None] | None:
        """What answers a request without ASGI; None for routes that go through ASGI."""
        known = cycle.known_head
        route: DirectRoute | None = known.handling if known is not None else None
        if route is None:
            route = self._direct_route(cycle.head)
            if route is None:
                return None
            if known is not None:
                known.handling = route
        request_id = make_request_id()
        bind_request(request_id, route.address)
        return route.endpoint.direct(cycle, request_id, route.client)

    def _direct_route(self, head: RequestHead) -> DirectRoute | None:
        """What answers requests with a head without ASGI: by nothing but the head and the peer."""
        endpoint = self._direct.get(head.path) if head.method == "POST" else None
        if endpoint is None:
            return None
        address = client_address(head.client, head.headers, self._trusted_proxies)
        return DirectRoute(endpoint, address, ClientHead.of(dict(head.headers)))


def _comes_from_page(scope: Scope) -> bool:
    """Whether a browser says that a page asks; the other routes look at keys themselves."""
    return any(name == b"origin" for name, _ in scope["headers"])


def _checked(scope: Scope, method: str, figures: FiguresAccess) -> Scope:
    """The scope as Litestar gets it: the route as its path. Raises what is to be answered."""
    route = route_of(scope["path"])
    if route is None and (hint := hint_for(scope["path"])) is not None:
        raise NotServed(f"{_printable(scope['path'])} is not served here: {hint}.")
    if route is None or (route == FIGURES and not figures.allows(scope["headers"])):
        raise UnknownRoute(_unknown_route(scope["path"]))
    if route in POST_ROUTES or route == COUNT_ROUTE:
        if method == "GET" and _wants_websocket(scope):
            raise UpgradeRefused(f"{route} does not speak WebSocket; use POST over HTTP.")
        raise MethodRefused(f"{route} takes POST only.", allowed="POST, OPTIONS")
    if method == "DELETE" and may_delete(route):
        return {**scope, "path": route, "raw_path": route.encode()}
    if method not in {"GET", "HEAD"}:
        if may_delete(route):
            raise MethodRefused(
                f"{route} takes GET and DELETE only.", allowed="GET, HEAD, DELETE, OPTIONS"
            )
        raise MethodRefused(f"{route} takes GET only.", allowed="GET, HEAD, OPTIONS")
    # A HEAD is served as a GET; uvicorn leaves the body out.
    return {**scope, "method": "GET", "path": route, "raw_path": route.encode()}


def _unknown_route(path: str) -> str:
    return f"There is no {_printable(path)} here. Supported: {SUPPORTED}."


def _printable(path: str) -> str:
    return "".join(letter for letter in path[:128] if letter.isprintable())


def _wants_websocket(scope: Scope) -> bool:
    return any(
        name == b"upgrade" and value.lower() == b"websocket" for name, value in scope["headers"]
    )


def _offers_socket(scope: Scope) -> bool:
    """Whether a request offers WebSocket where it is served."""
    return PATHS.get(scope["path"]) == RESPONSE_ROUTE and UPGRADE in (scope.get("extensions") or ())


async def _preflight(scope: Scope, send: Send, request_id: str) -> None:
    """Answer OPTIONS, without a key: browsers send none."""
    asked = next(
        (value for name, value in scope["headers"] if name == b"access-control-request-headers"),
        b"authorization, content-type, x-api-key",
    )
    if not HEADER_NAMES.issuperset(asked):
        asked = b"authorization, content-type, x-api-key"
    headers = [
        *CORS_HEADERS,
        (b"access-control-allow-methods", ALLOWED_METHODS),
        (b"access-control-allow-headers", asked),
        (b"access-control-max-age", PREFLIGHT_SECONDS),
        (b"x-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _identified(send: Send, told: Sequence[Header]) -> Send:
    """Add the id's headers and those of CORS to whatever answers."""

    async def send_identified(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *CORS_HEADERS, *told]
        await send(message)

    return send_identified
