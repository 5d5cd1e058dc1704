"""The limits of a key: how much of the pool its owner may spend."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key may spend; 0 is no limit."""

    rpm: int = 0
    """Requests a minute."""
    tpm: int = 0
    """Tokens a minute."""
    concurrent: int = 0
    """Requests at the same time."""
    tokens_day: int = 0
    """Tokens a day (UTC)."""
    tokens_week: int = 0
    """Tokens in seven days."""
    tokens_month: int = 0
    """Tokens a calendar month (UTC)."""

    @property
    def budgeted(self) -> bool:
        """Whether the key has a token budget of some length."""
        return bool(self.tokens_day or self.tokens_week or self.tokens_month)
