"""Signing in with an API key, to read the key's own figures."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, post
from litestar.params import JSONBody

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.console.auth.attempts import Attempts
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.cookies import cookie_header, cookie_name
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import BadSignIn, Code
from codex_proapi.console.holders.key_sessions import KeySessions
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.middleware import origin_of

AnyRequest = Request[Any, Any, Any]

COOKIE = "key"
"""The cookie's name, see `cookies.cookie_name`."""
ATTEMPTS = "key_sign_in"
"""What attempts are counted as."""


class HolderSignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The API key to sign in with."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class HolderBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whose figures this browser may read from now on."""

    name: str
    """The key's name."""


@post("/api/key/session", opt={"public": True}, tags=["key holders"])
async def sign_in_with_key(
    *,
    request: AnyRequest,
    data: JSONBody[HolderSignIn],
    key_sessions: Injected[KeySessions],
    attempts: Injected[Attempts],
    audit: Injected[Audit],
) -> Response[HolderBody]:
    """Sign this browser in with an API key: it may read that key's page, and nothing else.

    The session ends after half an hour without use, after eight hours, and with the key.
    """
    origin = origin_of(request.scope)
    # Nobody can guess a key: limits over all addresses would only let strangers keep holders out.
    await attempts.count(ATTEMPTS, ip=origin.client_ip, guessable=False)
    begun = await key_sessions.begin(data.key.strip())
    if begun is None:
        tries = await attempts.refused("key.sign_in_refused", ip=origin.client_ip)
        if tries:
            after = {"tries": tries} if tries > 1 else {}
            event = audit_event(request, "key.sign_in_refused", code=Code.WRONG_KEY, after=after)
            await audit.note(event)
        raise BadSignIn(Code.WRONG_KEY)
    sid, key = begun
    await key_sessions.end(_sid(request))
    await attempts.forgive(ATTEMPTS, ip=origin.client_ip)
    event = audit_event(request, "key.signed_in", key_id=key.id, after={"name": key.name})
    await audit.note(msgspec.structs.replace(event, actor=f"key:{key.name}"))
    cookie = cookie_header(COOKIE, sid, origin=origin)
    return Response(HolderBody(name=key.name), status_code=201, headers={"set-cookie": cookie})


@delete("/api/key/session", opt={"public": True}, tags=["key holders"], status_code=204)
async def sign_out_of_key(
    request: AnyRequest, key_sessions: Injected[KeySessions]
) -> Response[None]:
    """End this browser's session with an API key."""
    await key_sessions.end(_sid(request))
    gone = cookie_header(COOKIE, "", origin=origin_of(request.scope), max_age=0)
    return Response(None, status_code=204, headers={"set-cookie": gone})


async def key_of(request: AnyRequest, key_sessions: KeySessions) -> ApiKey | None:
    """The key that this browser has signed in with; None if it has not, or its session has ended."""
    return await key_sessions.find(_sid(request))


def _sid(request: AnyRequest) -> str:
    return request.cookies.get(cookie_name(COOKIE, origin_of(request.scope)), "")
