"""The limits of an API key: requests, tokens and concurrency."""

import enum

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of a key; 0 is no limit."""

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


class Limit(enum.StrEnum):
    """The limit that refused a request, by its name in `Limits`."""

    NONE = ""
    RPM = "rpm"
    TPM = "tpm"
    CONCURRENT = "concurrent"
    PENDING = "pending"
    """What is under way may use up what is left of a budget."""
    FAIR_SHARE = "fair_share"
    """The key has had its share of a scarce pool: see `codex_proapi.commons.api_keys.fair_shares`."""
    DAY = "tokens_day"
    WEEK = "tokens_week"
    MONTH = "tokens_month"
