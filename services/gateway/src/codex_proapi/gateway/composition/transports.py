"""Composition of the transports to the backend's Responses endpoint."""

import time
from collections.abc import Callable

from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.connections.dialer import Dialer
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_transport import HttpTransport
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues
from codex_proapi.gateway.upstream.unary_transport import UnaryTransport
from codex_proapi.gateway.upstream.websocket.choice import TransportChoice
from codex_proapi.gateway.upstream.websocket.open_sockets import OpenSockets
from codex_proapi.gateway.upstream.websocket.socket_turns import SocketTurns, address_of
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


def open_transports(
    settings: GatewaySettings,
    url: str,
    clients: tuple[HttpClient, UnaryTransport],
    *,
    catalogues: ModelCatalogues,
    metrics: Metrics,
    outgoing: Outgoing,
    usable: Callable[[str], bool],
) -> tuple[HttpTransport, WebSocketTransport]:
    """The transport by POST, and that of all requests, which uses it where WebSocket is not used.

    Args:
        settings: UPSTREAM_TRANSPORT and the proxy.
        url: the address of the POST.
        clients: the client of streams, and that of answers in one piece.
        catalogues: say which models prefer WebSocket.
        metrics: counts first-event times and faults.
        outgoing: what the process' connections share.
        usable: says whether an account may be used at the moment.
    """
    client, other_routes = clients
    figures = metrics.transports
    choice = TransportChoice(
        settings.upstream_transport, clock=time.monotonic, first_event=figures.first_event
    )
    http = HttpTransport(client, first_event=choice.posted)
    sockets = OpenSockets(usable, clock=time.monotonic)
    connections, address = metrics.connections, address_of(url)
    connections.watch("websocket", busy=lambda: sockets.busy, idle=lambda: sockets.waiting)
    dialer = Dialer(
        *(address.host, address.port),
        tls=outgoing.tls if address.secure else None,
        proxy=settings.proxy_rules.proxy_for_url(url),
        observer=connections.observer("websocket"),
        outgoing=outgoing,
    )
    return http, WebSocketTransport(
        SocketTurns(address, dialer, sockets, choice=choice, figures=figures),
        http,
        choice,
        sockets=sockets,
        other_routes=other_routes,
        prefers=lambda model: _prefers(catalogues, model),
    )


def is_usable(view: AccountView, account_id: str, now: float) -> bool:
    """Whether an account has a login that works, and is not paused."""
    account = view.accounts.get(account_id)
    return account is not None and not account.is_paused and account.works(now)


def _prefers(catalogues: ModelCatalogues, slug: str) -> bool:
    return any(model.prefer_websockets for model in catalogues.current.models if model.slug == slug)
