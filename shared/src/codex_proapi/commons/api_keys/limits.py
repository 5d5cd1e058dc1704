"""The limits of an API key: requests, tokens, money and concurrency."""

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
    micro_usd_day: int = 0
    """Cost a day at list prices, in millionths of a US dollar."""
    micro_usd_week: int = 0
    """The same in seven days."""
    micro_usd_month: int = 0
    """The same a calendar month."""

    @property
    def budgeted(self) -> bool:
        """Whether the key has a budget of some length, in tokens or in money."""
        return bool(self.tokens_day or self.tokens_week or self.tokens_month) or self.priced

    @property
    def priced(self) -> bool:
        """Whether the key has a budget in money."""
        return bool(self.micro_usd_day or self.micro_usd_week or self.micro_usd_month)

    def sizes(self, unit: "Unit") -> tuple[int, int, int]:
        """The budgets of a day, of seven days and of a month; 0 is none."""
        if unit is Unit.TOKENS:
            return self.tokens_day, self.tokens_week, self.tokens_month
        return self.micro_usd_day, self.micro_usd_week, self.micro_usd_month


class Unit(enum.StrEnum):
    """What a budget is counted in."""

    TOKENS = "tokens"
    MICRO_USD = "micro_usd"
    """Millionths of a US dollar, at list prices."""


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
    DAY_COST = "micro_usd_day"
    WEEK_COST = "micro_usd_week"
    MONTH_COST = "micro_usd_month"
