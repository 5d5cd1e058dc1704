"""Invented logins: tokens with the claims of real ones."""

import re
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey

from codex_proapi.commons.accounts.model import NewAccount
from codex_proapi.commons.codex.claims import AUTH_CLAIM

JWT = re.compile(r"eyJ[\w-]*\.eyJ")
"""The beginning of a token; the first letters alone come up in anything encrypted by chance."""
_KEY = OctKey.import_key("a key nobody checks, of a length nobody minds")


def a_jwt(**claims: Any) -> str:
    """A signed token with these claims."""
    return jwt.encode({"alg": "HS256"}, claims, _KEY)


def an_access_token(
    *,
    exp: int,
    workspace: str = "ws-1",
    user: str = "user-1",
    mark: str = "",
    plan: str = "plus",
    email: str = "ada@example.com",
) -> str:
    """An access token; `mark` tells it from others of the same time."""
    auth = {
        "chatgpt_account_id": workspace,
        "chatgpt_user_id": user,
        "chatgpt_plan_type": plan,
    }
    return a_jwt(exp=exp, iat=exp - 864_000, jti=mark, email=email, **{AUTH_CLAIM: auth})


def a_login(
    *, exp: int, refresh_token: str = "rt_first", workspace: str = "ws-1", **fields: Any
) -> NewAccount:
    """A login whose access token ends at `exp`."""
    provided: dict[str, Any] = {
        "chatgpt_account_id": workspace,
        "chatgpt_user_id": "user-1",
        "access_token": an_access_token(exp=exp, workspace=workspace),
        "refresh_token": refresh_token,
        "expires_at": exp,
        "refreshed_at": exp - 864_000,
        "email": "ada@example.com",
        "plan": "plus",
        "created_at": 1_790_000_000,
        **fields,
    }
    return NewAccount(**provided)
