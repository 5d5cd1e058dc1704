"""Headers of accounts, encoded once for each credential."""

import pytest
from support.account_kinds import BADGE, with_badges

from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.runtime.errors import CredentialUnavailable
from codex_proapi.gateway.formats.codex import login_headers
from codex_proapi.gateway.formats.codex.login_headers import LoginHeaders

IDENTITY = Identity(version="0.169.0", product_version="1.2")
ACCOUNT = Account(id="acc_1", name="n", chatgpt_account_id="workspace")
CREDENTIAL = Credential(account_id="acc_1", access_token="secret")


def test_as_they_stand_in_a_head_by_the_order_of_the_cli() -> None:
    headers = LoginHeaders(IDENTITY).of(ACCOUNT, CREDENTIAL)

    assert headers.lines == (
        b"authorization: Bearer secret\r\n"
        b"originator: codex_cli_rs\r\n"
        b"user-agent: codex_cli_rs/0.169.0 (Debian 12.0.0; x86_64) xterm (codex-proapi; 1.2)\r\n"
        b"version: 0.169.0\r\n"
        b"chatgpt-account-id: workspace\r\n"
    )
    assert "secret" not in repr(headers)


def test_made_once_until_the_record_or_the_credential_changes() -> None:
    logins = LoginHeaders(IDENTITY)
    first = logins.of(ACCOUNT, CREDENTIAL)

    assert logins.of(ACCOUNT, CREDENTIAL) is first

    renewed = Credential(account_id="acc_1", access_token="renewed", generation=1)
    assert logins.of(ACCOUNT, renewed).fields["authorization"] == "Bearer renewed"

    moved = Account(id="acc_1", name="n", chatgpt_account_id="other", fedramp=True)
    assert logins.of(moved, renewed).fields["chatgpt-account-id"] == "other"
    assert logins.of(moved, renewed).lines.endswith(b"x-openai-fedramp: true\r\n")
    assert logins.of(ACCOUNT, CREDENTIAL) == first


def test_accounts_do_not_share_them() -> None:
    logins = LoginHeaders(IDENTITY)
    other = Account(id="acc_2", name="n", chatgpt_account_id="theirs")

    logins.of(ACCOUNT, CREDENTIAL)
    theirs = logins.of(other, Credential(account_id="acc_2", access_token="their secret"))

    assert theirs.fields["authorization"] == "Bearer their secret"
    assert theirs.fields["chatgpt-account-id"] == "theirs"


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_headers, "MOST_LOGINS", 3)
    logins = LoginHeaders(IDENTITY)

    for number in range(10):
        account = Account(id=f"acc_{number}", name="n", chatgpt_account_id="w")
        logins.of(account, CREDENTIAL)

    assert repr(logins) == "<LoginHeaders of 1 accounts>"


def test_a_line_break_is_none_of_a_header() -> None:
    for odd in ("a\nb", "a\rb", "a\r\nb: c"):
        account = Account(id="acc_1", name="n", chatgpt_account_id=odd)
        with pytest.raises(ValueError, match="line break"):
            LoginHeaders(IDENTITY).of(account, CREDENTIAL)


def test_the_kind_says_how_it_authenticates(monkeypatch: pytest.MonkeyPatch) -> None:
    with_badges(monkeypatch)
    badge = Account(id="acc_1", name="n", chatgpt_account_id="w", kind=BADGE)
    unknown = Account(id="acc_1", name="n", chatgpt_account_id="w", kind="of tomorrow")

    assert LoginHeaders(IDENTITY).of(badge, CREDENTIAL).fields["x-badge"] == "n secret 0.169.0"
    with pytest.raises(CredentialUnavailable):
        LoginHeaders(IDENTITY).of(unknown, CREDENTIAL)
