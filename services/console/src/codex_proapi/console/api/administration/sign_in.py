"""Routes of signing in and out, first setup, password change, and sessions.

Each sign-in gives the browser a new session id and ends the session it came with.
"""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post, put
from litestar.params import JSONBody

from codex_proapi.console.auth.administrator import Administrator
from codex_proapi.console.auth.attempts import Attempts
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.identity import IdentityKind, identity_of, set_cookie
from codex_proapi.console.auth.known_browsers import KnownBrowsers
from codex_proapi.console.auth.passwords import MAX_PASSWORD
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.auth.sessions import Session, Sessions, csrf_token
from codex_proapi.console.auth.sign_in_links import SignInLinks
from codex_proapi.console.errors import BadSignIn, Code, Conflict, ConsoleError, NotFound, TooMany
from codex_proapi.console.metrics import Metrics
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.middleware import origin_of
from codex_proapi.console.server.parameters import Id

AnyRequest = Request[Any, Any, Any]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_PASSWORD)]


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The administrator's password."""

    password: Password


class LinkToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a one-time sign-in link."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Setup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first password, with the token printed at start."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    password: Password


class PasswordChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another password; the old one is asked for if there is one."""

    password: Password
    current: Annotated[str, msgspec.Meta(max_length=MAX_PASSWORD)] = ""


class IdentityBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who is visiting."""

    signed_in: bool
    kind: str
    """`session`, `token`, `local` (no login asked) or `stranger`."""
    actor: str
    login_asked: bool
    """Whether there is a password."""
    setup_needed: bool
    """Whether a password must be set before anything else."""
    csrf_token: str
    """What a browser sends as `x-csrf-token` with each change."""
    ends_at: float
    """When the session ends if it is not used again; 0 without one."""


class SessionBody(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in browser."""

    id: str
    created_at: float
    seen_at: float
    ends_at: float
    ip: str
    agent: str
    current: bool


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """Every signed-in browser, the one used last first."""

    sessions: list[SessionBody]


class SignInService:
    """The steps that sign-in, setup and password change share."""

    def __init__(
        self,
        *,
        administrator: Administrator,
        sessions: Sessions,
        attempts: Attempts,
        audit: Audit,
        metrics: Metrics,
        browsers: KnownBrowsers,
        links: SignInLinks,
    ) -> None:
        self._browsers = browsers
        self._links = links
        self._administrator = administrator
        self._sessions = sessions
        self._attempts = attempts
        self._audit = audit
        self._metrics = metrics

    def __repr__(self) -> str:
        return f"<SignInService {self._administrator!r}>"

    async def sign_in(self, request: AnyRequest, password: str) -> Response[IdentityBody]:
        """Start a session for the right password."""
        if not await self._administrator.has_password():
            raise Conflict(Code.SETUP_NEEDED)
        await self._try(request, "sign_in")
        sign_outs = await self._sessions.sign_outs()
        if not await self._administrator.verify(password):
            raise await self._refused(request, "admin.sign_in_refused", BadSignIn())
        return await self._welcome(request, "sign_in", "admin.signed_in", sign_outs=sign_outs)

    async def set_up(self, request: AnyRequest, setup: Setup) -> Response[IdentityBody]:
        """Set the first password with the setup token, and start a session."""
        await self._try(request, "setup", guessable=False)
        sign_outs = await self._sessions.sign_outs()
        try:
            await self._administrator.set_up(setup.token, setup.password)
        except BadSignIn as error:
            raise await self._refused(request, "admin.setup_refused", error) from None
        return await self._welcome(request, "setup", "admin.set_up", sign_outs=sign_outs)

    async def follow(self, request: AnyRequest, token: str) -> Response[IdentityBody]:
        """Start a session for a printed one-time link."""
        await self._try(request, "link", guessable=False)
        sign_outs = await self._sessions.sign_outs()
        if not await self._links.use(token):
            raise await self._refused(request, "admin.sign_in_refused", BadSignIn(Code.WRONG_LINK))
        return await self._welcome(request, "link", "admin.signed_in", sign_outs=sign_outs)

    async def change_password(
        self, request: AnyRequest, change: PasswordChange
    ) -> Response[IdentityBody]:
        """Change the password; every session ends, and this browser gets a new one."""
        if await self._administrator.has_password():
            await self._try(request, "sign_in")
            if not await self._administrator.verify(change.current):
                raise await self._refused(request, "admin.password_refused", BadSignIn())
        await self._administrator.change(change.password)
        await self._sessions.end_all()
        sign_outs = await self._sessions.sign_outs()
        return await self._welcome(
            request, "sign_in", "admin.password_changed", sign_outs=sign_outs
        )

    async def _try(self, request: AnyRequest, what: str, *, guessable: bool = True) -> None:
        try:
            await self._attempts.count(what, guessable=guessable, **self._sender(request))
        except TooMany:
            self._metrics.sign_ins.labels("limited").inc()
            raise

    async def _refused(self, request: AnyRequest, action: str, error: ConsoleError) -> ConsoleError:
        self._metrics.sign_ins.labels("refused").inc()
        tries = await self._attempts.refused(action, ip=origin_of(request.scope).client_ip)
        if tries:
            after = {"tries": tries} if tries > 1 else {}
            code = error.code.value
            await self._audit.note(audit_event(request, action, code=code, after=after))
        return error

    def _sender(self, request: AnyRequest) -> dict[str, str]:
        """Whose attempts are counted: an address, or a browser that has signed in before."""
        origin = origin_of(request.scope)
        browser = self._browsers.id_of(request.cookies, origin=origin)
        return {"ip": origin.client_ip, "browser": browser}

    async def _welcome(
        self, request: AnyRequest, what: str, action: str, *, sign_outs: int
    ) -> Response[IdentityBody]:
        origin, before = origin_of(request.scope), identity_of(request.scope).session
        await self._attempts.forgive(what, **self._sender(request))
        if before is not None:
            await self._sessions.end(before.id)
        agent = request.headers.get("user-agent", "")
        sid, session = await self._sessions.begin(
            ip=origin.client_ip, agent=agent, sign_outs=sign_outs
        )
        self._metrics.sign_ins.labels("signed_in").inc()
        await self._audit.note(msgspec.structs.replace(audit_event(request, action), actor="admin"))
        body = IdentityBody(
            signed_in=True,
            kind=IdentityKind.SESSION.value,
            actor="admin",
            login_asked=await self._administrator.has_password(),
            setup_needed=False,
            csrf_token=csrf_token(sid),
            ends_at=session.ends_at,
        )
        cookie = set_cookie(sid, origin=origin)
        known = self._browsers.cookie(origin=origin)
        return Response(body, status_code=201, headers={"set-cookie": cookie}, cookies=[known])


@get("/api/session", opt={"public": True, "passive": True}, tags=["session"])
async def show_session(request: AnyRequest, administrator: Injected[Administrator]) -> IdentityBody:
    """Who is visiting, and the CSRF token of this browser."""
    identity = identity_of(request.scope)
    return IdentityBody(
        signed_in=identity.admitted,
        kind=identity.kind.value,
        actor=identity.actor,
        login_asked=await administrator.has_password(),
        setup_needed=identity.setup_needed,
        csrf_token=identity.csrf,
        ends_at=identity.session.ends_at if identity.session else 0.0,
    )


@post("/api/session", opt={"public": True}, tags=["session"])
async def sign_in(
    request: AnyRequest, data: JSONBody[SignIn], sign_ins: Injected[SignInService]
) -> Response[IdentityBody]:
    """Sign this browser in."""
    return await sign_ins.sign_in(request, data.password)


@post("/api/session/link", opt={"public": True}, tags=["session"])
async def follow_link(
    request: AnyRequest, data: JSONBody[LinkToken], sign_ins: Injected[SignInService]
) -> Response[IdentityBody]:
    """Sign this browser in with a one-time link of `codex-proapi admin link`."""
    return await sign_ins.follow(request, data.token)


@delete("/api/session", tags=["session"], status_code=204)
async def sign_out(
    request: AnyRequest, sessions: Injected[Sessions], audit: Injected[Audit]
) -> Response[None]:
    """Sign this browser out."""
    session = identity_of(request.scope).session
    if session is not None and await sessions.end(session.id):
        await audit.note(audit_event(request, "admin.signed_out"))
    gone = set_cookie("", origin=origin_of(request.scope), delete=True)
    return Response(None, status_code=204, headers={"set-cookie": gone})


@post("/api/setup", opt={"public": True}, tags=["session"])
async def set_up(
    request: AnyRequest, data: JSONBody[Setup], sign_ins: Injected[SignInService]
) -> Response[IdentityBody]:
    """Set the first password and sign in; of several at once exactly one wins."""
    return await sign_ins.set_up(request, data)


@put("/api/password", tags=["session"], status_code=201)
async def change_password(
    request: AnyRequest, data: JSONBody[PasswordChange], sign_ins: Injected[SignInService]
) -> Response[IdentityBody]:
    """Change the password, or ask for one from now on; every other session ends."""
    return await sign_ins.change_password(request, data)


@get("/api/sessions", tags=["session"])
async def list_sessions(request: AnyRequest, sessions: Injected[Sessions]) -> SessionList:
    """Every signed-in browser."""
    own = identity_of(request.scope).session
    found = await sessions.all()
    return SessionList(
        sessions=[_body(each, current=own is not None and own.id == each.id) for each in found]
    )


@delete("/api/sessions", tags=["session"], status_code=204)
async def end_sessions(
    request: AnyRequest, sessions: Injected[Sessions], audit: Injected[Audit]
) -> None:
    """Sign out everywhere, here too."""
    ended = await sessions.end_all()
    await audit.note(audit_event(request, "admin.signed_out_everywhere", after={"sessions": ended}))


@delete("/api/sessions/{session_id:str}", tags=["session"], status_code=204)
async def end_session(
    request: AnyRequest,
    session_id: Id,
    sessions: Injected[Sessions],
    audit: Injected[Audit],
) -> None:
    """Sign one browser out."""
    if not await sessions.end(session_id):
        raise NotFound(Code.UNKNOWN_SESSION)
    await audit.note(
        audit_event(request, "admin.session_ended", after={"session": session_id[:12]})
    )


def _body(session: Session, *, current: bool) -> SessionBody:
    return SessionBody(
        id=session.id,
        created_at=session.created_at,
        seen_at=session.seen_at,
        ends_at=session.ends_at,
        ip=session.ip,
        agent=session.agent,
        current=current,
    )
