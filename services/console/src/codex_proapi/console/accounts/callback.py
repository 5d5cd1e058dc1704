"""Parses the authorization server's callback: a code and state, or a refusal.

Pure: from the query of `/auth/callback`, or from that address pasted by a person.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

import msgspec

from codex_proapi.console.errors import BadRequest, Code, LoginRefused

MOST_CHARACTERS = 8192
"""Characters of the longest callback address accepted."""

REFUSALS: dict[str, Code] = {
    "access_denied": Code.ACCESS_DENIED,
    "missing_codex_entitlement": Code.MISSING_ENTITLEMENT,
    "authorize_hydra_invalid_request": Code.REDIRECT_REFUSED,
    "invalid_redirect_uri": Code.REDIRECT_REFUSED,
    "redirect_uri_mismatch": Code.REDIRECT_REFUSED,
}
"""Words in `error` or `error_description` to our code."""


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """One callback of the authorization server. Its repr hides the code."""

    code: str
    state: str
    refusal: Code | None = None
    """Why there is no code."""

    def __repr__(self) -> str:
        return f"<Callback {'refused' if self.refusal else 'with a code'}>"


def callback_of(query: Mapping[str, str]) -> Callback:
    """Parse a query; LoginRefused if it has neither a code nor a refusal."""
    state, code = query.get("state", ""), query.get("code", "")
    error = query.get("error", "")
    if error:
        words = f"{error} {query.get('error_description', '')}"
        return Callback(code="", state=state, refusal=refusal_of(words))
    if not code or not state:
        raise LoginRefused(Code.NOT_A_CALLBACK)
    return Callback(code=code, state=state)


def pasted_callback(text: str) -> Callback:
    """Parse pasted text: the whole address, its query, or text around it."""
    text = text.strip().strip("<>\"'")
    if not text or len(text) > MOST_CHARACTERS:
        raise BadRequest(Code.NOT_A_CALLBACK, param="url")
    try:
        # Without a scheme browsers show and people copy "localhost:1455/auth/callback?…".
        query = urlsplit(text).query if "?" in text else text
        return callback_of(dict(parse_qsl(query.partition("#")[0], max_num_fields=20)))
    except (LoginRefused, ValueError):
        raise BadRequest(Code.NOT_A_CALLBACK, param="url") from None


def refusal_of(words: str) -> Code:
    """The Code for the authorization server's error texts; the most specific one counts."""
    for word in ("missing_codex_entitlement", "authorize_hydra_invalid_request"):
        if word in words:
            return REFUSALS[word]
    return next((code for word, code in REFUSALS.items() if word in words), Code.LOGIN_REFUSED)
