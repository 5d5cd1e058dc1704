"""What every page has around its content, and the rendering of a page response."""

from collections.abc import Sequence
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType

from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.cluster.replicas import Replica
from codex_proapi.console.auth.identity import IdentityKind, identity_of
from codex_proapi.console.layout.live_parts import changes_of, digests_in, with_digests
from codex_proapi.console.layout.preferences import Preferences, preferences_of
from codex_proapi.console.layout.rendering import render_in_steps
from codex_proapi.console.server.middleware import origin_of
from codex_proapi.console.settings import is_loopback
from codex_proapi.console.views.account_list import AccountOverview
from codex_proapi.console.views.sources import Sources

AnyRequest = Request[Any, Any, Any]

QUOTA_STALE = 5 * 60
"""Seconds after which the quota figures count as old."""
TRANSPORTS = {"http": "HTTP", "websocket": "WebSocket"}
"""Names of the transports to the backend."""
LIVE_HEADER = "x-live"
"""A script that refreshes a page in place sends it, and gets the live regions alone.

Its value are the digests of what it shows already, and the answer has only what has changed
(`live_parts`); one without content means that nothing has.
"""


_SECTIONS = {"account": "accounts", "owners": "accounts"}
"""Pages that belong to another one's place in the menu."""
_SCRIPTS = {"account": "accounts"}
"""Pages that have the script of another one."""


class PoolSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the system, for the foot of the sidebar."""

    replicas: int
    quota_seen_at: int
    quota_stale: bool
    first_events: tuple[tuple[str, float], ...] = ()
    """Seconds to the first event by transport; empty where WebSocket was not measured."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around the content."""

    page: str
    """Its place in the menu."""
    script: str
    """Which script it gets."""
    version: str
    csrf: str
    guarded: bool
    """Whether the visitor signed in with a password, and can sign out."""
    backend: str
    """Address of the backend where it is on this machine: a simulation; empty is OpenAI's."""
    open_access: bool
    """Whether anybody can use the accounts: no key is required, and other machines can connect."""
    attention: int
    pool_summary: PoolSummary


async def page(
    request: AnyRequest, sources: Sources, overview: AccountOverview, template: str, **context: Any
) -> Response[str]:
    """Respond with a page, or with its live regions alone."""
    live = LIVE_HEADER in request.headers
    name = template.removesuffix(".html")
    layout = await _layout(request, sources, overview, name=name)
    html = await render_in_steps(
        template, preferences(request), layout=layout, live=live, **context
    )
    return live_response(request, html)


def live_response(request: AnyRequest, html: str) -> Response[str]:
    """The response of a page that is rendered: whole, or what has changed of its live regions."""
    seen = request.headers.get(LIVE_HEADER)
    headers = {"vary": "cookie, accept-language"}
    if seen is None:
        html = with_digests(html)
    else:
        html, digests = changes_of(html, digests_in(seen))
        headers[LIVE_HEADER] = " ".join(digests)
        if not html:
            return Response("", status_code=204, headers=headers)
    return Response(html, media_type=MediaType.HTML, headers=headers)


def preferences(request: AnyRequest) -> Preferences:
    """How this visitor wants the page."""
    accept = request.headers.get("accept-language", "")
    return preferences_of(cookies=request.cookies, accept_language=accept)


def base_url(request: AnyRequest, sources: Sources) -> str:
    """The base URL that clients are configured with."""
    return f"{sources.settings.public_url or origin_of(request.scope).address}/v1"


async def key_needed(sources: Sources) -> bool:
    """Whether the gateway refuses a request without a key of ours."""
    return await policy(sources) is KeyPolicy.REQUIRED or await sources.keys.any()


async def policy(sources: Sources) -> KeyPolicy:
    """The key policy in force."""
    live = await sources.live_settings.read()
    return live.api_key_policy or KeyPolicy(sources.settings.api_key_policy)


async def _layout(
    request: AnyRequest, sources: Sources, overview: AccountOverview, *, name: str
) -> Layout:
    identity = identity_of(request.scope)
    seen = overview.quota_seen_at
    open_access = not sources.settings.on_loopback and not await key_needed(sources)
    return Layout(
        page=_SECTIONS.get(name, name),
        script=_SCRIPTS.get(name, name),
        version=sources.version,
        csrf=identity.csrf,
        guarded=identity.kind is IdentityKind.SESSION,
        backend=_local_backend(sources.settings.codex_base_url),
        open_access=open_access,
        attention=len(overview.attention),
        pool_summary=PoolSummary(
            replicas=len(overview.gateways),
            quota_seen_at=seen,
            quota_stale=bool(seen) and sources.clock() - seen > QUOTA_STALE,
            first_events=_first_events(overview.gateways),
        ),
    )


def _first_events(gateways: Sequence[Replica]) -> tuple[tuple[str, float], ...]:
    """Seconds to the first event by transport, the middle replica's; empty without WebSocket."""
    found = {
        title: [each.first_event_ms[name] for each in gateways if name in each.first_event_ms]
        for name, title in TRANSPORTS.items()
    }
    if not found[TRANSPORTS["websocket"]]:
        return ()
    return tuple((title, median(times) / 1000) for title, times in found.items() if times)


def _local_backend(base_url: str) -> str:
    parts = urlsplit(base_url)
    return parts.netloc if is_loopback(parts.hostname or "") else ""
