"""Sealed under the first key, opened by any, for its own account only."""

import pytest
from cryptography.fernet import Fernet

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import Credential
from codex_proapi.commons.runtime.errors import CredentialUnavailable

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
CREDENTIAL = Credential(
    account_id="acc_1",
    access_token="canary-access",
    refresh_token="canary-refresh",
    id_token="canary-id",
    expires_at=5,
    refreshed_at=4,
    generation=3,
)


def test_a_credential_comes_back_whole() -> None:
    cipher = CredentialCipher([OLD])

    sealed = cipher.seal(CREDENTIAL)

    assert b"canary" not in sealed
    assert cipher.open(sealed, "acc_1") == CREDENTIAL


def test_a_credential_moved_to_another_account_does_not_open() -> None:
    cipher = CredentialCipher([OLD])
    with pytest.raises(CredentialUnavailable, match="not that of acc_2") as caught:
        cipher.open(cipher.seal(CREDENTIAL), "acc_2")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "sealed", [b"", b"gAAAA", b"\xff", CredentialCipher([NEW]).seal(CREDENTIAL)]
)
def test_what_no_key_opens_is_unavailable(sealed: bytes) -> None:
    with pytest.raises(CredentialUnavailable, match="No encryption key opens acc_1"):
        CredentialCipher([OLD]).open(sealed, "acc_1")


def test_what_opens_and_is_no_credential_is_unavailable() -> None:
    cipher = CredentialCipher([OLD])
    with pytest.raises(CredentialUnavailable):
        cipher.open(cipher.seal_bytes(b'{"account_id":7}'), "acc_1")


def test_keys_can_be_rotated() -> None:
    sealed = CredentialCipher([OLD]).seal(CREDENTIAL)
    both = CredentialCipher([NEW, OLD])
    assert both.open(sealed, "acc_1") == CREDENTIAL

    assert CredentialCipher([NEW]).open(both.rotate(sealed), "acc_1") == CREDENTIAL


def test_bytes_are_sealed_too() -> None:
    cipher = CredentialCipher([OLD])
    sealed = cipher.seal_bytes(b"canary")

    assert b"canary" not in sealed
    assert cipher.open_bytes(sealed) == b"canary"
    assert CredentialCipher([NEW]).open_bytes(sealed) is None


def test_digests_differ_by_key_and_purpose_and_tell_nothing() -> None:
    both = CredentialCipher([NEW, OLD])
    first, second = both.digests("api-key", "canary")

    assert first != second
    assert CredentialCipher([OLD]).digests("api-key", "canary") == [second]
    assert both.digests("admin", "canary")[0] != first
    assert "canary" not in first
    assert len(both.digests("api-key", "\ud800")[0]) == 64


def test_nothing_prints_a_secret() -> None:
    assert repr(CredentialCipher([NEW, OLD])) == "<CredentialCipher with 2 keys>"
    assert repr(CREDENTIAL) == "<Credential of acc_1 g3 until 5>"
    assert "canary" not in f"{CREDENTIAL}"


def test_sealing_again_keeps_what_a_newer_version_wrote() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    stored = b'{"account_id":"acc_1","signing_key":"canary","region":"eu"}'
    sealed = CredentialCipher([old]).seal_bytes(stored)

    again = CredentialCipher([new, old]).reseal(sealed, "acc_1")

    assert CredentialCipher([new]).open_bytes(again) == stored
    for cipher, account_id in ((CredentialCipher([new]), "acc_1"), (CredentialCipher([old]), "x")):
        with pytest.raises(CredentialUnavailable) as caught:
            cipher.reseal(sealed, account_id)
        assert "canary" not in str(caught.value)
    no_record = CredentialCipher([old]).seal_bytes(b"canary")
    with pytest.raises(CredentialUnavailable):
        CredentialCipher([old]).reseal(no_record, "acc_1")
