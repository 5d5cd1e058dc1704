"""Starts and finishes logins: browser, pasted address, device code, import of a file or a token.

Starting stores a pending login and returns the address for the person; finishing takes it,
exchanges the code for tokens and adds the account. Renewing an account refuses a login of another
identity.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import msgspec
from authlib.oauth2.rfc6749.parameters import (  # type: ignore[import-untyped]  # no stubs
    prepare_grant_uri,
)

from codex_proapi.commons.accounts.model import (
    PERSONAL_TOKEN,
    Account,
    NewAccount,
    account_id_of,
)
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.endpoints import authorize_url
from codex_proapi.commons.codex.token_endpoint import (
    Grant,
    GrantError,
    GrantRefused,
    GrantUnavailable,
    TokenEndpoint,
)
from codex_proapi.commons.owner_terms.terms import Consent
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.errors import CredentialLocked, OwnedByOther
from codex_proapi.console.accounts.auth_json import (
    AuthFile,
    personal_token_in,
    read_auth_json,
)
from codex_proapi.console.accounts.callback import Callback, refusal_of
from codex_proapi.console.accounts.log_out import log_out
from codex_proapi.console.accounts.pending_logins import (
    LoginState,
    Outcome,
    PendingLogin,
    PendingLogins,
    Way,
    login_id_of,
)
from codex_proapi.console.accounts.personal_tokens import read_personal_token
from codex_proapi.console.accounts.pkce import make_proof_key, make_state
from codex_proapi.console.errors import (
    AuthServerAway,
    BadAuthFile,
    Code,
    Conflict,
    ConsoleError,
    LoginRefused,
    NotFound,
)
from codex_proapi.console.owners.consent import Claim
from codex_proapi.console.settings import ConsoleSettings

SCOPE = "openid profile email offline_access"

Hook: TypeAlias = Callable[[Way, str], None]
"""Called with the way and `done`, or the code of the error."""


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A login that waits for the person."""

    pending: PendingLogin
    authorize_url: str = ""
    """Where the browser must go, for browser and pasted logins."""


class LoginService:
    """Starts and finishes logins of accounts."""

    def __init__(
        self,
        *,
        settings: ConsoleSettings,
        accounts: AccountStore,
        endpoint: TokenEndpoint,
        pending: PendingLogins,
        clock: Callable[[], float],
        hook: Hook = lambda _way, _outcome: None,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._endpoint = endpoint
        self._pending = pending
        self._clock = clock
        self.hook = hook

    def __repr__(self) -> str:
        return f"<LoginService {self._endpoint!r}>"

    async def begin(
        self,
        way: Way,
        *,
        owner: str,
        redirect_uri: str,
        account: str = "",
        after: str = "",
        claim: Claim | None = None,
    ) -> Begun:
        """Start a browser or pasted login; the person signs in at the returned address."""
        proof, state = make_proof_key(), make_state()
        pending = PendingLogin(
            id=login_id_of(state),
            way=way,
            owner=owner,
            expires_at=int(self._clock()) + keyspace.PENDING_LOGIN_SECONDS,
            account=account,
            after=after,
            verifier=proof.verifier,
            redirect_uri=redirect_uri,
            claim=claim,
        )
        await self._pending.keep(pending)
        url = prepare_grant_uri(
            authorize_url(self._settings.codex_auth_url),
            self._settings.codex_client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=SCOPE,
            state=state,
            code_challenge=proof.challenge,
            code_challenge_method="S256",
            id_token_add_organizations="true",  # noqa: S106 - a flag
            codex_cli_simplified_flow="true",
            originator=self._settings.codex_originator,
            # Otherwise a browser that is signed in would add the same account again.
            prompt="login" if await self._accounts.list() else None,
        )
        return Begun(pending=pending, authorize_url=cast("str", url))

    async def finish(
        self, callback: Callback, *, owners: frozenset[str]
    ) -> tuple[Account, PendingLogin]:
        """Exchange a callback's code and add the account; returns it and its pending login."""
        pending = await self._pending.take(login_id_of(callback.state))
        if pending is None:
            raise LoginRefused(Code.LOGIN_UNKNOWN)
        if pending.owner not in owners:
            raise await self.fail(pending, LoginRefused(Code.LOGIN_OTHER_SESSION))
        if callback.refusal is not None:
            raise await self.fail(pending, LoginRefused(callback.refusal))
        try:
            grant = await self._endpoint.exchange(
                callback.code, verifier=pending.verifier, redirect_uri=pending.redirect_uri
            )
        except GrantError as error:
            raise await self.fail(pending, meaning_of(error)) from error
        return await self.arrive(grant, pending), pending

    async def login_state(self, login_id: str, *, owners: frozenset[str]) -> Outcome:
        """The state of a login of one of these owners."""
        outcome = await self._pending.outcome(login_id)
        if outcome is None or outcome.owner not in owners:
            raise NotFound(Code.LOGIN_UNKNOWN)
        if outcome.login_state is LoginState.WAITING and self._clock() >= outcome.expires_at:
            expired = Code.DEVICE_EXPIRED if outcome.way is Way.DEVICE else Code.LOGIN_EXPIRED
            return msgspec.structs.replace(
                outcome, login_state=LoginState.FAILED, code=expired.value
            )
        return outcome

    async def give_up(self, login_id: str, *, owners: frozenset[str]) -> None:
        """Cancel a pending login: its state or code stops working."""
        outcome = await self.login_state(login_id, owners=owners)
        pending = await self._pending.take(login_id)
        if pending is not None and outcome.login_state is LoginState.WAITING:
            await self._pending.settle(_outcome(pending, code=Code.LOGIN_UNKNOWN))

    async def read_file(self, content: Any, *, name: str = "") -> AuthFile:
        """Read an auth.json, or ask whose the personal access token in it is; nothing is saved."""
        if token := personal_token_in(content):
            return await self.read_token(token, name=name)
        return read_auth_json(content, now=self._clock(), name=name)

    async def read_token(self, token: str, *, name: str = "", expires_at: int = 0) -> AuthFile:
        """Ask whose a personal access token is (`read_personal_token`); nothing is saved."""
        return await read_personal_token(
            token, self._endpoint, now=self._clock(), name=name, expires_at=expires_at
        )

    async def import_file(self, file: AuthFile, *, account: str = "") -> Account:
        """Add the account of an auth.json or of a personal access token."""
        if account and file.preview.id != account:
            raise Conflict(Code.OTHER_IDENTITY)
        added = await self._accounts.add(file.account)
        self.hook(Way(file.account.source), "done")
        return added

    async def claim_file(self, file: AuthFile, claim: Claim, *, account: str = "") -> Account:
        """Add the account of an owner's auth.json or personal access token.

        Tokens in a file are only what somebody has written: whose account they are is what the
        authorization server says when it renews them. Of an access token it has been asked already.
        """
        if account and file.preview.id != account:
            raise Conflict(Code.OTHER_IDENTITY)
        known = msgspec.structs.replace(file.account, owner=claim.owner, consent=claim.consent)
        proven = known.kind == PERSONAL_TOKEN
        new = known if proven else await self._proven(file, claim)
        added = await self._accounts.add(msgspec.structs.replace(new, name=known.name))
        self.hook(Way(new.source), "done")
        return added

    async def _proven(self, file: AuthFile, claim: Claim) -> NewAccount:
        """The account of an auth.json as the authorization server names it, with renewed tokens."""
        if not file.preview.renewable:
            raise BadAuthFile(Code.AUTH_JSON_UNPROVEN, param="auth_json")
        try:
            grant = await self._endpoint.refresh(file.account.refresh_token)
        except GrantRefused:
            raise BadAuthFile(Code.AUTH_JSON_EXPIRED, param="auth_json") from None
        except GrantError as error:
            raise meaning_of(error) from error
        new = _new_account(grant, source=Way.AUTH_JSON, claim=claim, now=self._clock())
        if new is None:
            raise BadAuthFile(Code.AUTH_JSON_ACCOUNT, param="auth_json")
        if account_id_of(new.chatgpt_account_id, new.chatgpt_user_id) != file.preview.id:
            raise Conflict(Code.OTHER_IDENTITY)
        return new

    async def log_out(self, account_id: str) -> bool:
        """Revoke an account's login at the authorization server; False if that was not possible."""
        return await log_out(self._accounts, self._endpoint, account_id)

    async def arrive(self, grant: Grant, pending: PendingLogin) -> Account:
        """Add the account of a login's tokens, and store the outcome for the page that waits."""
        new = _new_account(grant, source=pending.way, claim=pending.claim, now=self._clock())
        if new is None:
            raise await self.fail(pending, LoginRefused(Code.NO_ACCOUNT_IN_LOGIN))
        arrived = account_id_of(new.chatgpt_account_id, new.chatgpt_user_id)
        if pending.account and arrived != pending.account:
            raise await self.fail(pending, Conflict(Code.OTHER_IDENTITY))
        try:
            account = await self._accounts.add(new)
        except CredentialLocked:
            raise await self.fail(pending, Conflict(Code.CREDENTIAL_LOCKED)) from None
        except OwnedByOther:
            raise await self.fail(pending, Conflict(Code.OWNED_BY_OTHER)) from None
        await self._pending.settle(_outcome(pending, account=account.id))
        self.hook(pending.way, "done")
        return account

    async def fail(self, pending: PendingLogin, error: ConsoleError) -> ConsoleError:
        """Store a failure for the page that waits; returns the error for the caller to raise."""
        await self._pending.settle(_outcome(pending, code=error.code))
        self.hook(pending.way, error.code)
        return error


def meaning_of(error: GrantError) -> ConsoleError:
    """The ConsoleError for an error of the authorization server."""
    match error:
        case GrantUnavailable(code=code) if code.startswith("http_403"):
            return LoginRefused(Code.EXCHANGE_FORBIDDEN)
        case GrantUnavailable():
            return AuthServerAway()
        case GrantRefused(code="device_login_disabled"):
            return LoginRefused(Code.DEVICE_DISABLED)
        case GrantRefused(code="expired_token" | "deviceauth_expired"):
            return LoginRefused(Code.DEVICE_EXPIRED)
        case GrantRefused():
            said = refusal_of(f"{error.code} {error.message}")
            if said is not Code.LOGIN_REFUSED:
                return LoginRefused(said)
            forbidden = error.status == 403  # noqa: PLR2004 - its own meaning
            return LoginRefused(Code.EXCHANGE_FORBIDDEN if forbidden else Code.EXCHANGE_REFUSED)
        case _:
            return AuthServerAway()


def _new_account(
    grant: Grant, *, source: Way, claim: Claim | None, now: float
) -> NewAccount | None:
    """The account of a login's tokens; None if they name no workspace."""
    claims = grant.claims()
    if not claims.chatgpt_account_id:
        return None
    return NewAccount(
        email=claims.email,
        plan=claims.plan,
        chatgpt_account_id=claims.chatgpt_account_id,
        chatgpt_user_id=claims.chatgpt_user_id,
        fedramp=claims.fedramp,
        source=source.value,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        id_token=grant.id_token,
        expires_at=grant.expires_at(now),
        refreshed_at=int(now),
        created_at=int(now),
        owner=claim.owner if claim else "",
        consent=claim.consent if claim else Consent(),
    )


def _outcome(pending: PendingLogin, *, account: str = "", code: str = "") -> Outcome:
    return Outcome(
        id=pending.id,
        way=pending.way,
        owner=pending.owner,
        expires_at=pending.expires_at,
        login_state=LoginState.DONE if account else LoginState.FAILED,
        account=account,
        code=code,
    )
