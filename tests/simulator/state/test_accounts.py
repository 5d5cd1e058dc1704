import base64

import msgspec
from joserfc import jws
from joserfc.jwk import OctKey

from codex_proapi.simulator.state import accounts
from codex_proapi.simulator.state.accounts import (
    AUTH_CLAIM,
    PROFILE_CLAIM,
    SimulatedAccount,
    access_claims,
    default_accounts,
    id_claims,
    read_token,
    sign_token,
)

ADA = SimulatedAccount(name="ada", plan="plus")


def test_the_default_accounts_have_three_plans_and_three_identities() -> None:
    found = default_accounts()

    assert [account.plan for account in found] == ["plus", "pro", "team"]
    assert len({(account.workspace, account.user_id) for account in found}) == 3


def test_one_person_may_have_two_workspaces() -> None:
    home = SimulatedAccount(name="home", email="ada@example.com")
    work = SimulatedAccount(name="work", email="ada@example.com", plan="team")

    assert home.user_id == work.user_id
    assert home.workspace != work.workspace
    assert (home.structure, work.structure) == ("personal", "workspace")


def test_a_token_comes_back_as_its_claims() -> None:
    assert read_token(sign_token({"a": 1})) == {"a": 1}


def test_a_changed_or_foreign_token_is_not_read() -> None:
    head, _payload, signature = sign_token({"a": 1}).split(".")
    other = base64.urlsafe_b64encode(msgspec.json.encode({"a": 2})).decode().rstrip("=")

    assert read_token(f"{head}.{other}.{signature}") is None
    assert read_token("at-123") is None
    assert read_token("") is None


def test_a_token_is_a_real_jws() -> None:
    key = OctKey.import_key(accounts._SIGNING_KEY)

    assert jws.deserialize_compact(sign_token({"a": 1}), key).payload == b'{"a":1}'


def test_an_access_token_says_who_and_until_when() -> None:
    claims = access_claims(ADA, issued_at=100, expires_in=60, token_id="7-x")

    assert (claims["iat"], claims["exp"]) == (100, 160)
    assert claims[AUTH_CLAIM]["chatgpt_account_id"] == ADA.workspace
    assert claims[AUTH_CLAIM]["chatgpt_user_id"] == ADA.user_id
    assert claims[AUTH_CLAIM]["chatgpt_plan_type"] == "plus"
    assert claims[PROFILE_CLAIM]["email"] == "ada@example.com"
    assert claims["sub"] != ADA.workspace


def test_an_id_token_says_the_address_and_ends_within_the_hour() -> None:
    claims = id_claims(ADA, issued_at=100, expires_in=864_000, token_id="7-x")

    assert claims["email"] == "ada@example.com"
    assert claims["exp"] == 3700
    assert claims[AUTH_CLAIM]["organizations"][0]["is_default"] is True


def test_an_access_key_is_stable() -> None:
    assert ADA.access_key == SimulatedAccount(name="ada").access_key
    assert ADA.access_key.startswith("at-")
