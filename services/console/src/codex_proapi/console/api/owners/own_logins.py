"""An owner's routes of logins: the ways of `api.logins`, for accounts that become, or are, his."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, delete, get, post
from litestar.params import JSONBody

from codex_proapi.console.accounts.device_login import DeviceLogins
from codex_proapi.console.accounts.login_service import LoginService
from codex_proapi.console.accounts.pending_logins import Way
from codex_proapi.console.api.account_bodies import AccountBodies
from codex_proapi.console.api.logins import (
    LoginBody,
    PastedCallback,
    begun_body,
    finish_pasted,
    outcome_body,
    owners_of,
    poll_noted,
    watched_device,
)
from codex_proapi.console.api.owners.claims import OwnerClaims
from codex_proapi.console.api.owners.own_accounts import (
    OwnAccountBody,
    Wording,
    show_bodies,
)
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.error_responses import OWNER_PAGE
from codex_proapi.console.server.parameters import Id
from codex_proapi.console.settings import ConsoleSettings

AnyRequest = Request[Any, Any, Any]


class OwnLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login to begin."""

    way: Literal["browser", "pasted", "device"]
    account: Annotated[str, msgspec.Meta(max_length=80)] = ""
    """The account to renew in place; empty adds whichever signs in."""
    consent: Wording = ""
    """Version of the wording that is agreed to."""


@post("/api/owner/logins", opt={"owner": True}, tags=["owner"])
async def begin_own_login(
    *,
    request: AnyRequest,
    data: JSONBody[OwnLogin],
    login_service: Injected[LoginService],
    devices: Injected[DeviceLogins],
    owner_claims: Injected[OwnerClaims],
    settings: Injected[ConsoleSettings],
    audit: Injected[Audit],
) -> LoginBody:
    """Begin a login of an account of the owner's own; it needs his consent."""
    identity = identity_of(request.scope)
    claim = await owner_claims.begin(request, account=data.account, wording=data.consent)
    if data.way == "device":
        pending = await devices.begin(owner=identity.owner, account=data.account, claim=claim)
        return watched_device(request, pending, devices=devices, audit=audit)
    begun = await login_service.begin(
        Way(data.way),
        owner=identity.owner,
        redirect_uri=settings.redirect_uri,
        account=data.account,
        after=OWNER_PAGE,
        claim=claim,
    )
    return begun_body(request, begun, settings)


@get("/api/owner/logins/{login_id:str}", tags=["owner"], opt={"owner": True, "passive": True})
async def show_own_login(
    request: AnyRequest, login_id: Id, login_service: Injected[LoginService]
) -> LoginBody:
    """How a login stands."""
    return outcome_body(await login_service.login_state(login_id, owners=owners_of(request)))


@post("/api/owner/logins/{login_id:str}/poll", tags=["owner"], opt={"owner": True}, status_code=200)
async def poll_own_login(
    *,
    request: AnyRequest,
    login_id: Id,
    devices: Injected[DeviceLogins],
    audit: Injected[Audit],
) -> LoginBody:
    """Ask upstream whether the device code is confirmed, not oftener than it wants."""
    return await poll_noted(request, login_id, devices=devices, audit=audit)


@post("/api/owner/logins/callback", tags=["owner"], opt={"owner": True})
async def paste_own_callback(
    *,
    request: AnyRequest,
    data: JSONBody[PastedCallback],
    login_service: Injected[LoginService],
    bodies: Injected[AccountBodies],
    audit: Injected[Audit],
) -> OwnAccountBody:
    """Finish a login with the address the owner's browser landed on."""
    account = await finish_pasted(request, data.url, login_service=login_service, audit=audit)
    return (await show_bodies([account], bodies))[0]


@delete("/api/owner/logins/{login_id:str}", tags=["owner"], opt={"owner": True}, status_code=204)
async def give_up_own_login(
    request: AnyRequest, login_id: Id, login_service: Injected[LoginService]
) -> None:
    """Give a login up; its code or address works no more."""
    await login_service.give_up(login_id, owners=owners_of(request))
