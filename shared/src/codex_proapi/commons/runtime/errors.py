"""Error classes shared by gateway, console and tools.

CommonsError                     cannot be raised itself
├── CredentialUnavailable        no usable access token for now; another try may succeed
│   ├── CredentialLocked         sealed under an encryption key this process does not have
│   └── CredentialRevoked        the login is refused for good: only signing in again helps
├── OwnedByOther                 an account belongs to another owner than the one who signed it in
├── StoreUnavailable             Redis did not answer
└── SettingsError                the environment is wrong; lists every fault
    └── StoreRefused             it does not fit what is stored in Redis
"""


class CommonsError(Exception):
    """Root of the tree; never raised itself."""


class CredentialUnavailable(CommonsError):
    """An account has no usable access token for now."""


class CredentialLocked(CredentialUnavailable):
    """A stored credential cannot be decrypted with any encryption key of this process."""


class CredentialUnreachable(CredentialUnavailable):
    """This process cannot connect to the authorization server; others may."""


class CredentialRevoked(CredentialUnavailable):
    """The authorization server refuses the login for good: sign in again."""


class OwnedByOther(CommonsError):
    """An account belongs to another owner, or the one who signed it in is an owner no more."""


class StoreUnavailable(CommonsError):
    """Redis did not answer in time or refused the command."""


class SettingsError(CommonsError):
    """The environment is wrong. `faults` has one sentence for each fault."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class StoreRefused(SettingsError):
    """This process must not run on what is stored in Redis; one sentence says what to do."""
