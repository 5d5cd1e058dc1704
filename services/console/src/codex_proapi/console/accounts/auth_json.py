"""Parses a Codex auth.json into an account to add, or an error with the reason.

Pure: the caller passes the text and the time. Tokens are decoded, never sent.
"""

from typing import Any, Final

import msgspec

from codex_proapi.commons.accounts.model import CHATGPT, NewAccount, account_id_of
from codex_proapi.commons.accounts.one_line import MOST_EMAIL, MOST_PLAN, one_line
from codex_proapi.commons.codex.claims import UnverifiedClaims, claims_of, claims_of_login
from codex_proapi.commons.codex.whoami import PREFIX
from codex_proapi.console.errors import BadAuthFile, Code

MAX_BYTES: Final = 64 * 1024
"""A real file has about 6 KB; more is refused before it is read."""
LONGEST_WORKSPACE: Final = 128
"""Characters of a workspace's id; a real one has 36."""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an auth.json or a token would add, shown before anything is saved. Holds no token."""

    id: str
    """The id the account would get; the same login has the same id again."""
    email: str
    """E-mail address of its owner, if the tokens name one."""
    plan: str
    """ChatGPT plan, if the tokens name one."""
    workspace: str
    """ChatGPT's id of the workspace."""
    expires_at: int
    """When the access token ends, seconds since the epoch; 0 is unknown."""
    expired: bool
    """Whether that has passed; it is renewed at the first use."""
    renewable: bool
    """Whether there is a refresh token; without one the account ends with its access token."""
    kind: str = CHATGPT
    """`chatgpt`, or `personal_token` for a token that is used until it is refused."""


class AuthFile(msgspec.Struct, frozen=True, kw_only=True):
    """A valid auth.json or personal access token: the account it adds, and its preview."""

    account: NewAccount
    preview: Preview


def read_auth_json(content: Any, *, now: float, name: str = "") -> AuthFile:
    """Read the decoded content, or its text; raise BadAuthFile with the code of what is wrong."""
    tokens = _tokens(_table(content))
    access = _text(tokens, "access_token")
    if not access:
        raise BadAuthFile(Code.AUTH_JSON_ACCESS, param="auth_json")
    id_token, refresh = _text(tokens, "id_token"), _text(tokens, "refresh_token")
    claims = claims_of_login(id_token, access)
    workspace = _workspace(tokens, claims, readable=claims_of(access) is not None)
    expired = 0 < claims.expires_at <= now
    if expired and not refresh:
        raise BadAuthFile(Code.AUTH_JSON_EXPIRED, param="auth_json")
    account = NewAccount(
        name=name,
        email=claims.email,
        plan=claims.plan,
        chatgpt_account_id=workspace,
        chatgpt_user_id=claims.chatgpt_user_id,
        fedramp=claims.fedramp,
        source="auth_json",
        access_token=access,
        refresh_token=refresh,
        id_token=id_token,
        expires_at=claims.expires_at,
        refreshed_at=claims.issued_at,
        created_at=int(now),
    )
    preview = Preview(
        id=account_id_of(workspace, claims.chatgpt_user_id),
        email=one_line(claims.email, MOST_EMAIL),
        plan=one_line(claims.plan, MOST_PLAN),
        workspace=workspace,
        expires_at=claims.expires_at,
        expired=expired,
        renewable=bool(refresh),
    )
    return AuthFile(account=account, preview=preview)


def personal_token_in(content: Any) -> str:
    """The personal access token that the content of an auth.json holds; empty if it holds none.

    The Codex CLI writes one in place of a login: as `personal_access_token`, or as access token.
    """
    table = _table(content)
    tokens = table.get("tokens")
    inside = tokens if isinstance(tokens, dict) else {}
    found = (
        *(_text(inside, "access_token"), _text(table, "access_token")),
        *(_text(inside, "personal_access_token"), _text(table, "personal_access_token")),
    )
    return next((text for text in found if text.startswith(PREFIX)), "")


def _table(content: Any) -> dict[str, Any]:
    """The content as a table; it may also be JSON text."""
    if isinstance(content, str | bytes):
        try:
            text = content.encode() if isinstance(content, str) else content
            content = msgspec.json.decode(text.strip().removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise BadAuthFile(Code.AUTH_JSON, param="auth_json") from None
    if not isinstance(content, dict):
        raise BadAuthFile(Code.AUTH_JSON, param="auth_json")
    return content


def _tokens(table: dict[str, Any]) -> dict[str, Any]:
    """The table of tokens: under `tokens`, as the Codex CLI writes it, or at the top level."""
    tokens = table.get("tokens")
    if isinstance(tokens, dict) and tokens:
        return tokens
    if _text(table, "access_token"):
        return table
    if _text(table, "OPENAI_API_KEY"):
        raise BadAuthFile(Code.AUTH_JSON_API_KEY, param="auth_json")
    raise BadAuthFile(Code.AUTH_JSON_TOKENS, param="auth_json")


def _workspace(tokens: dict[str, Any], claims: UnverifiedClaims, *, readable: bool) -> str:
    """The workspace the file names, else the one its tokens claim.

    The access token must be a JWT: one that is none can never answer.
    """
    workspace = _text(tokens, "account_id") or claims.chatgpt_account_id
    if workspace and readable and len(workspace) <= LONGEST_WORKSPACE and workspace.isprintable():
        return workspace
    code = Code.AUTH_JSON_ACCOUNT if readable else Code.AUTH_JSON_UNREADABLE
    raise BadAuthFile(code, param="auth_json")


def _text(table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    return value.strip() if isinstance(value, str) else ""
