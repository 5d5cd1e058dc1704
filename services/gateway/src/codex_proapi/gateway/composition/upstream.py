"""Composition of the clients of the Codex backend and of the authorization server."""

import httpx
import msgspec

from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.codex.endpoints import responses_url
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.connections.http_client import http_client
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.gateway.composition.stores import Stores
from codex_proapi.gateway.composition.transports import http_clients, is_usable, open_transports
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.health.egress import Egress
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.quota.poller import QuotaPoller
from codex_proapi.gateway.quota.tracker import QuotaTracker
from codex_proapi.gateway.settings import GatewaySettings
from codex_proapi.gateway.upstream.account_api import AccountApi
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_transport import HttpTransport
from codex_proapi.gateway.upstream.model_catalogues import ModelCatalogues
from codex_proapi.gateway.upstream.reachability import Reachability
from codex_proapi.gateway.upstream.unary_transport import UnaryTransport
from codex_proapi.gateway.upstream.websocket.transport import WebSocketTransport


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """Clients of upstream, and the caches of what it reports."""

    identity: Identity
    client: HttpClient
    """For streamed answers."""
    transport: HttpTransport
    sockets: WebSocketTransport
    """The way of all requests: WebSocket where it may and can carry one, else `transport`."""
    other_routes: UnaryTransport
    """For answers in one piece: images and searches."""
    reachability: Reachability
    egress: Egress
    http: httpx.AsyncClient
    """For all other requests: tokens, catalogues, quota."""
    refresher: CredentialRefresher
    catalogues: ModelCatalogues
    quota_poller: QuotaPoller
    quota_tracker: QuotaTracker

    async def aclose(self) -> None:
        """Wait for token refreshes under way to be saved, then close all connections."""
        await self.refresher.close()
        self.transport.close()
        self.sockets.close()
        self.client.close()
        self.other_routes.close()
        await self.http.aclose()


def open_upstream(
    settings: GatewaySettings,
    stores: Stores,
    *,
    clock: SharedClock,
    metrics: Metrics,
    version: str,
) -> Upstream:
    """Make the clients of one replica; no request is sent.

    `version` is the product version that the client identity names.
    """
    identity = _identity(settings, version)
    redis = stores.redis.commands
    rules, url = settings.proxy_rules, responses_url(settings.codex_base_url)
    outgoing = Outgoing()
    client, other_routes = http_clients(settings, url, metrics=metrics, outgoing=outgoing)
    http = http_client(rules, outgoing=outgoing, follow_redirects=False)

    endpoint = TokenEndpoint(
        http,
        issuer=settings.codex_auth_url,
        client_id=settings.codex_client_id,
        identity=identity.headers,
    )
    refresher = _refresher(stores, endpoint, clock=clock, metrics=metrics)
    calls = AccountApi(
        http,
        base_url=settings.codex_base_url,
        identity=identity,
        view=stores.view,
        refresher=refresher,
    )
    poller = QuotaPoller(
        redis, calls=calls, view=stores.view, cooldowns=stores.cooldowns, clock=clock
    )
    catalogues = ModelCatalogues(redis, calls=calls, view=stores.view, clock=clock, metrics=metrics)
    transport, sockets = open_transports(
        *(settings, url, (client, other_routes)),
        catalogues=catalogues,
        metrics=metrics,
        outgoing=outgoing,
        usable=lambda account: is_usable(stores.view, account, clock()),
    )
    return Upstream(
        identity=identity,
        client=client,
        transport=transport,
        sockets=sockets,
        other_routes=other_routes,
        reachability=Reachability(client, count=metrics.connect_failed, clock=clock),
        egress=Egress(clock, redis),
        http=http,
        refresher=refresher,
        catalogues=catalogues,
        quota_poller=poller,
        quota_tracker=QuotaTracker(
            redis, poll=poller, view=stores.view, clock=clock, figures=metrics.quota
        ),
    )


def _identity(settings: GatewaySettings, version: str) -> Identity:
    """How this product, of a version, names itself to the backend."""
    return Identity(
        originator=settings.codex_originator,
        version=settings.codex_client_version,
        product_version=version,
    )


def _refresher(
    stores: Stores, endpoint: TokenEndpoint, *, clock: SharedClock, metrics: Metrics
) -> CredentialRefresher:
    """Make the refresher of credentials; its outcomes are counted."""

    def refreshed(account_id: str, outcome: str) -> None:
        del account_id
        metrics.refreshes.labels(outcome).inc()

    redis = stores.redis.commands
    refresher = CredentialRefresher(stores.accounts, endpoint, redis, clock=clock, hook=refreshed)
    stores.outage.on_return(refresher.returned)
    return refresher
