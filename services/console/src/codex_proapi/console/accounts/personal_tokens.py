"""Reads a personal access token, `at-…`: checks its form, and asks whose it is.

Nothing is saved here. The answer of `whoami` names workspace and user; the token itself says nothing.
"""

from typing import Final

from codex_proapi.commons.accounts.model import PERSONAL_TOKEN, NewAccount, account_id_of
from codex_proapi.commons.accounts.one_line import MOST_EMAIL, MOST_PLAN, one_line
from codex_proapi.commons.codex.token_endpoint import (
    GrantError,
    GrantRefused,
    GrantUnavailable,
    TokenEndpoint,
)
from codex_proapi.commons.codex.whoami import TokenOwner, is_personal_token
from codex_proapi.console.accounts.auth_json import AuthFile, Preview
from codex_proapi.console.errors import AuthServerAway, BadRequest, Code, ConsoleError, LoginRefused

PARAM: Final = "access_token"


async def read_personal_token(
    token: str, endpoint: TokenEndpoint, *, now: float, name: str = "", expires_at: int = 0
) -> AuthFile:
    """The account that a token adds, and its preview.

    Args:
        token: the token, as it was pasted.
        endpoint: the authorization server, which is asked whose it is.
        now: seconds since the epoch.
        name: what to call the account; empty for its e-mail address.
        expires_at: when its owner lets it end, seconds since the epoch; 0 for not told. It is shown
            and decides nothing.

    Raises:
        BadRequest: the text is no such token, or the end has passed.
        LoginRefused: the authorization server does not accept it, or names nobody.
        AuthServerAway: the authorization server cannot be reached.
    """
    token = token.strip()
    if not is_personal_token(token):
        raise BadRequest(Code.ACCESS_TOKEN, param=PARAM)
    if expires_at and expires_at <= now:
        raise BadRequest(message="expires_at must be later than now", param="expires_at")
    try:
        owner = await endpoint.whoami(token)
    except GrantError as error:
        raise _meaning_of(error) from None
    return _file_of(token, owner, now=now, name=name, expires_at=expires_at)


def _file_of(token: str, owner: TokenOwner, *, now: float, name: str, expires_at: int) -> AuthFile:
    account = NewAccount(
        kind=PERSONAL_TOKEN,
        name=name,
        email=owner.email,
        plan=owner.plan,
        chatgpt_account_id=owner.chatgpt_account_id,
        chatgpt_user_id=owner.chatgpt_user_id,
        fedramp=owner.fedramp,
        source="access_token",
        access_token=token,
        expires_at=expires_at,
        created_at=int(now),
    )
    preview = Preview(
        id=account_id_of(owner.chatgpt_account_id, owner.chatgpt_user_id),
        email=one_line(owner.email, MOST_EMAIL),
        plan=one_line(owner.plan, MOST_PLAN),
        workspace=owner.chatgpt_account_id,
        expires_at=expires_at,
        expired=False,
        renewable=False,
        kind=PERSONAL_TOKEN,
    )
    return AuthFile(account=account, preview=preview)


def _meaning_of(error: GrantError) -> ConsoleError:
    """The error of the console for one of the authorization server."""
    match error:
        case GrantUnavailable(code=code) if code.startswith("http_403"):
            return LoginRefused(Code.EXCHANGE_FORBIDDEN)
        case GrantRefused(code="no_identity"):
            return LoginRefused(Code.ACCESS_TOKEN_NOBODY, param=PARAM)
        case GrantRefused(code="account_deactivated"):
            return LoginRefused(Code.ACCOUNT_DEACTIVATED, param=PARAM)
        case GrantRefused(permanent=True) | GrantRefused(status=403):
            return LoginRefused(Code.ACCESS_TOKEN_REFUSED, param=PARAM)
        case _:
            return AuthServerAway()
