"""What every page shows around its content, and how a page is answered."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType

from commons.live_settings import KeyPolicy
from console.settings import is_loopback
from console.web.front import origin_of
from console.web.pages.look import Look, look_of
from console.web.pages.rendering import render
from console.web.pages.roster import Roster
from console.web.pages.sources import Sources
from console.web.visit import Kind, visit_of

AnyRequest = Request[Any, Any, Any]

QUOTA_STALE = 5 * 60
"""Seconds after which the quota figures count as old."""
LIVE_HEADER = "x-live"
"""A script that refreshes a page in place sends it, and gets the live regions alone."""


_SECTIONS = {"account": "accounts"}
"""Pages that belong to another one's place in the menu."""


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the system, for the foot of the sidebar."""

    replicas: int
    quota_seen_at: int
    quota_stale: bool


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around the content."""

    page: str
    """Its place in the menu, and which script it gets."""
    version: str
    csrf: str
    guarded: bool
    """Whether a password was asked, so that one can sign out."""
    backend: str
    """Address of the backend where it is on this machine: a simulation; empty is OpenAI's."""
    open_door: bool
    """Whether strangers can use the accounts: no key is asked, and not only this machine asks."""
    attention: int
    pulse: Pulse


async def page(
    request: AnyRequest, sources: Sources, roster: Roster, template: str, **context: Any
) -> Response[str]:
    """Answer with a page, or with its live regions alone."""
    live = LIVE_HEADER in request.headers
    name = template.removesuffix(".html")
    shell = await _shell(request, sources, roster, name=_SECTIONS.get(name, name))
    html = render(template, look(request), shell=shell, live=live, **context)
    return Response(html, media_type=MediaType.HTML, headers={"vary": "cookie, accept-language"})


def look(request: AnyRequest) -> Look:
    """How this visitor wants the page."""
    accept = request.headers.get("accept-language", "")
    return look_of(cookies=request.cookies, accept_language=accept)


def base_url(request: AnyRequest, sources: Sources) -> str:
    """What clients are configured with."""
    return f"{sources.settings.public_url or origin_of(request.scope).address}/v1"


async def key_needed(sources: Sources) -> bool:
    """Whether the gateway refuses a request without a key of ours."""
    return await policy(sources) is KeyPolicy.REQUIRED or await sources.keys.any()


async def policy(sources: Sources) -> KeyPolicy:
    """The key policy in force."""
    live = await sources.live_settings.read()
    return live.api_key_policy or KeyPolicy(sources.settings.api_key_policy)


async def _shell(request: AnyRequest, sources: Sources, roster: Roster, *, name: str) -> Shell:
    visit = visit_of(request.scope)
    seen = roster.quota_seen_at
    open_door = not sources.settings.on_loopback and not await key_needed(sources)
    return Shell(
        page=name,
        version=sources.version,
        csrf=visit.csrf,
        guarded=visit.kind is Kind.SESSION,
        backend=_local_backend(sources.settings.codex_base_url),
        open_door=open_door,
        attention=len(roster.attention),
        pulse=Pulse(
            replicas=len(roster.gateways),
            quota_seen_at=seen,
            quota_stale=bool(seen) and sources.clock() - seen > QUOTA_STALE,
        ),
    )


def _local_backend(base_url: str) -> str:
    parts = urlsplit(base_url)
    return parts.netloc if is_loopback(parts.hostname or "") else ""
