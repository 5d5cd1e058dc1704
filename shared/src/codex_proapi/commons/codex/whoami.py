"""Whose a personal access token is, as the authorization server's `whoami` answers. Pure.

Owners of a ChatGPT workspace let its members make such tokens, `at-…`, which are no JWT and have no
readable end (developers.openai.com/codex/enterprise/access-tokens, read in November 2026).
"""

import re
from typing import Final

import msgspec

from codex_proapi.commons.runtime.lenient_json import DECODE_ERRORS, read_any

PREFIX: Final = "at-"
"""How personal access tokens begin."""
WHOAMI_PATH: Final = "/api/accounts/v1/user-auth-credential/whoami"
"""Where the authorization server says whose a token is (GET, with the token as bearer)."""
LONGEST_ID: Final = 128
"""Characters of a workspace's or user's id; a real one has 36."""
_TOKEN: Final = re.compile(r"at-[!-~]{8,4093}")


class TokenOwner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a personal access token is."""

    chatgpt_account_id: str
    """Workspace id."""
    chatgpt_user_id: str
    """User id."""
    email: str = ""
    """E-mail address; the server leaves it out of some answers."""
    plan: str = ""
    """ChatGPT plan; an open set of strings."""
    fedramp: bool = False
    """Whether the workspace is a FedRAMP one."""


def is_personal_token(text: str) -> bool:
    """Whether a text has the form of a personal access token: `at-` and printable ASCII without spaces."""
    return _TOKEN.fullmatch(text) is not None


def read_whoami(body: bytes) -> TokenOwner | None:
    """The owner in an answer of `whoami`; None if it names no workspace or no user that can be used."""
    try:
        fields = read_any(body)
    except DECODE_ERRORS:
        return None
    if not isinstance(fields, dict):
        return None

    def text(name: str) -> str:
        value = fields.get(name)
        return value.strip() if isinstance(value, str) and value.isprintable() else ""

    workspace, user = text("chatgpt_account_id"), text("chatgpt_user_id")
    if not workspace or not user or max(len(workspace), len(user)) > LONGEST_ID:
        return None
    return TokenOwner(
        chatgpt_account_id=workspace,
        chatgpt_user_id=user,
        email=text("email"),
        plan=text("chatgpt_plan_type"),
        fedramp=fields.get("chatgpt_account_is_fedramp") is True,
    )
