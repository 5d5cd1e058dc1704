from typing import Any

from codex_proapi.simulator.state.accounts import SimulatedAccount, read_token
from codex_proapi.simulator.state.logins import (
    CODE_SECONDS,
    DEVICE_REDIRECT,
    DEVICE_SECONDS,
    Logins,
    challenge_of,
)

ADA = SimulatedAccount(name="ada")
REDIRECT = "http://localhost:1455/auth/callback"
VERIFIER = "v" * 43


def a_code(logins: Any, now: Any = 0.0, **changes: Any) -> Any:
    facts = {"challenge": challenge_of(VERIFIER), "redirect_uri": REDIRECT, **changes}
    return logins.issue_code(ADA, now=now, **facts)


def exchange(
    logins: Any, code: Any, now: Any = 0.0, verifier: Any = VERIFIER, redirect_uri: Any = REDIRECT
) -> Any:
    return logins.exchange(code, verifier=verifier, redirect_uri=redirect_uri, now=now)


def refresh(logins: Logins, token: str, **changes: Any) -> Any:
    return logins.refresh(token, **changes)


def poll(logins: Logins, identity: str, user_code: str, *, now: float) -> Any:
    return logins.poll_device(identity, user_code, now=now)


def test_the_challenge_is_that_of_the_rfc() -> None:
    assert (
        challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_a_code_becomes_tokens_once() -> None:
    logins = Logins()
    code = a_code(logins)

    assert set(exchange(logins, code)) == {
        *("id_token", "access_token", "refresh_token", "token_type", "expires_in", "scope"),
    }
    assert exchange(logins, code).code == "invalid_grant"


def test_a_code_needs_its_verifier_and_address_and_time() -> None:
    logins = Logins()

    assert exchange(logins, a_code(logins), verifier="other").code == "invalid_grant"
    assert exchange(logins, a_code(logins), redirect_uri="x").code == "invalid_grant"
    assert exchange(logins, a_code(logins), now=CODE_SECONDS + 1).code == "invalid_grant"
    assert exchange(logins, "unknown").code == "invalid_grant"


def test_without_offline_access_there_is_no_refresh_token() -> None:
    logins = Logins()

    assert "refresh_token" not in exchange(logins, a_code(logins, scope="openid"))


def test_a_refresh_token_rotates_and_is_used_once() -> None:
    logins = Logins()
    first = logins.issue_tokens(ADA, now=0)["refresh_token"]

    second = refresh(logins, first, now=10)

    assert second["refresh_token"] != first
    assert refresh(logins, first, now=20).code == "refresh_token_reused"
    assert "access_token" in refresh(logins, second["refresh_token"], now=30)


def test_reuse_may_end_the_whole_login() -> None:
    logins = Logins(reuse_revokes=True)
    first = logins.issue_tokens(ADA, now=0)["refresh_token"]
    second = refresh(logins, first, now=10)["refresh_token"]

    refresh(logins, first, now=20)

    assert refresh(logins, second, now=30).code == "refresh_token_invalidated"


def test_a_kept_refresh_token_works_again() -> None:
    logins = Logins()
    token = logins.issue_tokens(ADA, now=0)["refresh_token"]

    refresh(logins, token, now=10, keep=True)

    assert "access_token" in refresh(logins, token, now=20)


def test_no_and_unknown_and_revoked_refresh_tokens_are_told_apart() -> None:
    logins = Logins()
    token = logins.issue_tokens(ADA, now=0)["refresh_token"]
    logins.revoke_account(ADA)

    assert refresh(logins, "", now=0).status == 400
    assert refresh(logins, "rt_unknown", now=0).code == "refresh_token_invalidated"
    assert refresh(logins, token, now=0).code == "refresh_token_invalidated"


def test_a_deactivated_account_gets_no_tokens() -> None:
    account = SimulatedAccount(name="eve", deactivated=True)
    logins = Logins()
    token = logins.issue_tokens(account, now=0)["refresh_token"]

    assert refresh(logins, token, now=0).code == "account_deactivated"


def test_a_token_may_be_born_expired() -> None:
    claims = read_token(Logins().issue_tokens(ADA, now=1000, expires_in=-60)["access_token"])
    assert claims is not None

    assert claims["exp"] == 940
    assert claims["iat"] < claims["exp"]


def test_a_device_login_waits_for_a_person() -> None:
    logins = Logins()
    identity, login = logins.begin_device(now=0)

    assert poll(logins, identity, login.user_code, now=1).code == (
        "deviceauth_authorization_unknown"
    )
    found = logins.device_of(login.user_code.lower())
    assert found is login
    found.approved_by = ADA
    answer = poll(logins, identity, login.user_code, now=2)

    assert answer["code_challenge"] == challenge_of(answer["code_verifier"])
    assert "access_token" in exchange(
        logins,
        answer["authorization_code"],
        verifier=answer["code_verifier"],
        redirect_uri=DEVICE_REDIRECT,
    )


def test_a_device_login_ends_by_denial_and_by_time() -> None:
    logins = Logins()
    identity, login = logins.begin_device(now=0)
    login.denied = True

    assert poll(logins, identity, login.user_code, now=1).code == "access_denied"
    late = poll(logins, identity, login.user_code, now=DEVICE_SECONDS + 1)
    assert late.code == "deviceauth_expired"
    assert poll(logins, identity, "ABCD-00000", now=1).status == 403
