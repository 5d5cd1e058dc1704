"""An owner's routes of his own accounts: list, add an auth.json, terms, pause, leave the pool.

Every id is looked up among the accounts that are his at that moment; another one is not found.
"""

from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.params import JSONBody

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.one_line import MOST_NAME
from codex_proapi.commons.accounts.quota_store import SeenQuota
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.owner_terms.terms import OwnerTerms
from codex_proapi.console.accounts.auth_json import MAX_BYTES, Preview
from codex_proapi.console.accounts.closed_accounts import ClosedBody
from codex_proapi.console.accounts.login_service import LoginService
from codex_proapi.console.api.account_bodies import AccountBodies, CooldownBody
from codex_proapi.console.api.accounts import AuthFileBody, read_login
from codex_proapi.console.api.owners.claims import OwnerClaims, own_account
from codex_proapi.console.api.owners.entry import owner_of_accounts
from codex_proapi.console.api.terms.bodies import (
    TermsBody,
    TermsChange,
    audited,
    form_of,
)
from codex_proapi.console.auth.attempts import Attempts
from codex_proapi.console.auth.audit import Audit, Facts
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import Code, NotFound
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Id

AnyRequest = Request[Any, Any, Any]
Wording = Annotated[str, msgspec.Meta(max_length=40)]


class OwnFile(AuthFileBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An auth.json or a personal access token of an owner's own account."""

    name: Annotated[str, msgspec.Meta(max_length=MOST_NAME)] = ""
    """What to call the account; without one it keeps its name, or takes the e-mail address."""
    account: Annotated[str, msgspec.Meta(max_length=80)] = ""
    """The account to renew; another identity is then refused."""
    consent: Wording = ""
    """Version of the wording that is agreed to."""


class OwnAccountBody(msgspec.Struct, frozen=True, kw_only=True):
    """An owner's account, as he sees it. Never holds a token."""

    id: str
    name: str
    email: str
    plan: str
    state: str
    state_reason: str
    paused_by_administrator: bool
    cooldowns: tuple[CooldownBody, ...]
    quota: SeenQuota | None
    closed: ClosedBody | None
    """How the terms keep every key off it now; null if they do not."""
    terms: TermsBody
    consent_at: int
    """When he agreed, seconds since the epoch; 0 is never."""
    consent_wording: str
    """Version of the wording."""


class OwnAccountList(msgspec.Struct, frozen=True, kw_only=True):
    """An owner's accounts, oldest first."""

    accounts: list[OwnAccountBody]


class LeftPool(msgspec.Struct, frozen=True, kw_only=True):
    """How an account has left."""

    login_revoked: bool
    """Whether OpenAI has ended its login; its tokens are deleted in any case."""


@get("/api/owner/accounts", opt={"owner": True}, tags=["owner"])
async def list_own_accounts(
    request: AnyRequest, accounts: Injected[AccountStore], bodies: Injected[AccountBodies]
) -> OwnAccountList:
    """The accounts of the owner who asks."""
    owner = owner_of_accounts(identity_of(request.scope))
    own = [account for account in await accounts.list() if account.owner == owner.id]
    return OwnAccountList(accounts=await show_bodies(own, bodies))


@get("/api/owner/accounts/{account_id:str}", opt={"owner": True}, tags=["owner"])
async def show_own_account(
    request: AnyRequest,
    account_id: Id,
    accounts: Injected[AccountStore],
    bodies: Injected[AccountBodies],
) -> OwnAccountBody:
    """One of them."""
    account = await own_account(request, accounts, account_id)
    return (await show_bodies([account], bodies))[0]


@post(
    "/api/owner/accounts", opt={"owner": True}, tags=["owner"], request_max_body_size=4 * MAX_BYTES
)
async def add_own_account(
    *,
    request: AnyRequest,
    data: JSONBody[OwnFile],
    login_service: Injected[LoginService],
    owner_claims: Injected[OwnerClaims],
    audit: Injected[Audit],
    bodies: Injected[AccountBodies],
) -> OwnAccountBody:
    """Add the account of an auth.json or a personal access token, once OpenAI has said whose it is.

    A refresh token is used at once for that.
    """
    claim = await owner_claims.begin(request, account=data.account, wording=data.consent)
    file = await read_login(login_service, data, name=data.name.strip())
    known = await owner_claims.knows(claim, file.preview.id)
    account = await login_service.claim_file(file, claim, account=data.account)
    after = {"name": account.name, "plan": account.plan, "source": account.source}
    action = "account.renewed" if known else "account.added"
    await audit.note(audit_event(request, action, account=account.id, after=after))
    return (await show_bodies([account], bodies))[0]


@post(
    "/api/owner/accounts/preview",
    opt={"owner": True},
    tags=["owner"],
    request_max_body_size=4 * MAX_BYTES,
    status_code=200,
)
async def preview_own_account(
    *,
    request: AnyRequest,
    data: JSONBody[AuthFileBody],
    login_service: Injected[LoginService],
    attempts: Injected[Attempts],
) -> Preview:
    """What an auth.json or a personal access token would add; nothing is saved."""
    await attempts.count_lookup(owner_of_accounts(identity_of(request.scope)).id)
    return (await read_login(login_service, data)).preview


@patch("/api/owner/accounts/{account_id:str}/terms", opt={"owner": True}, tags=["owner"])
async def change_own_terms(
    *,
    request: AnyRequest,
    account_id: Id,
    data: JSONBody[TermsChange],
    accounts: Injected[AccountStore],
    owner_claims: Injected[OwnerClaims],
    bodies: Injected[AccountBodies],
    audit: Injected[Audit],
) -> OwnAccountBody:
    """Change the terms of one of them, or pause it; the next request obeys."""
    account = await own_account(request, accounts, account_id)
    terms = data.terms(account.terms)
    if terms != account.terms:
        await owner_claims.allow_change(account, terms)
        if not await accounts.set_terms(account_id, terms, owner=account.owner):
            raise NotFound(Code.UNKNOWN_ACCOUNT)
        action = terms_action(account.terms, terms)
        before, after = audited(account.terms, terms)
        await audit.note(
            audit_event(request, action, account=account_id, before=before, after=after)
        )
    return (await show_bodies([await own_account(request, accounts, account_id)], bodies))[0]


@delete(
    "/api/owner/accounts/{account_id:str}", opt={"owner": True}, tags=["owner"], status_code=200
)
async def leave_pool(
    *,
    request: AnyRequest,
    account_id: Id,
    accounts: Injected[AccountStore],
    login_service: Injected[LoginService],
    audit: Injected[Audit],
) -> LeftPool:
    """Take one of them out of the pool: its login is revoked at OpenAI, its tokens are deleted.

    They are deleted also where OpenAI cannot be reached; then `login_revoked` is false.
    """
    account = await own_account(request, accounts, account_id)
    revoked = await login_service.log_out(account_id)
    await accounts.remove(account_id)
    before: Facts = {"name": account.name, "login_revoked": revoked}
    await audit.note(audit_event(request, "account.left", account=account_id, before=before))
    return LeftPool(login_revoked=revoked)


def terms_action(before: OwnerTerms, after: OwnerTerms) -> str:
    """What a change of terms is called in the audit."""
    if msgspec.structs.replace(before, paused=after.paused) != after:
        return "account.terms_changed"
    return "account.paused_by_owner" if after.paused else "account.resumed_by_owner"


async def show_bodies(accounts: list[Account], bodies: AccountBodies) -> list[OwnAccountBody]:
    """Accounts as their owner sees them."""
    terms = {account.id: account.terms for account in accounts}
    return [
        OwnAccountBody(
            id=body.id,
            name=body.name,
            email=body.email,
            plan=body.plan,
            state=body.state,
            state_reason=body.state_reason,
            paused_by_administrator=body.paused,
            cooldowns=body.cooldowns,
            quota=body.quota,
            closed=body.closed,
            terms=form_of(terms[body.id]),
            consent_at=terms[body.id].consent.at,
            consent_wording=terms[body.id].consent.wording,
        )
        for body in await bodies.draw(accounts)
    ]
