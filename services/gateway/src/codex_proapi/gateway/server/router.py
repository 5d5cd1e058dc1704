"""The raw ASGI callable in front of Litestar: ids, CORS, spellings of paths, the way to a route.

The two hot routes are served from here directly; a route handler and its stream would double the
cost of a request. Whether a client may come in, and what it gets, is decided behind the routes.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from codex_proapi.commons.runtime.forwarded import was_forwarded
from codex_proapi.gateway.errors import GatewayError, MethodRefused, UnknownRoute, UpgradeRefused
from codex_proapi.gateway.server.asgi import (
    CORS_HEADERS,
    ASGIApp,
    Message,
    Receive,
    Scope,
    Send,
    make_request_id,
)

PREFIXES: Final = ("", "/v1", "/v1/v1")
"""Users paste the Base URL with and without `/v1`; some clients add it themselves."""
HOT_ROUTES: Final = ("/chat/completions", "/responses", "/responses/compact")
MODEL_ROUTE: Final = "/models"
USAGE_ROUTE: Final = "/api/codex/usage"
"""Where the Codex CLI asks for its usage; the next ones are asked below a ChatGPT base address."""
USAGE_NAMES: Final = (USAGE_ROUTE, "/backend-api/wham/usage", "/wham/usage")
FIGURES: Final = "/metrics"
"""For Prometheus on the inside: to whoever comes through a proxy there is no such path."""
PROBE_ROUTES: Final = ("/", "/health", "/readyz", FIGURES)
SUPPORTED: Final = (
    "POST /v1/chat/completions, POST /v1/responses, POST /v1/responses/compact, GET /v1/models"
)
ALLOWED_METHODS: Final = b"GET, POST, OPTIONS"
PREFLIGHT_SECONDS: Final = b"86400"
HEADER_NAMES: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, "
)

Endpoint = Callable[[Scope, Receive, Send, str], Awaitable[None]]
"""A hot route: an ASGI callable that is also given the request's id."""


class Refuse(Protocol):
    """How an error becomes an answer."""

    async def __call__(self, send: Send, error: GatewayError, request_id: str) -> None:
        """Answer with the error."""


def spellings(route: str) -> list[str]:
    """Every path that means a route."""
    return [prefix + route + end for prefix in PREFIXES for end in ("", "/")]


PATHS: Final[Mapping[str, str]] = {
    **{path: route for route in (*HOT_ROUTES, MODEL_ROUTE) for path in spellings(route)},
    **{path: USAGE_ROUTE for name in USAGE_NAMES for path in spellings(name)},
    **{path: route for route in PROBE_ROUTES for path in (route, f"{route.rstrip('/')}/")},
}
"""Path to route. Whole and case-sensitive: nothing is normalised beyond what is listed."""
MODEL_PATHS: Final = tuple(f"{prefix}{MODEL_ROUTE}/" for prefix in PREFIXES)


def route_of(path: str) -> str | None:
    """The route a path means, or None; the models' ids may hold slashes."""
    route = PATHS.get(path)
    if route is None and path.startswith(MODEL_PATHS):
        model = path[path.index(MODEL_ROUTE) + len(MODEL_ROUTE) :].strip("/")
        return f"{MODEL_ROUTE}/{model}" if model else MODEL_ROUTE
    return route


def owns(path: str) -> bool:
    """Whether a path is the gateway's where it shares a port with the console."""
    return path.startswith("/v1/") or path == "/v1" or route_of(path) not in {None, "/"}


class Router:
    """The gateway as one ASGI application."""

    def __init__(self, *, hot: Mapping[str, Endpoint], rest: ASGIApp, refuse: Refuse) -> None:
        self._hot = hot
        self._rest = rest
        self._refuse = refuse

    def __repr__(self) -> str:
        return f"<ConsoleMiddleware of {sorted(self._hot)}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan."""
        if scope["type"] == "lifespan":
            return await self._rest(scope, receive, send)
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served here")
        request_id = make_request_id()
        method = scope["method"]
        if method == "POST":
            endpoint = self._hot.get(PATHS.get(scope["path"], ""))
            if endpoint is not None:
                return await endpoint(scope, receive, send, request_id)
        if method == "OPTIONS":
            return await _preflight(scope, send, request_id)
        try:
            scope = _checked(scope, method)
        except GatewayError as error:
            return await self._refuse(send, error, request_id)
        return await self._rest(scope, receive, _identified(send, request_id))


def _checked(scope: Scope, method: str) -> Scope:
    """The scope as Litestar gets it: the route as its path. Raises what is to be answered."""
    route = route_of(scope["path"])
    if route is None or (route == FIGURES and was_forwarded(scope["headers"])):
        raise UnknownRoute(_unknown_route(scope["path"]))
    if route in HOT_ROUTES:
        if method == "GET" and _wants_websocket(scope):
            raise UpgradeRefused("WebSocket is not supported here; use POST over HTTP.")
        raise MethodRefused(f"{route} takes POST only.")
    if method not in {"GET", "HEAD"}:
        raise MethodRefused(f"{route} takes GET only.")
    # A HEAD is served as a GET; uvicorn leaves the body out.
    return {**scope, "method": "GET", "path": route, "raw_path": route.encode()}


def _unknown_route(path: str) -> str:
    printable = "".join(letter for letter in path[:128] if letter.isprintable())
    return f"There is no {printable} here. Supported: {SUPPORTED}."


def _wants_websocket(scope: Scope) -> bool:
    return any(
        name == b"upgrade" and value.lower() == b"websocket" for name, value in scope["headers"]
    )


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


def _identified(send: Send, request_id: str) -> Send:
    """Add the id and the CORS headers to whatever answers."""

    async def send_identified(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [*CORS_HEADERS, (b"x-request-id", request_id.encode())]
            message["headers"] = [*message["headers"], *added]
        await send(message)

    return send_identified
