"""What was recorded of the last weeks, as a what-if question is worked out from it. Pure."""

from typing import Final

import msgspec

from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.console.what_if.replay.week_replay import RESERVE

CACHED_COST: Final = 0.1
"""Units of a cached input token."""
OUTPUT_COST: Final = 8.0
"""Units of an output token. Upstream does not tell how it weighs tokens; both are assumptions."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sums of tokens."""

    input: int = 0
    cached: int = 0
    output: int = 0

    @property
    def units(self) -> float:
        """What they take from a quota window, in uncached input tokens."""
        return self.input - self.cached + self.cached * CACHED_COST + self.output * OUTPUT_COST


class Hour(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hour of the whole pool."""

    at: int
    """Its begin, seconds since the epoch."""
    requests: int
    refused: int = 0
    """Of these, refused or broken; their tokens are in none of the sums."""
    tokens: Tokens = Tokens()


class RecordedWindow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A quota window of an account as it was seen last."""

    minutes: int
    used: float
    """Percent."""
    resets_at: float = 0.0
    """Seconds since the epoch; 0 is unknown."""
    spent: Tokens = Tokens()
    """What was counted on the account since the window began."""


class RecordedAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account that serves now, or will again by itself."""

    id: str
    plan: str = ""
    weight: float = 1.0
    windows: tuple[RecordedWindow, ...] = ()
    """The general ones, from the shortest to the longest."""
    reserved: tuple[float, float] = (0.0, 0.0)
    """Percent of the short and of the long window that stay the owner's."""


class Records(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of the last weeks."""

    now: float
    """Seconds since the epoch."""
    since: float
    """When they begin: the first hour that may have figures."""
    hours: tuple[Hour, ...] = ()
    """Those in which something was asked for the general windows, in their order."""
    left_out: float = 0.0
    """Percent of the requests that went to models with windows of their own."""
    people: int = 0
    """API keys that asked for something in these weeks."""
    accounts: tuple[RecordedAccount, ...] = ()
    routing: Routing = Routing.AFFINITY
    reserve: float = RESERVE
    has_hours: bool = False
    """Whether some owner's hours limit when an account may be used."""
    account_streams: int = 0
    """Answers one account gives at a time; 0 is no limit."""
