"""Every route but the dialects' own, in Litestar: models, stored responses, usage, and probes.

`api.router` has checked path and method and adds the headers that every response carries.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from litestar import Litestar, MediaType, Request, Response, delete, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.prices.price_store import PriceStore
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.gateway.api import models
from codex_proapi.gateway.api.error_shapes import error_body_for, is_anthropic
from codex_proapi.gateway.api.key_usage import usage_of
from codex_proapi.gateway.api.paths import HELLO_ROUTE, OWN_USAGE_ROUTE, USAGE_ROUTE
from codex_proapi.gateway.api.receipts import receipt_of
from codex_proapi.gateway.api.stored_responses import StoredResponses
from codex_proapi.gateway.auth.authenticator import Authenticator
from codex_proapi.gateway.auth.caller import Caller
from codex_proapi.gateway.errors import GatewayError, StoreUnreachable, UnknownRoute
from codex_proapi.gateway.formats.anthropic.models import page_of
from codex_proapi.gateway.formats.codex.quota_encoder import usage_of_quota
from codex_proapi.gateway.limits.visible_quota import KeyQuota
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.server.asgi import ASGIApp, Scope
from codex_proapi.gateway.server.error_response import error_headers, internal_fault, log_refusal
from codex_proapi.gateway.server.in_flight import InFlight
from codex_proapi.gateway.server.request_context import request_id
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_PRIVATE = {"cache-control": "no-store"}
AnyRequest = Request[Any, Any, Any]


class Handlers:
    """The handlers of the routes."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        catalogues: ModelCatalogues,
        key_quota: KeyQuota,
        responses: StoredResponses,
        logs: LogStream,
        prices: PriceStore,
        in_flight: InFlight,
        metrics: Metrics,
        ping: Callable[[], Awaitable[bool]],
        upstream_lost: Callable[[], bool],
        loops_down: Callable[[], Sequence[str]],
        version: str,
    ) -> None:
        self._authenticator = authenticator
        self._catalogues = catalogues
        self._key_quota = key_quota
        self._responses = responses
        self._logs = logs
        self._prices = prices
        self._in_flight = in_flight
        self._metrics = metrics
        self._ping = ping
        self._upstream_lost = upstream_lost
        self._loops_down = loops_down
        self._version = version

    def __repr__(self) -> str:
        return f"<Handlers of {self._version}>"

    async def models(self, request: AnyRequest) -> Response[bytes]:
        """List what the client's key may ask for."""
        key = await self._authenticated(request)
        allowed = key.allowed_models if key else ()
        if is_anthropic(request.scope["headers"]):
            page = page_of(request.query_params)
            body = models.anthropic_listing(self._catalogues.current, page, allowed=allowed)
            return _json(200, body)
        if "client_version" not in request.query_params:
            return _json(200, models.listing(self._catalogues.current, allowed=allowed))
        return await self._codex_models(request, allowed)

    async def _codex_models(self, request: AnyRequest, allowed: Sequence[str]) -> Response[bytes]:
        """The list for a Codex client, which asks again when `x-models-etag` of an answer differs."""
        headers = {"etag": self._catalogues.codex_etag(allowed)}
        if _is_known(headers["etag"], request.headers.get("if-none-match", "")):
            return Response(b"", status_code=304, media_type=MediaType.JSON, headers=headers)
        try:
            rows = await self._catalogues.codex_rows(allowed)
        except StoreUnavailable:
            raise StoreUnreachable("The model lists do not answer. Please try again.") from None
        body = models.listing(self._catalogues.current, allowed=allowed, rows=rows)
        return _json(200, body, headers)

    async def model(self, request: AnyRequest, name: str) -> Response[bytes]:
        """Show one model."""
        key = await self._authenticated(request)
        allowed = key.allowed_models if key else ()
        show = models.anthropic_one if is_anthropic(request.scope["headers"]) else models.one
        return _json(200, show(self._catalogues.current, name, allowed=allowed))

    async def usage(self, request: AnyRequest) -> Response[bytes]:
        """Return the key's quota in the format of the backend's usage endpoint."""
        key = await self._authenticated(request)
        try:
            share = await self._key_quota.of(key)
        except StoreUnavailable:
            raise StoreUnreachable("The counters do not answer. Please try again.") from None
        return _json(200, usage_of_quota(share), _PRIVATE)

    async def own_usage(self, request: AnyRequest) -> Response[bytes]:
        """Return what the key has used of its budgets, and its counters by day."""
        key = await self._authenticated(request)
        query = request.query_params
        return _json(200, await usage_of(key, self._key_quota, query), _PRIVATE)

    async def receipt(self, request: AnyRequest, request_id: str) -> Response[bytes]:
        """Tell what became of one request of the key."""
        key = await self._authenticated(request)
        body = await receipt_of(key, request_id, self._logs, self._prices)
        return _json(200, body, _PRIVATE)

    async def response(self, request: AnyRequest, response_id: str) -> Response[bytes]:
        """Give a stored response of the key."""
        key = await self._authenticated(request)
        body = await self._responses.show(key, response_id, request.query_params)
        return _json(200, body, _PRIVATE)

    async def input_items(self, request: AnyRequest, response_id: str) -> Response[bytes]:
        """List the items before a stored response of the key."""
        key = await self._authenticated(request)
        body = await self._responses.input_items(key, response_id, request.query_params)
        return _json(200, body, _PRIVATE)

    async def delete_response(self, request: AnyRequest, response_id: str) -> Response[bytes]:
        """Delete a stored response of the key."""
        key = await self._authenticated(request)
        return _json(200, await self._responses.delete(key, response_id), _PRIVATE)

    async def health(self) -> dict[str, str]:
        """Liveness: 200 as long as the process runs."""
        return {"status": "ok", "service": "gateway", "version": self._version}

    async def readiness(self) -> Response[dict[str, str]]:
        """Readiness: fails while draining, and without Redis after the grace period."""
        if self._in_flight.draining:
            return Response({"status": "draining", "service": "gateway"}, status_code=503)
        if not await self._ping():
            return Response({"status": "no redis", "service": "gateway"}, status_code=503)
        if down := self._loops_down():
            status = f"loops down: {', '.join(down)}"
            return Response({"status": status, "service": "gateway"}, status_code=503)
        if self._upstream_lost():
            return Response({"status": "no upstream", "service": "gateway"}, status_code=503)
        return Response({"status": "ok", "service": "gateway"})

    async def metrics(self) -> Response[bytes]:
        """The metrics in Prometheus' text format."""
        self._metrics.in_flight.set(len(self._in_flight))
        return Response(self._metrics.exposition(), media_type=EXPOSITION)

    async def _authenticated(self, request: AnyRequest) -> ApiKey | None:
        """Authenticate; the keys' version is read here, as these routes take no snapshot."""
        authenticated = await self._authenticator.authenticate(
            Caller.of(dict(request.scope["headers"]))
        )
        try:
            return (await self._authenticator.again(authenticated)).key
        except StoreUnavailable:
            raise StoreUnreachable("The key store does not answer. Please try again.") from None


def _figures(handlers: Handlers) -> Sequence[HTTPRouteHandler]:
    """The routes of what a key has used, and of what became of its requests."""

    @get([USAGE_ROUTE, OWN_USAGE_ROUTE])
    async def show_usage(request: AnyRequest) -> Response[bytes]:
        own = request.scope["path"] == OWN_USAGE_ROUTE
        return await (handlers.own_usage if own else handlers.usage)(request)

    @get("/requests/{request_id:str}")
    async def show_receipt(request: AnyRequest, request_id: FromPath[str]) -> Response[bytes]:
        return await handlers.receipt(request, request_id)

    return show_usage, show_receipt


def routes(handlers: Handlers) -> ASGIApp:
    """The application behind the router."""

    @get("/models")
    async def list_models(request: AnyRequest) -> Response[bytes]:
        return await handlers.models(request)

    @get("/models/{name:path}")
    async def show_model(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        return await handlers.model(request, name.strip("/"))

    @get("/responses/{response_id:str}")
    async def show_response(request: AnyRequest, response_id: FromPath[str]) -> Response[bytes]:
        return await handlers.response(request, response_id)

    @get("/responses/{response_id:str}/input_items")
    async def list_items(request: AnyRequest, response_id: FromPath[str]) -> Response[bytes]:
        return await handlers.input_items(request, response_id)

    @delete("/responses/{response_id:str}", status_code=200)
    async def delete_response(request: AnyRequest, response_id: FromPath[str]) -> Response[bytes]:
        return await handlers.delete_response(request, response_id)

    @get(["/", "/health", HELLO_ROUTE])
    async def health() -> dict[str, str]:
        return await handlers.health()

    @get("/readyz")
    async def readyz() -> Response[dict[str, str]]:
        return await handlers.readiness()

    @get("/metrics")
    async def metrics() -> Response[bytes]:
        return await handlers.metrics()

    application = Litestar(
        [
            *(list_models, show_model),
            *_figures(handlers),
            *(show_response, list_items, delete_response),
            *(health, readyz, metrics),
        ],
        openapi_config=None,
        logging_config=None,
        exception_handlers={
            GatewayError: _refused,
            HTTPException: _unknown,
            Exception: _crashed,
        },
    )
    return cast("ASGIApp", application)


def _is_known(etag: str, condition: str) -> bool:
    """Whether `If-None-Match` says that the client has this version: weak comparison, or `*`."""
    known = [each.strip().removeprefix("W/") for each in condition.split(",")]
    return known == ["*"] or etag in known


def _json(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)


def _refused(request: AnyRequest, error: GatewayError) -> Response[bytes]:
    log_refusal(error)
    headers = {name.decode(): value.decode() for name, value in error_headers(error)}
    shape = error_body_for(cast("Scope", request.scope))
    return _json(error.status, shape(error, request_id=request_id()), headers)


def _unknown(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Whatever Litestar itself refuses; the router lets little through to it."""
    fault = UnknownRoute(error.detail or "This cannot be served.")
    fault.status = error.status_code
    return _refused(request, fault)


def _crashed(request: AnyRequest, error: Exception) -> Response[bytes]:
    return _refused(request, internal_fault(error))
