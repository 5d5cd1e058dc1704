"""Opaque strings bound to the account that made them: encrypted reasoning, compactions, turn states."""

import base64
import hashlib
import hmac

_KEY = b"simulated seals protect nothing"
_LEAD = "gAAAAAB"
_DIGEST_CHARACTERS = 43


def seal(workspace: str, text: str) -> str:
    """Something opaque only this workspace can bring back."""
    payload = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return f"{_LEAD}{_mark(workspace, payload)}{payload}"


def is_sealed_by(workspace: str, sealed: str) -> bool:
    """Whether this workspace created it and it is unchanged."""
    if not sealed.startswith(_LEAD):
        return False
    mark = sealed[len(_LEAD) : len(_LEAD) + _DIGEST_CHARACTERS]
    payload = sealed[len(_LEAD) + _DIGEST_CHARACTERS :]
    return hmac.compare_digest(mark.encode(), _mark(workspace, payload).encode())


def _mark(workspace: str, payload: str) -> str:
    digest = hmac.digest(_KEY, f"{workspace}\n{payload}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
