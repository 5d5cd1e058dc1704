"""Composition of the transports to the backend's Responses endpoint."""

import importlib.util
import time
from typing import TYPE_CHECKING

import structlog

from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.settings import GatewaySettings, TransportSetting
from codex_proapi.gateway.upstream.http_transport import HttpTransport
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues

if TYPE_CHECKING:
    from codex_proapi.gateway.upstream.websocket.transport import WebSocketTransport

log = structlog.get_logger(__name__)


def socket_transport(
    settings: GatewaySettings,
    url: str,
    http: HttpTransport,
    catalogues: ModelCatalogues,
    *,
    metrics: Metrics,
) -> "WebSocketTransport | None":
    """The transport that may use WebSocket; None without the framing library.

    Args:
        settings: UPSTREAM_TRANSPORT and the proxy.
        url: the address of the POST.
        http: carries what WebSocket does not.
        catalogues: say which models prefer WebSocket.
        metrics: counts first-event times and faults.
    """
    if importlib.util.find_spec("websockets") is None:
        if settings.upstream_transport is not TransportSetting.HTTP:
            log.error("upstream.no_websockets", wanted=settings.upstream_transport.value)
        return None
    # An environment from before the library was a dependency still serves over HTTP.
    from codex_proapi.gateway.upstream.websocket.choice import TransportChoice  # noqa: PLC0415
    from codex_proapi.gateway.upstream.websocket.transport import (  # noqa: PLC0415
        WebSocketTransport,
    )

    return WebSocketTransport(
        url,
        http,
        TransportChoice(settings.upstream_transport, clock=time.monotonic),
        figures=metrics.transports,
        prefers=lambda model: _prefers(catalogues, model),
        proxy=settings.proxy_rules.proxy_for_url(url),
    )


def _prefers(catalogues: ModelCatalogues, slug: str) -> bool:
    return any(model.prefer_websockets for model in catalogues.current.models if model.slug == slug)
