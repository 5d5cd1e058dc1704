"""Claims name an account; they are never trusted, and never taken from the wrong place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.logins import a_jwt

from codex_proapi.commons.codex.claims import (
    AUTH_CLAIM,
    PROFILE_CLAIM,
    UnverifiedClaims,
    claims_of,
    claims_of_login,
)


def test_every_claim_is_read_from_its_place() -> None:
    token = a_jwt(
        email="ada@example.com",
        exp=1_795_000_000,
        iat=1_794_000_000,
        sub="auth0|canary",
        **{
            AUTH_CLAIM: {
                "chatgpt_account_id": "ws-1",
                "chatgpt_user_id": "user-1",
                "chatgpt_plan_type": "pro",
                "chatgpt_account_is_fedramp": True,
                "organizations": [{"id": "org-1"}],
            }
        },
    )

    assert claims_of(token) == UnverifiedClaims(
        email="ada@example.com",
        chatgpt_account_id="ws-1",
        chatgpt_user_id="user-1",
        plan="pro",
        fedramp=True,
        expires_at=1_795_000_000,
        issued_at=1_794_000_000,
    )


def test_the_profile_has_the_address_when_the_top_has_none() -> None:
    claims = claims_of(a_jwt(**{PROFILE_CLAIM: {"email": "ada@example.com"}}))

    assert claims == UnverifiedClaims(email="ada@example.com")


def test_user_id_stands_in_for_chatgpt_user_id() -> None:
    claims = claims_of(a_jwt(**{AUTH_CLAIM: {"user_id": "user-1"}}))

    assert claims == UnverifiedClaims(chatgpt_user_id="user-1")


def test_the_subject_is_never_the_account() -> None:
    assert claims_of(a_jwt(sub="ws-1")) == UnverifiedClaims()


@pytest.mark.parametrize(
    "claims",
    [
        {"email": 7, "exp": "soon", "iat": True, AUTH_CLAIM: [], PROFILE_CLAIM: None},
        {"exp": -1, AUTH_CLAIM: {"chatgpt_account_id": None, "chatgpt_plan_type": 3}},
        {"exp": 1e300, AUTH_CLAIM: {"chatgpt_account_is_fedramp": "yes"}},
    ],
)
def test_claims_of_another_type_count_as_missing(claims: dict[str, Any]) -> None:
    assert claims_of(a_jwt(**claims)) == UnverifiedClaims()


@pytest.mark.parametrize(
    "token", ["", "at-abc", "a.b", "a.b.c", "eyJhbGciOiJub25lIn0.W10.", "….….…"]
)
def test_what_is_no_token_has_no_claims(token: str) -> None:
    assert claims_of(token) is None


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,20}\.[A-Za-z0-9_-]{0,9}"))
def test_no_text_breaks_the_reading(token: str) -> None:
    assert claims_of(token) is None or claims_of(token) == UnverifiedClaims()


def test_a_login_speaks_by_its_id_token_first_and_ends_with_its_access_token() -> None:
    id_token = a_jwt(email="ada@example.com", exp=1, **{AUTH_CLAIM: {"chatgpt_plan_type": "pro"}})
    access_token = a_jwt(
        email="other@example.com",
        exp=2,
        iat=1,
        **{AUTH_CLAIM: {"chatgpt_plan_type": "plus", "chatgpt_account_id": "ws-1"}},
    )

    assert claims_of_login(id_token, access_token) == UnverifiedClaims(
        email="ada@example.com", chatgpt_account_id="ws-1", plan="pro", expires_at=2, issued_at=1
    )
    assert claims_of_login("", "opaque") == UnverifiedClaims()
