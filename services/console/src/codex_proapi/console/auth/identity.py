"""Authenticates requests: a session cookie, an admin token, or this machine without a password.

Every route requires an administrator unless its `opt` has `public=True`. Routes with `owner=True` are
for owners of accounts and for nobody else; an owner is refused everywhere but there, and where both
may come (`owner_too`). A change made with a session cookie needs its CSRF token; one with a token, or
from this machine while there is no password, needs none, as no foreign page can make such a request.
"""

import enum
import hmac
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.cookies import cookie_header, cookie_name
from codex_proapi.console.auth.loopback_peers import LoopbackPeers
from codex_proapi.console.auth.script_tokens import ScriptTokens
from codex_proapi.console.auth.sessions import Session, Sessions, csrf_token, digest_of, new_sid
from codex_proapi.console.errors import AdministratorsOnly, Code, NotSignedIn, Refused
from codex_proapi.console.owners.owner_access import OwnerAccesses
from codex_proapi.console.owners.owner_store import Owner
from codex_proapi.console.server.middleware import Origin, method_of, origin_of
from codex_proapi.console.settings import ConsoleSettings, is_loopback

CSRF_HEADER = "x-csrf-token"
PASSIVE_HEADERS = ("x-live", "x-passive")
"""Sent by our own pages when they refresh themselves."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OLD_SID_COOKIE = "sid"
"""The cookie's name by http until 0.1.0; read while such sessions last."""
SID = "sid"
"""The session cookie's name, see `cookies.cookie_name`."""
OWNER_COOKIE = "owner"
"""The name of the cookie of an owner's session, see `cookies.cookie_name`."""
SID_LENGTH = 43
"""What `new_sid` makes; anything else in the cookie is no id of ours."""


class IdentityKind(enum.StrEnum):
    """How a request was authenticated."""

    SESSION = "session"
    """An administrator's browser."""
    TOKEN = "token"  # noqa: S105 - a kind, no token
    """A script with an admin token."""
    LOCAL = "local"
    """This machine itself, where no login is asked."""
    OWNER = "owner"
    """The browser of an owner of accounts; no administrator."""
    STRANGER = "stranger"
    """Not authenticated."""


class RequestIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The sender of one request."""

    kind: IdentityKind
    actor: str
    """Who is named in the audit."""
    owner: str
    """Owner of account logins started by this request; empty if not authenticated."""
    csrf: str = ""
    """The token this browser must send with each change; empty without a cookie."""
    session: Session | None = None
    """The session, if there is one."""
    setup_needed: bool = False
    """Whether there is no password yet although one is needed."""
    account_owner: Owner | None = None
    """The owner of accounts whose browser it is; None on routes that are not for owners."""

    @property
    def admitted(self) -> bool:
        """Whether the sender is an administrator."""
        return self.kind not in {IdentityKind.OWNER, IdentityKind.STRANGER}


def identity_of(scope: Scope) -> RequestIdentity:
    """The identity IdentityMiddleware stored in this scope."""
    return cast("RequestIdentity", scope["state"]["identity"])


def set_cookie(sid: str, *, origin: Origin, delete: bool = False) -> str:
    """The Set-Cookie header of a session."""
    return cookie_header(SID, "" if delete else sid, origin=origin, max_age=0 if delete else None)


def owner_cookie(sid: str, *, origin: Origin, seconds: int) -> str:
    """The Set-Cookie header of an owner's session; 0 seconds delete it."""
    return cookie_header(OWNER_COOKIE, sid, origin=origin, max_age=seconds)


def _sid_of(cookies: Mapping[str, str], origin: Origin) -> str:
    """The session id in the cookies; empty if none. Older cookie names are still read."""
    sid = cookies.get(cookie_name(SID, origin), "")
    if not sid and not origin.secure:
        sid = cookies.get(OLD_SID_COOKIE, "")
    return sid if len(sid) == SID_LENGTH else ""


class IdentityMiddleware(ASGIMiddleware):
    """Authenticates each request before any handler runs."""

    def __init__(
        self,
        *,
        settings: ConsoleSettings,
        administrator: Administrator,
        sessions: Sessions,
        tokens: ScriptTokens,
        owners: OwnerAccesses,
        peers: LoopbackPeers,
    ) -> None:
        self._owners = owners
        self._peers = peers
        self._settings = settings
        self._administrator = administrator
        self._sessions = sessions
        self._tokens = tokens

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Refuse the request, or continue with the identity in the scope."""
        opt = scope["route_handler"].opt
        if opt.get("probe"):
            await next_app(scope, receive, send)
            return
        connection: Connection = ASGIConnection(scope)
        origin = origin_of(scope)
        sid, fresh = _sid_of(connection.cookies, origin), ""
        if not sid and not opt.get("owner"):
            sid = fresh = new_sid() if _may_get_cookie(connection) else ""
        identity = scope["state"]["identity"] = await self._sender(
            connection, origin=origin, sid=sid
        )
        if opt.get("owner") and identity.kind is not IdentityKind.OWNER:
            raise self._denied(identity, scope)
        if identity.kind is not IdentityKind.TOKEN:
            _refuse_cross_site(connection, self._own_hosts(origin))
            if method_of(connection.scope) not in SAFE:
                _refuse_forged(connection, identity)
        if not self._may(identity, opt):
            raise self._denied(identity, scope)
        if fresh:
            send = _with_cookie(send, set_cookie(fresh, origin=origin))
        await next_app(scope, receive, send)

    async def _sender(
        self, connection: "Connection", *, origin: Origin, sid: str
    ) -> RequestIdentity:
        """Who asks: on an owner's routes an owner, elsewhere an administrator first."""
        opt = connection.scope["route_handler"].opt
        if opt.get("owner"):
            return await self._owner(connection, origin) or _STRANGER
        identity = await self._identity(connection, origin=origin, sid=sid)
        if opt.get("public") or (identity.admitted and not opt.get("owner_too")):
            return identity
        owner = await self._owner(connection, origin)
        if owner is None or not identity.admitted:
            return owner or identity
        return msgspec.structs.replace(identity, account_owner=owner.account_owner)

    async def _owner(self, connection: "Connection", origin: Origin) -> RequestIdentity | None:
        """The owner of accounts whose browser asks; None if it is no owner's."""
        sid = connection.cookies.get(cookie_name(OWNER_COOKIE, origin), "")
        owner = await self._owners.find(sid, touch=not _is_passive(connection)) if sid else None
        if owner is None:
            return None
        return RequestIdentity(
            kind=IdentityKind.OWNER,
            actor=f"owner:{owner.name}",
            owner=login_owner(owner.id),
            csrf=csrf_token(sid),
            account_owner=owner,
        )

    def _may(self, identity: RequestIdentity, opt: Mapping[str, Any]) -> bool:
        """Whether a sender may use a route."""
        if identity.kind is IdentityKind.OWNER:
            return bool(opt.get("owner") or opt.get("owner_too"))
        return identity.admitted or bool(opt.get("public"))

    def _denied(self, identity: RequestIdentity, scope: Scope) -> Exception:
        """The error for a sender who may not use a route."""
        if identity.kind is IdentityKind.OWNER:
            return AdministratorsOnly()
        if scope["route_handler"].opt.get("owner"):
            return NotSignedIn(Code.OWNER_SIGNED_OUT)
        return self._stranger(identity, scope)

    async def _identity(
        self, connection: "Connection", *, origin: Origin, sid: str
    ) -> RequestIdentity:
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = await self._tokens.find(secret.strip())
            if token is None:
                return RequestIdentity(kind=IdentityKind.STRANGER, actor="nobody", owner="")
            return RequestIdentity(
                kind=IdentityKind.TOKEN, actor=f"token:{token.name}", owner=f"token:{token.id}"
            )
        csrf = csrf_token(sid) if sid else ""
        locked = await self._administrator.has_password()
        if not locked and self._trusts(origin) and not self._foreign(connection.scope):
            owner = f"browser:{digest_of(sid)[:16]}" if sid else "local"
            return RequestIdentity(kind=IdentityKind.LOCAL, actor="local", owner=owner, csrf=csrf)
        touch = not _is_passive(connection)
        session = await self._sessions.find(sid, touch=touch) if sid else None
        if session is None:
            return RequestIdentity(
                kind=IdentityKind.STRANGER,
                actor="nobody",
                owner="",
                csrf=csrf,
                setup_needed=not locked,
            )
        owner = f"session:{session.id[:16]}"
        return RequestIdentity(
            kind=IdentityKind.SESSION, actor="admin", owner=owner, csrf=csrf, session=session
        )

    def _own_hosts(self, origin: Origin) -> set[str]:
        """The hosts of this console's own pages: requested, reported by a proxy, configured."""
        addresses = (origin.forwarded, self._settings.public_url)
        return {origin.host, *(address.rpartition("://")[2] for address in addresses if address)}

    def _trusts(self, origin: Origin) -> bool:
        """Whether this request needs no login, as long as there is no password."""
        asked = bool(self._settings.admin_password) or not self._settings.on_loopback
        return not asked and is_loopback(origin.client_ip or "127.0.0.1")

    def _foreign(self, scope: Scope) -> bool:
        """Whether another user of this machine is at the other end of the connection."""
        state = scope["state"]
        return self._peers.is_foreign(state.get("peer"), cast("Any", scope).get("server"))

    def _stranger(self, identity: RequestIdentity, scope: Scope) -> Exception:
        """The error for a request that is not authenticated."""
        if not identity.setup_needed:
            return NotSignedIn()
        if not self._settings.on_loopback or self._settings.admin_password:
            return NotSignedIn(Code.SETUP_NEEDED)
        return Refused(Code.OTHER_USER if self._foreign(scope) else Code.LOOPBACK_ONLY)


_STRANGER = RequestIdentity(kind=IdentityKind.STRANGER, actor="nobody", owner="")


def login_owner(owner_id: str) -> str:
    """Who the logins belong to that an owner of accounts begins: to him, on all his devices."""
    return f"owner:{owner_id}"


Connection = ASGIConnection[object, object, object, object]  # type: ignore[type-var]


def _is_passive(connection: "Connection") -> bool:
    """Whether a page polls by itself: such a request does not extend its session."""
    opt = connection.scope["route_handler"].opt
    return bool(opt.get("passive")) or any(name in connection.headers for name in PASSIVE_HEADERS)


def _refuse_cross_site(connection: "Connection", own_hosts: set[str]) -> None:
    """Refuse scripts and forms of other sites."""
    headers = connection.headers
    method = method_of(connection.scope)
    site = headers.get("sec-fetch-site", "none")
    navigates = method == "GET" and headers.get("sec-fetch-mode", "navigate") == "navigate"
    if site not in {"same-origin", "none"} and not navigates:
        raise Refused(Code.CROSS_SITE)
    source = headers.get("origin")
    if method in SAFE or source is None:
        return
    if source.lower().rpartition("://")[2] not in own_hosts:
        raise Refused(Code.CROSS_SITE)


def _refuse_forged(connection: "Connection", identity: RequestIdentity) -> None:
    """Refuse a change by session cookie without its CSRF token."""
    headers = connection.headers
    browser = identity.csrf or any(
        name in headers for name in ("origin", "referer", "sec-fetch-site", "sec-fetch-mode")
    )
    if not browser and identity.kind not in {IdentityKind.SESSION, IdentityKind.OWNER}:
        return
    sent = headers.get(CSRF_HEADER, "")
    if not (identity.csrf and hmac.compare_digest(sent.encode(), identity.csrf.encode())):
        raise Refused(Code.CSRF)


def _may_get_cookie(connection: "Connection") -> bool:
    """Whether the response may set a cookie: a page, or the call that returns the CSRF token."""
    if method_of(connection.scope) != "GET":
        return False
    path = connection.scope["path"]
    page = "text/html" in connection.headers.get("accept", "") and not path.startswith("/api")
    return page or path == "/api/session"


def _with_cookie(send: Send, cookie: str) -> Send:
    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableScopeHeaders.from_message(message).add("set-cookie", cookie)
        await send(message)

    return send_with_cookie
