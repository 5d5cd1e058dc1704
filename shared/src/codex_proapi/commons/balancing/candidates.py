"""All that a choice is made from, and what comes of it: values, frozen and printable.

A ballot holds every fact that `choose` looks at, so a choice can be made again from a log line.
"""

import enum

import msgspec

from codex_proapi.commons.accounts.model import Cooldown
from codex_proapi.commons.balancing.strategy import Routing


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A quota window that holds for the asked model, as it was last seen."""

    minutes: int
    """Its length; 0 is unknown."""
    used: float
    """Percent used."""
    resets_at: float = 0.0
    """When it begins anew, seconds since the epoch; 0 is unknown."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One account as the choice sees it: may serve the model, has not been tried yet."""

    id: str
    weight: float = 1.0
    """Its owner's wish: its share of new conversations."""
    cooldown: Cooldown | None = None
    """Its own or the asked model's, whichever ends later."""
    half_open: bool = False
    """Its breaker was open and no answer has come since."""
    windows: tuple[Window, ...] = ()
    """From the shortest to the longest; empty is unknown."""
    credits: bool = False
    """Whether bought credits go on where its windows end."""
    full: bool = False
    """It gives as many answers at a time as it may, or others wait for its next slot."""


class SelectionInput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"candidates": "standings"},
):
    """All that one choice is made from."""

    now: float
    """Redis' clock, seconds since the epoch."""
    routing: Routing = Routing.AFFINITY
    cursor: int | None = None
    """Our turn; None when the survey saw that the conversation's own account is free."""
    affine: str | None = None
    """The conversation's own account."""
    reserve: float = 0.0
    """Percent of each window that is kept for conversations which are there already."""
    candidates: tuple[Candidate, ...] = ()


class Reason(enum.StrEnum):
    """What decided, in a word; the console has it in both languages."""

    AFFINITY = "affinity"
    """The conversation was there before: its prompt cache is warm."""
    TURN = "round robin"
    """It was next in turn."""
    LEAST_USED = "least used"
    """It has most of its quota left."""
    SOONEST_RESET = "soonest reset"
    """Its quota begins anew first: what is not used until then is lost."""
    LAST = "last account left, despite faults"
    """Everybody is out, and its faults may pass."""
    RENEWED = "renewed credential"
    """The same account again, with another token."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The account to ask, and why."""

    account_id: str
    basis: Reason
    why: str = ""
    """In words, with the figures, for the log."""
    probe: bool = False
    """Its breaker is half open: one request at a time may try it."""


class NoCandidateCause(enum.StrEnum):
    """Why nobody can be asked."""

    EMPTY = "empty"
    """No account serves this at all."""
    BUSY = "busy"
    """Everybody who could serve gives as many answers as it may."""
    COOLING = "cooling"
    """Somebody can be asked again within a minute."""
    SPENT = "spent"
    """Quota is spent for longer."""
    UNENTITLED = "unentitled"
    """Every account was refused Codex, or the model, by its plan."""
    FORBIDDEN = "forbidden"
    """Every account was refused for a while for a reason that the backend did not name."""
    RENEWING = "renewing"
    """The logins of everybody who could serve are being renewed."""
    REFUSED = "refused"
    """The login of everybody who could serve is refused for now."""


class NoCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody can be asked, and until when."""

    cause: NoCandidateCause
    until: float = 0.0
    """When the first account is back, seconds since the epoch; 0 is unknown."""
    accounts: tuple[str, ...] = ()
    """Who could be asked if only it had a slot free."""
