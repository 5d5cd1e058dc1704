"""What an account, a credential and a cooldown are."""

from commons.accounts.model import account_id_of, token_digest


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
