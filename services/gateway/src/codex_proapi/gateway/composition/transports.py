"""Composition of the transports to the backend's Responses endpoint."""

import time

from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.gateway.upstream.http_transport import HttpTransport
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues
from codex_proapi.gateway.upstream.websocket.choice import TransportChoice
from codex_proapi.gateway.upstream.websocket.transport import WebSocketTransport


def socket_transport(
    settings: GatewaySettings,
    url: str,
    http: HttpTransport,
    catalogues: ModelCatalogues,
    *,
    metrics: Metrics,
) -> WebSocketTransport:
    """The transport that may use WebSocket.

    Args:
        settings: UPSTREAM_TRANSPORT and the proxy.
        url: the address of the POST.
        http: carries what WebSocket does not.
        catalogues: say which models prefer WebSocket.
        metrics: counts first-event times and faults.
    """
    return WebSocketTransport(
        url,
        http,
        TransportChoice(settings.upstream_transport, clock=time.monotonic),
        figures=metrics.transports,
        connections=metrics.connections,
        prefers=lambda model: _prefers(catalogues, model),
        proxy=settings.proxy_rules.proxy_for_url(url),
    )


def _prefers(catalogues: ModelCatalogues, slug: str) -> bool:
    return any(model.prefer_websockets for model in catalogues.current.models if model.slug == slug)
