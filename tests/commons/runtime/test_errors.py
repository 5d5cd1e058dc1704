"""Errors are named for what happened."""

from codex_proapi.commons.runtime.errors import (
    CommonsError,
    CredentialRevoked,
    CredentialUnavailable,
    SettingsError,
    StoreUnavailable,
)


def test_whoever_can_live_without_a_credential_can_live_with_a_revoked_one() -> None:
    assert issubclass(CredentialRevoked, CredentialUnavailable)
    assert all(
        issubclass(each, CommonsError)
        for each in (CredentialUnavailable, SettingsError, StoreUnavailable)
    )


def test_wrong_settings_are_told_line_by_line() -> None:
    error = SettingsError(["PORT: no.", "HOST: no."])

    assert error.faults == ["PORT: no.", "HOST: no."]
    assert str(error) == "PORT: no.\nHOST: no."
