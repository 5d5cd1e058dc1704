"""Composition of the transports to the backend's Responses endpoint."""

import time

from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_transport import HttpTransport
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues
from codex_proapi.gateway.upstream.unary_transport import UnaryTransport
from codex_proapi.gateway.upstream.websocket.choice import TransportChoice
from codex_proapi.gateway.upstream.websocket.transport import WebSocketTransport


def http_clients(
    settings: GatewaySettings, url: str, *, metrics: Metrics, outgoing: Outgoing
) -> tuple[HttpClient, UnaryTransport]:
    """The client of streams, which posts to `url`, and that of answers in one piece."""
    rules = settings.proxy_rules
    client = HttpClient(
        url,
        proxy=rules.proxy_for_url(url),
        figures=metrics.connections,
        outgoing=outgoing,
        idle_seconds=settings.upstream_idle_seconds,
    )
    other_routes = UnaryTransport(
        settings.codex_base_url, rules, figures=metrics.connections, outgoing=outgoing
    )
    return client, other_routes


def socket_transport(
    settings: GatewaySettings,
    url: str,
    http: HttpTransport,
    catalogues: ModelCatalogues,
    *,
    metrics: Metrics,
    outgoing: Outgoing,
) -> WebSocketTransport:
    """The transport that may use WebSocket.

    Args:
        settings: UPSTREAM_TRANSPORT and the proxy.
        url: the address of the POST.
        http: carries what WebSocket does not.
        catalogues: say which models prefer WebSocket.
        metrics: counts first-event times and faults.
        outgoing: what the process' connections share.
    """
    return WebSocketTransport(
        url,
        http,
        TransportChoice(settings.upstream_transport, clock=time.monotonic),
        figures=metrics.transports,
        connections=metrics.connections,
        prefers=lambda model: _prefers(catalogues, model),
        proxy=settings.proxy_rules.proxy_for_url(url),
        outgoing=outgoing,
    )


def _prefers(catalogues: ModelCatalogues, slug: str) -> bool:
    return any(model.prefer_websockets for model in catalogues.current.models if model.slug == slug)
