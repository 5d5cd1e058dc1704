"""Proof key for code exchange (RFC 7636), S256 only."""

import secrets
from typing import NamedTuple, cast

from authlib.oauth2.rfc7636 import (  # type: ignore[import-untyped]  # no stubs
    create_s256_code_challenge,
)


class ProofKey(NamedTuple):
    """The verifier, kept until the exchange, and the challenge, sent to the authorization server."""

    verifier: str
    challenge: str

    def __repr__(self) -> str:
        return "<ProofKey>"


def make_proof_key() -> ProofKey:
    """A verifier of 64 random bytes, as the Codex CLI makes it, and its challenge."""
    verifier = secrets.token_urlsafe(64)
    return ProofKey(verifier, cast("str", create_s256_code_challenge(verifier)))


def make_state() -> str:
    """32 random bytes."""
    return secrets.token_urlsafe(32)
