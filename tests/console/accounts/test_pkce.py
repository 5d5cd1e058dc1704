"""Proof keys."""

import base64
import hashlib

from codex_proapi.console.accounts.pkce import make_proof_key, make_state


def test_the_challenge_is_the_digest_of_the_verifier() -> None:
    proof = make_proof_key()

    digest = hashlib.sha256(proof.verifier.encode()).digest()
    assert proof.challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert (len(proof.verifier), len(proof.challenge)) == (86, 43)
    assert proof.verifier not in repr(proof)


def test_no_two_are_alike() -> None:
    assert len({make_proof_key().verifier for _ in range(50)}) == 50
    assert len({make_state() for _ in range(50)}) == 50
    assert len(make_state()) == 43
