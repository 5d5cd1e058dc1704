"""Routes of account logins, for scripts and pages: start, state, poll, paste, cancel."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, delete, get, post
from litestar.params import JSONBody

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.console.accounts.callback import MOST_CHARACTERS, pasted_callback
from codex_proapi.console.accounts.device_login import DeviceLogins
from codex_proapi.console.accounts.login_service import Begun, LoginService
from codex_proapi.console.accounts.pending_logins import LoginState, Outcome, PendingLogin, Way
from codex_proapi.console.api.account_bodies import AccountBodies, AccountBody
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.identity import IdentityKind, identity_of, login_owner
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import Code, ConsoleError, NotFound
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.middleware import origin_of
from codex_proapi.console.server.parameters import Id
from codex_proapi.console.settings import CALLBACK_PATH, ConsoleSettings

AnyRequest = Request[Any, Any, Any]


class NewLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A login to begin."""

    way: Literal["browser", "pasted", "device"]
    account: Annotated[str, msgspec.Meta(max_length=80)] = ""
    """The account to renew in place; empty adds whichever signs in."""


class PastedCallback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the person copied from the browser's address bar."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_CHARACTERS)]


class LoginBody(msgspec.Struct, frozen=True, kw_only=True, rename={"login_state": "standing"}):
    """A login that waits for the person, or how it ended."""

    id: str
    way: str
    login_state: str
    """`waiting`, `done` or `failed`."""
    expires_at: int
    account: str = ""
    """The account it ended in."""
    code: str = ""
    """The error code it failed with."""
    authorize_url: str = ""
    """Where the person signs in (browser, pasted)."""
    redirect_uri: str = ""
    """Where the browser lands afterwards (browser, pasted)."""
    returns_here: bool = False
    """Whether that is this console as the visitor reached it; if not, the address is pasted."""
    user_code: str = ""
    """What the person types (device)."""
    verification_url: str = ""
    """Where the person types it (device)."""
    interval: int = 0
    """Seconds between polls (device)."""


@post("/api/logins", tags=["logins"])
async def begin_login(
    *,
    request: AnyRequest,
    data: JSONBody[NewLogin],
    login_service: Injected[LoginService],
    devices: Injected[DeviceLogins],
    accounts: Injected[AccountStore],
    settings: Injected[ConsoleSettings],
    audit: Injected[Audit],
) -> LoginBody:
    """Begin a login of an account."""
    if data.account and await accounts.get(data.account) is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT, param="account")
    owner = owner_of(request, settings)
    if data.way == "device":
        pending = await devices.begin(owner=owner, account=data.account)
        return watched_device(request, pending, devices=devices, audit=audit)
    redirect_uri = settings.redirect_uri
    begun = await login_service.begin(
        Way(data.way), owner=owner, redirect_uri=redirect_uri, account=data.account
    )
    return begun_body(request, begun, settings)


@get("/api/logins/{login_id:str}", tags=["logins"], opt={"passive": True})
async def show_login(
    request: AnyRequest, login_id: Id, login_service: Injected[LoginService]
) -> LoginBody:
    """How a login stands."""
    return outcome_body(await login_service.login_state(login_id, owners=owners_of(request)))


@post("/api/logins/{login_id:str}/poll", tags=["logins"], status_code=200)
async def poll_login(
    *,
    request: AnyRequest,
    login_id: Id,
    devices: Injected[DeviceLogins],
    audit: Injected[Audit],
) -> LoginBody:
    """Ask upstream whether the person has confirmed a device code, not oftener than it wants.

    The console asks by itself too: who only waits may read the login instead.
    """
    return await poll_noted(request, login_id, devices=devices, audit=audit)


@post("/api/logins/callback", tags=["logins"])
async def paste_callback(
    *,
    request: AnyRequest,
    data: JSONBody[PastedCallback],
    login_service: Injected[LoginService],
    bodies: Injected[AccountBodies],
    audit: Injected[Audit],
) -> AccountBody:
    """Finish a login with the address the person's browser landed on."""
    account = await finish_pasted(request, data.url, login_service=login_service, audit=audit)
    return await bodies.one(account.id)


@delete("/api/logins/{login_id:str}", tags=["logins"], status_code=204)
async def give_up_login(
    request: AnyRequest, login_id: Id, login_service: Injected[LoginService]
) -> None:
    """Give a login up; its code or address works no more."""
    await login_service.give_up(login_id, owners=owners_of(request))


def owner_of(request: AnyRequest, settings: ConsoleSettings) -> str:
    """The owner of a login started now.

    A visitor on 127.0.0.1 returns on localhost, for which the browser has another cookie; where no
    login is required, the machine itself then owns the login.
    """
    identity = identity_of(request.scope)
    if identity.kind is IdentityKind.LOCAL and not returns_here(request, settings):
        return "local"
    return identity.owner


def owners_of(request: AnyRequest) -> frozenset[str]:
    """The owners whose logins this visitor may finish."""
    identity = identity_of(request.scope)
    own = {identity.owner, "local"} if identity.kind is IdentityKind.LOCAL else {identity.owner}
    if identity.account_owner is not None:  # the callback of an owner who is administrator, too
        own.add(login_owner(identity.account_owner.id))
    return frozenset(own - {""})


def returns_here(request: AnyRequest, settings: ConsoleSettings) -> bool:
    """Whether the browser login leads back to the address this visitor uses."""
    return settings.redirect_uri == f"{origin_of(request.scope).address}{CALLBACK_PATH}"


async def note_outcome(
    request: AnyRequest, audit: Audit, *, way: Way, account: str = "", code: str = ""
) -> None:
    """Record in the audit how a login of an account ended."""
    action = "login.failed" if code else "login.finished"
    await audit.note(
        audit_event(request, action, account=account, code=code, after={"way": way.value})
    )


def watched_device(
    request: AnyRequest, pending: PendingLogin, *, devices: DeviceLogins, audit: Audit
) -> LoginBody:
    """A device login that was begun: the console polls it by itself, and notes how it ended."""
    devices.watch(pending, lambda outcome: _note_end(request, audit, outcome))
    return _device_body(pending)


async def poll_noted(
    request: AnyRequest, login_id: str, *, devices: DeviceLogins, audit: Audit
) -> LoginBody:
    """Poll a device login; how it ended is noted once."""
    outcome, ended = await devices.poll(login_id, owners=owners_of(request))
    if ended:
        await _note_end(request, audit, outcome)
    return outcome_body(outcome)


async def finish_pasted(
    request: AnyRequest, url: str, *, login_service: LoginService, audit: Audit
) -> Account:
    """Finish a login with a pasted address, and note how it ended."""
    callback = pasted_callback(url)
    try:
        account, _ = await login_service.finish(callback, owners=owners_of(request))
    except ConsoleError as error:
        await note_outcome(request, audit, way=Way.PASTED, code=error.code.value)
        raise
    await note_outcome(request, audit, way=Way.PASTED, account=account.id)
    return account


def begun_body(request: AnyRequest, begun: Begun, settings: ConsoleSettings) -> LoginBody:
    """A browser or pasted login that waits."""
    return LoginBody(
        id=begun.pending.id,
        way=begun.pending.way.value,
        login_state=LoginState.WAITING.value,
        expires_at=begun.pending.expires_at,
        authorize_url=begun.authorize_url,
        redirect_uri=begun.pending.redirect_uri,
        returns_here=returns_here(request, settings),
    )


async def _note_end(request: AnyRequest, audit: Audit, outcome: Outcome) -> None:
    await note_outcome(request, audit, way=outcome.way, account=outcome.account, code=outcome.code)


def _device_body(pending: PendingLogin) -> LoginBody:
    device = pending.device
    if device is None:
        raise NotFound(Code.LOGIN_UNKNOWN)
    return LoginBody(
        id=pending.id,
        way=pending.way.value,
        login_state=LoginState.WAITING.value,
        expires_at=pending.expires_at,
        user_code=device.user_code,
        verification_url=device.verification_url,
        interval=device.interval,
    )


def outcome_body(outcome: Outcome) -> LoginBody:
    """How a login stands."""
    return LoginBody(
        id=outcome.id,
        way=outcome.way.value,
        login_state=outcome.login_state.value,
        expires_at=outcome.expires_at,
        account=outcome.account,
        code=outcome.code,
    )
