"""The three set-up steps to the first answer, completed automatically. Pure."""

import msgspec


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """Which steps are done."""

    accounts: bool
    """Whether there is an account."""
    keys: bool
    """Whether a key is made."""
    answered: bool
    """Whether a client ever got an answer."""

    @property
    def done(self) -> bool:
        """Whether all is done, so that it need not be shown."""
        return self.accounts and self.keys and self.answered

    @property
    def next(self) -> str:
        """The first step that is open."""
        for name in ("accounts", "keys"):
            if not getattr(self, name):
                return name
        return "connect"
