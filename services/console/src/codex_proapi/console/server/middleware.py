"""The outermost ASGI layer: client address and host of a request, headers of every response.

Behind it, `scope["client"]` and `scope["scheme"]` are the client's own, whichever trusted proxy
passed the request on; `origin_of(scope)` has the rest. Authentication is `auth.identity`.
"""

import ipaddress
import re
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from codex_proapi.commons.http.figures import FiguresAccess
from codex_proapi.commons.http.limits import BodyDeadlines
from codex_proapi.commons.http.request_body import with_deadlines
from codex_proapi.commons.http.request_id import make_request_id
from codex_proapi.commons.runtime.settings import Network
from codex_proapi.console.errors import BodyTooSlow, ConsoleError, HostRefused, NotFound
from codex_proapi.console.metrics import Metrics
from codex_proapi.console.server.content_coding import with_plain_coding
from codex_proapi.console.server.error_responses import refuse
from codex_proapi.console.server.http_limits import BODY_DEADLINES
from codex_proapi.console.settings import ConsoleSettings

FIGURES = "/metrics"
"""Metrics for Prometheus inside the network; who may not see them gets a 404."""
PROBES = frozenset({"/health", "/readyz", FIGURES})
"""Asked by address, inside the cluster: the host list does not apply."""

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?")

STREAMS = frozenset({"/api/logs/stream", "/api/events"})
"""Answers without an end."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""Headers of every response. HSTS is set where TLS ends."""

NO_STORE = (b"cache-control", b"no-store")
"""Default of every response: pages and the API hold private data."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where one request came from, as far as trusted proxies report it."""

    request_id: str
    """Ours, on every answer and error."""
    client_ip: str
    """The client's address, as a trusted proxy reports it."""
    host: str
    """Requested host and port in lower case; one that HostList allows."""
    secure: bool
    """Whether the client used https."""
    forwarded: str = ""
    """Public `https://host` as a trusted proxy reports it; empty without one."""

    @property
    def address(self) -> str:
        """The base URL under which the visitor reaches the console."""
        return self.forwarded or f"{'https' if self.secure else 'http'}://{self.host}"


def origin_of(scope: Scope) -> Origin:
    """The origin `ConsoleMiddleware` found for this request."""
    return cast("Origin", scope["state"]["origin"])


def method_of(scope: Scope) -> str:
    """The request's method, in capitals."""
    return str(cast("Any", scope)["method"])


class ConsoleMiddleware:
    """The console's outermost ASGI layer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ConsoleSettings,
        metrics: Metrics,
        body_deadlines: BodyDeadlines = BODY_DEADLINES,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._body_deadlines = body_deadlines
        self._clock = clock
        self._hosts = HostList(settings)
        self._figures = FiguresAccess(settings.metrics_token)
        trusted = [str(network) for network in settings.trusted_proxies]
        self._proxied = ProxyHeadersMiddleware(
            cast("Any", self._seen), trusted_hosts=trusted or ["-"]
        )

    def __repr__(self) -> str:
        return f"<ConsoleMiddleware {self._hosts}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; other scopes are passed on unchanged."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        forwarded = ""
        if is_trusted(_peer(scope), self._settings.trusted_proxies):
            forwarded = forwarded_origin(scope["headers"])
        scope.setdefault("state", {})["forwarded"] = forwarded
        scope["state"]["peer"] = scope.get("client")
        await self._proxied(cast("Any", scope), cast("Any", receive), cast("Any", send))

    async def _seen(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request with address and scheme as trusted proxies report them."""
        headers = scope["headers"] = with_plain_coding(scope["headers"])
        origin = Origin(
            request_id=make_request_id(),
            client_ip=_peer(scope),
            host=_last(headers, b"host").lower(),
            secure=scope["scheme"] == "https",
            forwarded=scope["state"].get("forwarded", ""),
        )
        scope["state"]["origin"] = origin
        began, status = self._clock(), 500

        async def send_all(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(message["headers"], origin.request_id)
            await send(message)

        if (fault := self._fault(scope, origin)) is None:
            timed = with_deadlines(receive, self._body_deadlines, BodyTooSlow)
            await self._app(_as_get(scope), cast("Receive", timed), send_all)
        else:
            await refuse(fault, scope=scope, receive=receive, send=send_all)
        route = str(scope.get("path_template") or "unmatched")
        seconds = None if route in STREAMS else self._clock() - began
        self._metrics.answered(method=method_of(scope), route=route, status=status, seconds=seconds)

    def _fault(self, scope: Scope, origin: Origin) -> ConsoleError | None:
        """Why this request is refused; None if it is not."""
        if scope["path"].rstrip("/") == FIGURES and not self._figures.allows(scope["headers"]):
            return NotFound()
        if scope["path"] in PROBES or self._hosts.allows(origin):
            return None
        return HostRefused()


class HostList:
    """The host names the console answers to, against DNS rebinding."""

    def __init__(self, settings: ConsoleSettings) -> None:
        own = {"localhost", "127.0.0.1", "[::1]"}
        for address in (settings.public_url, settings.oauth_redirect_uri):
            own.add(_name(address.rpartition("://")[2].partition("/")[0].lower()))
        own.update(_name(host.lower()) for host in settings.allowed_hosts)
        self._names = own - {""}
        self._login_asked = bool(settings.admin_password) or not settings.on_loopback

    def __repr__(self) -> str:
        return f"<HostList {sorted(self._names)}>"

    def allows(self, origin: Origin) -> bool:
        """Whether a request for this host is accepted.

        With a login, two more kinds of host are safe: a bare IP address, which DNS rebinding cannot
        use, and any name that a trusted proxy reports. Without a login only the list counts, as a
        foreign page could send either.
        """
        if not _HOST.fullmatch(origin.host):
            return False
        name = _name(origin.host)
        if name in self._names:
            return True
        return self._login_asked and (_is_address(name) or bool(origin.forwarded))


def is_trusted(address: str, networks: Iterable[Network]) -> bool:
    """Whether a peer is one of the trusted proxies."""
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(peer, "ipv4_mapped", None) or peer
    return any(mapped in network for network in networks)


def forwarded_origin(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """`proto://host` from the nearest proxy's X-Forwarded-Proto and -Host; empty without both.

    With only one of them the other would be a guess.
    """
    pairs = list(headers)
    proto = _last(pairs, b"x-forwarded-proto").rpartition(",")[2].strip().lower()
    host = _last(pairs, b"x-forwarded-host").rpartition(",")[2].strip().lower()
    if proto not in {"http", "https"} or not _HOST.fullmatch(host):
        return ""
    return f"{proto}://{host}"


def _as_get(scope: Scope) -> Scope:
    """The scope with HEAD as GET; the server omits the body. Endless streams do not allow HEAD."""
    if method_of(scope) != "HEAD" or scope["path"] in STREAMS:
        return scope
    return cast("Scope", {**scope, "method": "GET"})


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _last(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    found = ""
    for key, value in headers:
        if key == name:
            found = value.decode("latin-1")
    return found


def _name(host: str) -> str:
    """A host without its port."""
    return re.sub(r":\d+$", "", host)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _completed(
    headers: Iterable[tuple[bytes, bytes]], request_id: str
) -> list[tuple[bytes, bytes]]:
    """A response's headers with the default ones; what a handler set itself stays."""
    out = list(headers)
    have = {name.lower() for name, _ in out}
    ours = (*HEADERS, NO_STORE, (b"x-request-id", request_id.encode()))
    out.extend(pair for pair in ours if pair[0] not in have)
    return out
