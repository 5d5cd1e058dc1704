"""How an owner's browser comes in and leaves: the invitation is opened, the session ends.

Opening is a POST: whoever only looks at a link, like the preview of a chat program, does not use it up.
"""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import JSONBody

from codex_proapi.console.auth.attempts import Attempts
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.cookies import cookie_name
from codex_proapi.console.auth.identity import (
    OWNER_COOKIE,
    IdentityKind,
    RequestIdentity,
    identity_of,
    login_owner,
    owner_cookie,
)
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.auth.sessions import csrf_token
from codex_proapi.console.errors import BadSignIn, Code, NotSignedIn, TooMany
from codex_proapi.console.metrics import Metrics
from codex_proapi.console.owners.owner_access import ABSOLUTE_SECONDS, OwnerAccesses
from codex_proapi.console.owners.owner_store import Owner
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.middleware import origin_of

AnyRequest = Request[Any, Any, Any]


class InvitationToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of an invitation."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class OwnerSessionBody(msgspec.Struct, frozen=True, kw_only=True):
    """The owner whose browser this is."""

    owner: str
    """The owner's id."""
    name: str
    csrf_token: str
    """What the browser sends as `x-csrf-token` with each change."""


class OwnerEntry:
    """Lets the browsers of owners in."""

    def __init__(
        self, *, accesses: OwnerAccesses, attempts: Attempts, audit: Audit, metrics: Metrics
    ) -> None:
        self._accesses = accesses
        self._attempts = attempts
        self._audit = audit
        self._metrics = metrics

    def __repr__(self) -> str:
        return f"<OwnerEntry {self._accesses!r}>"

    async def enter(self, request: AnyRequest, token: str) -> Response[OwnerSessionBody]:
        """Open an invitation: this browser, and no other, is the owner's from now on."""
        origin = origin_of(request.scope)
        try:
            await self._attempts.count("invitation", ip=origin.client_ip, guessable=False)
        except TooMany:
            self._metrics.sign_ins.labels("limited").inc()
            raise
        before = request.cookies.get(cookie_name(OWNER_COOKIE, origin), "")
        sid = await self._accesses.enter(token, agent=request.headers.get("user-agent", ""))
        owner = await self._accesses.find(sid) if sid else None
        if owner is None:
            raise await self._refused(request)
        await self._attempts.forgive("invitation", ip=origin.client_ip)
        await self._leave_other(before, owner)
        self._metrics.sign_ins.labels("signed_in").inc()
        await self._note(request, owner, "owner.entered")
        body = OwnerSessionBody(owner=owner.id, name=owner.name, csrf_token=csrf_token(sid))
        cookie = owner_cookie(sid, origin=origin, seconds=ABSOLUTE_SECONDS)
        return Response(body, status_code=201, headers={"set-cookie": cookie})

    async def _leave_other(self, before: str, owner: Owner) -> None:
        """End the session of another owner that this browser had: its cookie is overwritten."""
        other = await self._accesses.find(before, touch=False) if before else None
        if other is not None and other.id != owner.id:
            await self._accesses.end(other.id)

    async def _refused(self, request: AnyRequest) -> BadSignIn:
        self._metrics.sign_ins.labels("refused").inc()
        error = BadSignIn(Code.WRONG_INVITATION)
        action = "owner.entry_refused"
        tries = await self._attempts.refused(action, ip=origin_of(request.scope).client_ip)
        if tries:
            after = {"tries": tries} if tries > 1 else {}
            event = audit_event(request, action, code=error.code.value, after=after)
            await self._audit.note(event)
        return error

    async def _note(self, request: AnyRequest, owner: Owner, action: str) -> None:
        event = audit_event(request, action, after={"owner": owner.id, "name": owner.name})
        await self._audit.note(msgspec.structs.replace(event, actor=login_owner(owner.name)))


@post("/api/owner/session", opt={"public": True}, tags=["owner"])
async def enter(
    request: AnyRequest, data: JSONBody[InvitationToken], owner_entry: Injected[OwnerEntry]
) -> Response[OwnerSessionBody]:
    """Open an invitation in this browser; it works once, for whoever is first."""
    return await owner_entry.enter(request, data.token)


@get("/api/owner/session", opt={"owner": True, "passive": True}, tags=["owner"])
async def show_owner_session(request: AnyRequest) -> OwnerSessionBody:
    """The owner whose browser this is."""
    owner = owner_of_accounts(identity_of(request.scope))
    csrf = identity_of(request.scope).csrf
    return OwnerSessionBody(owner=owner.id, name=owner.name, csrf_token=csrf)


@delete("/api/owner/session", opt={"owner": True}, tags=["owner"], status_code=204)
async def leave_browser(
    request: AnyRequest, owner_accesses: Injected[OwnerAccesses], audit: Injected[Audit]
) -> Response[None]:
    """Sign this browser out; a new invitation lets one in again."""
    owner = owner_of_accounts(identity_of(request.scope))
    if await owner_accesses.end(owner.id):
        await audit.note(audit_event(request, "owner.signed_out", after={"owner": owner.id}))
    gone = owner_cookie("", origin=origin_of(request.scope), seconds=0)
    return Response(None, status_code=204, headers={"set-cookie": gone})


def owner_of_accounts(identity: RequestIdentity) -> Owner:
    """The owner who asks; NotSignedIn for anybody else."""
    if identity.account_owner is None or identity.kind is not IdentityKind.OWNER:
        raise NotSignedIn(Code.OWNER_SIGNED_OUT)
    return identity.account_owner
