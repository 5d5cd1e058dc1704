"""Routes of saved resets: read them, and redeem one with a confirmation."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.params import JSONBody

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.console.api.owners.claims import own_account
from codex_proapi.console.auth.attempts import Attempts
from codex_proapi.console.auth.audit import Audit, Facts
from codex_proapi.console.auth.identity import identity_of
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import Code, ConsoleError, NotFound
from codex_proapi.console.resets.known_resets import KnownResets
from codex_proapi.console.resets.redeeming import DoneRedemption, Resets
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Id

AnyRequest = Request[Any, Any, Any]


class RedeemBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A saved reset to redeem."""

    reset_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    """Which, by its id. The same id again repeats the same request, and redeems nothing twice."""
    confirm: Literal[True]
    """That a person wants it: a reset is gone once it is redeemed."""


@get("/api/accounts/{account_id:str}/resets", tags=["accounts"])
async def list_resets(
    account_id: Id, accounts: Injected[AccountStore], resets: Injected[Resets]
) -> KnownResets:
    """The account's saved resets, read from OpenAI now; the soonest to expire first."""
    return await resets.list(await _account(accounts, account_id))


@post("/api/accounts/{account_id:str}/resets/redeem", tags=["accounts"], status_code=200)
async def redeem_reset(
    *,
    request: AnyRequest,
    account_id: Id,
    data: JSONBody[RedeemBody],
    accounts: Injected[AccountStore],
    resets: Injected[Resets],
    audit: Injected[Audit],
) -> DoneRedemption:
    """Redeem a saved reset: the account's windows are empty afterwards, and it is asked again."""
    account = await _account(accounts, account_id)
    return await redeem_audited(request, account, data, resets=resets, audit=audit)


@get("/api/owner/accounts/{account_id:str}/resets", opt={"owner": True}, tags=["owner"])
async def list_own_resets(
    *,
    request: AnyRequest,
    account_id: Id,
    accounts: Injected[AccountStore],
    resets: Injected[Resets],
    attempts: Injected[Attempts],
) -> KnownResets:
    """The saved resets of an owner's own account, read from OpenAI now."""
    account = await own_account(request, accounts, account_id)
    await attempts.count_lookup(account.owner)
    return await resets.list(account)


@post(
    "/api/owner/accounts/{account_id:str}/resets/redeem",
    opt={"owner": True},
    tags=["owner"],
    status_code=200,
)
async def redeem_own_reset(
    *,
    request: AnyRequest,
    account_id: Id,
    data: JSONBody[RedeemBody],
    accounts: Injected[AccountStore],
    resets: Injected[Resets],
    attempts: Injected[Attempts],
    audit: Injected[Audit],
) -> DoneRedemption:
    """Redeem a saved reset of an owner's own account; counted as a change of his."""
    account = await own_account(request, accounts, account_id)
    await attempts.count_change(account.owner)
    return await redeem_audited(request, account, data, resets=resets, audit=audit)


async def redeem_audited(
    request: AnyRequest, account: Account, data: RedeemBody, *, resets: Resets, audit: Audit
) -> DoneRedemption:
    """Redeem a reset for whoever asks, and record it; who may ask was decided before."""
    try:
        done = await resets.redeem(account, data.reset_id, by=identity_of(request.scope).actor)
    except ConsoleError as error:
        after: Facts = {"reset": data.reset_id}
        await audit.note(
            audit_event(
                request,
                "account.reset_failed",
                account=account.id,
                code=error.code.value,
                after=after,
            )
        )
        raise
    if done.first:
        facts: Facts = {
            "reset": done.reset_id,
            "request": done.request_id,
            "windows": done.windows,
        }
        await audit.note(
            audit_event(request, "account.reset_redeemed", account=account.id, after=facts)
        )
    return done


async def _account(accounts: AccountStore, account_id: str) -> Account:
    account = await accounts.get(account_id)
    if account is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    return account
