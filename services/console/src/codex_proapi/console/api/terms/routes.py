"""Routes of one account's terms: read by the administrator, and replaced where it has no owner."""

from typing import Any

from litestar import Request, get, put
from litestar.params import JSONBody

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.console.api.account_bodies import AccountBodies
from codex_proapi.console.api.terms.bodies import (
    AccountTermsBody,
    TermsBody,
    audited,
    check_keys,
    terms_body,
)
from codex_proapi.console.auth.audit import Audit
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import Code, NotFound, Refused
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Id

AnyRequest = Request[Any, Any, Any]


@get("/api/accounts/{account_id:str}/terms", tags=["accounts"])
async def show_terms(
    account_id: Id,
    accounts: Injected[AccountStore],
    bodies: Injected[AccountBodies],
) -> AccountTermsBody:
    """The terms of an account, and how they close it now."""
    return await _body(await _account(accounts, account_id), bodies)


@put("/api/accounts/{account_id:str}/terms", tags=["accounts"])
async def change_terms(
    *,
    request: AnyRequest,
    account_id: Id,
    data: JSONBody[TermsBody],
    accounts: Injected[AccountStore],
    keys: Injected[KeyStore],
    audit: Injected[Audit],
    bodies: Injected[AccountBodies],
) -> AccountTermsBody:
    """Replace the terms of an account that has no owner; every gateway obeys with its next request."""
    account = await _account(accounts, account_id)
    if account.owner:
        raise Refused(Code.OWNERS_TERMS)
    terms = data.terms(account.terms)
    check_keys(terms.keys, known=await keys.names(), before=account.terms.keys)
    if terms != account.terms:
        if not await accounts.set_terms(account_id, terms, owner=""):  # claimed, or removed
            raise Refused(Code.OWNERS_TERMS)
        before, after = audited(account.terms, terms)
        await audit.note(
            audit_event(
                request, "account.terms_changed", account=account_id, before=before, after=after
            )
        )
    return await _body(await _account(accounts, account_id), bodies)


async def _account(accounts: AccountStore, account_id: str) -> Account:
    account = await accounts.get(account_id)
    if account is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    return account


async def _body(account: Account, bodies: AccountBodies) -> AccountTermsBody:
    [body] = await bodies.draw([account])
    return terms_body(account, closed=body.closed)
