"""What an account, a credential and a cooldown are."""

import pytest

from codex_proapi.commons.accounts.model import Account, AccountState, account_id_of, token_digest


def test_an_account_is_known_by_its_workspace_and_its_user() -> None:
    first = account_id_of("ws-1", "user-1")

    assert first == account_id_of("ws-1", "user-1")
    assert first.startswith("acc_")
    assert len(first) == 16
    assert len({first, account_id_of("ws-2", "user-1"), account_id_of("ws-1", "user-2")}) == 3
    assert account_id_of("ws-1u", "ser-1") != account_id_of("ws-1", "user-1")


def test_a_refresh_token_is_named_without_being_told() -> None:
    assert token_digest("rt_canary") == token_digest("rt_canary")
    assert "canary" not in token_digest("rt_canary")
    assert token_digest("") == ""


@pytest.mark.parametrize(
    ("state", "ends_in", "works"),
    [
        (AccountState.ACTIVE, -5, True),
        (AccountState.REVOKED, 5, True),
        (AccountState.REVOKED, 0, False),
        (AccountState.DEACTIVATED, 5, False),
    ],
)
def test_a_revoked_login_works_until_its_token_ends(
    state: AccountState, ends_in: int, works: bool
) -> None:
    account = Account(
        id="acc_1", name="ada", chatgpt_account_id="w", state=state, token_expires_at=1000 + ends_in
    )

    assert account.works(1000) is works
