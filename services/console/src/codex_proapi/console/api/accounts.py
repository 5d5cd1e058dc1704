"""Routes of accounts: list, add, change, remove, refresh, test."""

from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.params import FromQuery, JSONBody

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.model import Account, AccountState
from codex_proapi.commons.accounts.one_line import LINE_PATTERN, MOST_NAME, NAME_PATTERN
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.console.accounts.auth_json import MAX_BYTES, AuthFile, Preview
from codex_proapi.console.accounts.connection_test import ConnectionTest, Step
from codex_proapi.console.accounts.login_service import LoginService
from codex_proapi.console.api.account_bodies import AccountBodies, AccountBody
from codex_proapi.console.auth.audit import Audit, AuditEvent, Facts
from codex_proapi.console.auth.request_author import audit_event
from codex_proapi.console.errors import BadRequest, Code, NotFound
from codex_proapi.console.server.dependencies import Injected
from codex_proapi.console.server.parameters import Id

MAX_TOKEN = 8192
"""Most characters of a personal access token; those seen are much shorter."""

AnyRequest = Request[Any, Any, Any]
AccountName = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME, pattern=NAME_PATTERN)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=100)]
AccessToken = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TOKEN)]
Moment = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]


class AccountList(msgspec.Struct, frozen=True, kw_only=True):
    """Every account, oldest first."""

    accounts: list[AccountBody]


class NewAccountBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to add: by an auth.json or by a personal access token, never both."""

    auth_json: dict[str, Any] | str | msgspec.UnsetType = msgspec.UNSET
    """The content of a Codex auth.json, as JSON or as its text."""
    access_token: AccessToken | msgspec.UnsetType = msgspec.UNSET
    """A personal access token of ChatGPT, `at-…`; OpenAI is asked whose it is."""
    expires_at: Moment | None = None
    """When a personal access token ends, seconds since the epoch, where its owner knows; it is shown."""
    name: Annotated[str, msgspec.Meta(max_length=MOST_NAME, pattern=LINE_PATTERN)] | None = None
    """What to call it; without one it keeps its name, or takes the e-mail address."""
    account: Annotated[str, msgspec.Meta(max_length=80)] = ""
    """The account to renew; another identity is then refused."""


class AuthFileBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An auth.json or a personal access token to look at."""

    auth_json: dict[str, Any] | str | msgspec.UnsetType = msgspec.UNSET
    """The content of a Codex auth.json, as JSON or as its text."""
    access_token: AccessToken | msgspec.UnsetType = msgspec.UNSET
    """A personal access token of ChatGPT, `at-…`; OpenAI is asked whose it is."""
    expires_at: Moment | None = None
    """When a personal access token ends, seconds since the epoch."""


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of an account; what is left out stays."""

    name: AccountName | msgspec.UnsetType = msgspec.UNSET
    paused: bool | msgspec.UnsetType = msgspec.UNSET
    weight: Weight | msgspec.UnsetType = msgspec.UNSET


class ConnectionTestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to try an account."""

    answer: bool = False
    """Whether to ask for one short answer at the end, which costs quota."""


class ConnectionTestReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial went."""

    passed: bool
    steps: list[Step]


@get("/api/accounts", tags=["accounts"])
async def list_accounts(bodies: Injected[AccountBodies]) -> AccountList:
    """Every account, oldest first."""
    return AccountList(accounts=await bodies.all())


@get("/api/accounts/{account_id:str}", tags=["accounts"])
async def show_account(account_id: Id, bodies: Injected[AccountBodies]) -> AccountBody:
    """One account."""
    return await bodies.one(account_id)


@post("/api/accounts", tags=["accounts"], request_max_body_size=4 * MAX_BYTES)
async def add_account(
    *,
    request: AnyRequest,
    data: JSONBody[NewAccountBody],
    login_service: Injected[LoginService],
    accounts: Injected[AccountStore],
    audit: Injected[Audit],
    bodies: Injected[AccountBodies],
) -> AccountBody:
    """Add the account of an auth.json or a personal access token; the same identity is renewed in place."""
    file = await read_login(login_service, data, name=(data.name or "").strip())
    known = await accounts.get(file.preview.id) is not None
    account = await login_service.import_file(file, account=data.account)
    after = {"name": account.name, "plan": account.plan, "source": account.source}
    await audit.note(
        audit_event(
            request,
            "account.renewed" if known else "account.added",
            account=account.id,
            after=after,
        )
    )
    return await bodies.one(account.id)


@post(
    "/api/accounts/preview", tags=["accounts"], request_max_body_size=4 * MAX_BYTES, status_code=200
)
async def preview_account(
    data: JSONBody[AuthFileBody], login_service: Injected[LoginService]
) -> Preview:
    """What an auth.json or a personal access token would add; nothing is saved."""
    return (await read_login(login_service, data)).preview


@patch("/api/accounts/{account_id:str}", tags=["accounts"])
async def change_account(
    *,
    request: AnyRequest,
    account_id: Id,
    data: JSONBody[AccountChange],
    accounts: Injected[AccountStore],
    bodies: Injected[AccountBodies],
    audit: Injected[Audit],
) -> AccountBody:
    """Rename, pause, resume or weigh an account."""
    before = await accounts.get(account_id)
    if before is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    if isinstance(data.name, str):
        await accounts.rename(account_id, data.name.strip())
    if isinstance(data.weight, float):
        await accounts.set_weight(account_id, data.weight)
    if isinstance(data.paused, bool):
        await (accounts.pause if data.paused else accounts.resume)(account_id)
    after = await accounts.get(account_id)
    if after is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    if before != after:
        await audit.note(_change(request, before, after))
    return await bodies.one(account_id)


@delete("/api/accounts/{account_id:str}", tags=["accounts"], status_code=204)
async def remove_account(
    *,
    request: AnyRequest,
    account_id: Id,
    accounts: Injected[AccountStore],
    login_service: Injected[LoginService],
    audit: Injected[Audit],
    logout: FromQuery[bool] = True,
) -> None:
    """Remove an account. Its login is revoked first unless `logout=false`; its usage stays."""
    account = await accounts.get(account_id)
    if account is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    revoked = logout and await login_service.log_out(account_id)
    await accounts.remove(account_id)
    before: Facts = {"name": account.name, "login_revoked": revoked}
    await audit.note(audit_event(request, "account.removed", account=account_id, before=before))


@post("/api/accounts/{account_id:str}/refresh", tags=["accounts"], status_code=200)
async def refresh_account(
    *,
    request: AnyRequest,
    account_id: Id,
    accounts: Injected[AccountStore],
    refresher: Injected[CredentialRefresher],
    bodies: Injected[AccountBodies],
    audit: Injected[Audit],
) -> AccountBody:
    """Renew an account's token now; a token that works goes on working if that fails."""
    if await accounts.get(account_id) is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    await refresher.renew(account_id)
    await audit.note(audit_event(request, "account.refreshed", account=account_id))
    return await bodies.one(account_id)


@post("/api/accounts/{account_id:str}/use-again", tags=["accounts"], status_code=200)
async def use_account_again(
    *,
    request: AnyRequest,
    account_id: Id,
    accounts: Injected[AccountStore],
    cooldowns: Injected[CooldownStore],
    bodies: Injected[AccountBodies],
    audit: Injected[Audit],
) -> AccountBody:
    """Let an account be asked again: its cooldowns end, and a refused or closed one counts as active.

    For whoever knows that the cause is mended. If it fails again, it is passed over again.
    """
    account = await accounts.get(account_id)
    if account is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    await cooldowns.clear(account_id)
    if account.state is not AccountState.ACTIVE:
        await accounts.mark(account_id, AccountState.ACTIVE, "")
    before: Facts = {"state": account.state.value}
    await audit.note(audit_event(request, "account.used_again", account=account_id, before=before))
    return await bodies.one(account_id)


@post("/api/accounts/{account_id:str}/test", tags=["accounts"], status_code=200)
async def try_account(
    *,
    request: AnyRequest,
    account_id: Id,
    data: JSONBody[ConnectionTestBody],
    accounts: Injected[AccountStore],
    connection_test: Injected[ConnectionTest],
    audit: Injected[Audit],
    bodies: Injected[AccountBodies],
) -> ConnectionTestReport:
    """Try an account step by step; `answer` asks for one short answer, which costs quota.

    While its owner's terms close the account no answer is asked for, and that step fails with them.
    """
    account = await accounts.get(account_id)
    if account is None:
        raise NotFound(Code.UNKNOWN_ACCOUNT)
    closed = (await bodies.one(account_id)).closed
    steps = await connection_test.run(account, answer=data.answer and closed is None)
    if data.answer and closed is not None and steps[-1].passed:
        code = f"closed_by_{closed.term}"
        steps.append(Step(name="answer", passed=False, milliseconds=0, code=code))
    passed = all(step.passed for step in steps)
    after = {"passed": passed, "answer": data.answer}
    await audit.note(
        audit_event(request, "account.tested", account=account_id, code=steps[-1].code, after=after)
    )
    return ConnectionTestReport(passed=passed, steps=steps)


async def read_login(
    login_service: LoginService, data: NewAccountBody | AuthFileBody, *, name: str = ""
) -> AuthFile:
    """The account that a body would add."""
    token, content = data.access_token, data.auth_json
    if isinstance(token, str) and not isinstance(content, msgspec.UnsetType):
        raise BadRequest(message="give auth_json or access_token, not both", param="access_token")
    if isinstance(token, str):
        return await login_service.read_token(token, name=name, expires_at=data.expires_at or 0)
    if isinstance(content, msgspec.UnsetType):
        raise BadRequest(message="auth_json or access_token is missing", param="auth_json")
    return await login_service.read_file(content, name=name)


def _change(request: AnyRequest, before: Account, after: Account) -> AuditEvent:
    """The audit entry of a change: only what differs, and paused accounts by their own name."""
    names = [n for n in ("name", "paused", "weight") if getattr(before, n) != getattr(after, n)]
    action = "account.changed"
    if names == ["paused"]:
        action = "account.paused" if after.paused else "account.resumed"
    return audit_event(
        request,
        action,
        account=after.id,
        before={name: getattr(before, name) for name in names},
        after={name: getattr(after, name) for name in names},
    )
