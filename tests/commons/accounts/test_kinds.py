"""What differs between kinds of accounts."""

import pytest
from support.account_kinds import BADGE, with_badges

from codex_proapi.commons.accounts.kinds import KINDS, is_known, kind_of
from codex_proapi.commons.accounts.model import CHATGPT, Account, Credential
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.runtime.errors import CredentialUnavailable

LOGIN = Account(id="acc_1", name="ada", chatgpt_account_id="ws-1", fedramp=True)
CREDENTIAL = Credential(account_id="acc_1", access_token="at_canary", refresh_token="rt_1")


def test_a_chatgpt_login_is_a_bearer_of_a_workspace_that_is_refreshed_and_can_be_asked() -> None:
    kind = kind_of(LOGIN)

    headers = kind.headers(Identity(), LOGIN, CREDENTIAL)

    assert LOGIN.kind == CREDENTIAL.kind == CHATGPT
    assert headers["authorization"] == "Bearer at_canary"
    assert headers["chatgpt-account-id"] == "ws-1"
    assert headers["x-openai-fedramp"] == "true"
    assert kind.refresh_token(CREDENTIAL) == "rt_1"
    assert (kind.has_quota, kind.has_catalogue) == (True, True)


def test_for_a_kind_of_a_newer_version_nothing_is_sent_or_asked() -> None:
    account = Account(id="acc_1", name="ada", chatgpt_account_id="", kind="bedrock")
    kind = kind_of(account)

    with pytest.raises(CredentialUnavailable, match="acc_1") as caught:
        kind.headers(Identity(), account, CREDENTIAL)

    assert "canary" not in str(caught.value)
    assert kind.refresh_token(CREDENTIAL) == ""
    assert (kind.has_quota, kind.has_catalogue) == (False, False)
    assert not is_known("bedrock")


def test_a_kind_is_one_entry_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    made = with_badges(monkeypatch)
    account = Account(id="acc_1", name="ada", chatgpt_account_id="", kind=BADGE)

    assert kind_of(account) is made is KINDS[BADGE]
    assert is_known(BADGE)
