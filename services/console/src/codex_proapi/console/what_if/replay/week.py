"""A synthetic week: accounts, conversations and troubles, as values that JSON can hold.

A week says what is asked and what there is, never who serves it: every strategy replays the same.
Quota is counted in units of one uncached input token; times are seconds from the week's start.
"""

import msgspec

HOUR = 3600.0
DAY = 24 * HOUR
FIVE_HOURS = 300
"""Minutes of the short window."""
WEEKLY = 10_080
"""Minutes of the long one."""


class Limit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One window of an account. It begins with the first use and ends its length later."""

    minutes: int
    capacity: float
    """Units it holds."""
    used: float = 0.0
    """Percent used at the start."""
    ends: float = 0.0
    """When it ends; 0 is not begun yet."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A time in which an account refuses for another reason than its quota."""

    begins: float
    ends: float
    cools: float = 30.0
    """Seconds that upstream asks us to wait."""


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account as upstream keeps it."""

    id: str
    limits: tuple[Limit, ...]
    """Its general windows, from the shortest to the longest."""
    families: dict[str, tuple[Limit, ...]] = {}
    """Windows of models that have their own, by model."""
    reports_quota: bool = True
    """Whether upstream tells how much of its windows is used."""
    credits: float = 0.0
    """Bought units that go on where its windows are spent."""
    weight: float = 1.0
    """Its owner's wish."""
    troubles: tuple[Trouble, ...] = ()


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """One request of a conversation."""

    at: float
    """Seconds from the start of the week."""
    input: int
    """Tokens of the whole conversation so far: a client sends it all, each time."""
    output: int


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What one client has to say; its requests come when they come, answered or not."""

    model: str
    turns: tuple[Turn, ...]


class Week(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is replayed."""

    name: str
    seconds: float
    """How long it is replayed."""
    counted_from: float = 0.0
    """What comes before only warms up: a strategy is to be judged by a start of its own making."""
    members: tuple[Member, ...]
    conversations: tuple[Conversation, ...]
    replicas: int = 2
    """Gateways; requests go to them in turn."""
    told_own: float = 5.0
    """Rounds in which a gateway takes in what answers told it of quota, in seconds."""
    told_others: float = 30.0
    """Rounds in which it takes in what answers told the others."""
    cache_seconds: float = 1800.0
    """How long upstream keeps a conversation's prompt cache after its last request."""
    cached_cost: float = 0.1
    """Units of a cached input token."""
    output_cost: float = 8.0
    """Units of an output token."""


def cost(week: Week, turn: Turn, cached: int) -> float:
    """Units one answer takes from its account's windows."""
    return turn.input - cached + cached * week.cached_cost + turn.output * week.output_cost
