"""Claims of a JWT, read without verifying its signature.

The tokens come from the authorization server over TLS or from a user's own file; their claims name
an account and never grant access. Pure: no clock, no network.
"""

from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError

AUTH_CLAIM = "https://api.openai.com/auth"
"""Where ChatGPT's own claims are."""
PROFILE_CLAIM = "https://api.openai.com/profile"
"""Where the e-mail address is when it is not at the top."""


class UnverifiedClaims(msgspec.Struct, frozen=True, kw_only=True):
    """Claims of a token whose signature was not verified."""

    email: str = ""
    """E-mail address."""
    chatgpt_account_id: str = ""
    """Workspace id. Never taken from `sub`, which is another thing."""
    chatgpt_user_id: str = ""
    """User id."""
    plan: str = ""
    """ChatGPT plan; an open set of strings."""
    fedramp: bool = False
    """Whether the workspace is a FedRAMP one."""
    expires_at: int = 0
    """`exp`, seconds since the epoch; 0 when it has none."""
    issued_at: int = 0
    """`iat`, seconds since the epoch; 0 when it has none."""


def claims_of(token: str) -> UnverifiedClaims | None:
    """The claims of one JWT; None if the text is not a JWT."""
    try:
        payload = msgspec.json.decode(jws.extract_compact(token.encode()).payload)
    except (JoseError, msgspec.DecodeError, ValueError):
        return None
    if not isinstance(payload, dict):
        return None
    auth = _table(payload, AUTH_CLAIM)
    return UnverifiedClaims(
        email=_text(payload, "email") or _text(_table(payload, PROFILE_CLAIM), "email"),
        chatgpt_account_id=_text(auth, "chatgpt_account_id"),
        chatgpt_user_id=_text(auth, "chatgpt_user_id") or _text(auth, "user_id"),
        plan=_text(auth, "chatgpt_plan_type"),
        fedramp=auth.get("chatgpt_account_is_fedramp") is True,
        expires_at=_seconds(payload, "exp"),
        issued_at=_seconds(payload, "iat"),
    )


def claims_of_login(id_token: str, access_token: str) -> UnverifiedClaims:
    """The claims of a login: the id token's, with the access token's where those are empty.

    The expiry is always the access token's.
    """
    first = claims_of(id_token) or UnverifiedClaims()
    second = claims_of(access_token) or UnverifiedClaims()
    return UnverifiedClaims(
        email=first.email or second.email,
        chatgpt_account_id=first.chatgpt_account_id or second.chatgpt_account_id,
        chatgpt_user_id=first.chatgpt_user_id or second.chatgpt_user_id,
        plan=first.plan or second.plan,
        fedramp=first.fedramp or second.fedramp,
        expires_at=second.expires_at,
        issued_at=second.issued_at,
    )


def _table(table: dict[str, Any], name: str) -> dict[str, Any]:
    value = table.get(name)
    return value if isinstance(value, dict) else {}


def _text(table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    return value if isinstance(value, str) else ""


def _seconds(table: dict[str, Any], name: str) -> int:
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value < 1 << 53 else 0
