"""Input and result of account selection: frozen values that can be logged and replayed.

A `SelectionInput` holds every fact that `select` reads, so a selection can be repeated from a log
line (where it is called a ballot).
"""

import enum

import msgspec

from codex_proapi.commons.accounts.model import Cooldown
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.owner_terms.closing import Closed, Term


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A quota window that applies to the requested model, as last seen."""

    minutes: int
    """Its length; 0 is unknown."""
    used: float
    """Percent used."""
    resets_at: float = 0.0
    """When it resets, seconds since the epoch; 0 is unknown."""
    kept: float = 0.0
    """Percent that stays its owner's."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One account that may serve the model."""

    id: str
    weight: float = 1.0
    """The operator's weight: its share of new conversations."""
    cooldown: Cooldown | None = None
    """Its cooldown or the requested model's, whichever ends later."""
    windows: tuple[Window, ...] = ()
    """From the shortest to the longest; empty is unknown."""
    credits: bool = False
    """Whether bought credits go on where its windows end."""
    full: bool = False
    """No concurrency slot is free for this request, or others are queued for the next one."""
    closed: Closed | None = None
    """How its owner's terms close it for this request."""
    tried: bool = False
    """It was tried in this exchange already, and cannot be selected again."""


class SelectionInput(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"candidates": "standings"},
):
    """Everything one selection is made from."""

    now: float
    """Redis' clock when the candidates were ranked, seconds since the epoch."""
    routing: Routing = Routing.AFFINITY
    cursor: int | None = None
    """This request's round-robin position; None when the snapshot showed that its own account is free.

    Where candidates are left out, a position at which those that are there give the same account.
    """
    affine: str | None = None
    """The conversation's own account."""
    reserve: float = 0.0
    """Percent of each window that is kept for conversations which are there already."""
    candidates: tuple[Candidate, ...] = ()
    others: int = 0
    """Candidates left out of a log line; those that are in it suffice to select the same account."""


class Reason(enum.StrEnum):
    """Which rule decided; the console shows it in both languages."""

    AFFINITY = "affinity"
    """The conversation's own account, whose prompt cache is warm."""
    TURN = "round robin"
    """It was next in turn."""
    LEAST_USED = "least used"
    """It has most of its quota left."""
    SOONEST_RESET = "soonest reset"
    """Its quota resets first: what is unused then is lost."""
    LAST = "last account left, despite faults"
    """All accounts are cooling, and its faults are transient."""
    RENEWED = "renewed credential"
    """The same account again, with another token."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """The selected account and the reason."""

    account_id: str
    basis: Reason
    why: str = ""
    """In words, with the figures, for the log."""


class NoCandidateCause(enum.StrEnum):
    """Why no account can be selected."""

    EMPTY = "empty"
    """No account serves this at all."""
    BUSY = "busy"
    """Every account that could serve has no free concurrency slot."""
    COOLING = "cooling"
    """A cooldown ends within a minute."""
    SPENT = "spent"
    """Quota is spent for longer."""
    UNENTITLED = "unentitled"
    """Every account was refused Codex, or the model, by its plan."""
    CLOSED = "closed"
    """The terms of the accounts' owners allow none for this request now."""
    FORBIDDEN = "forbidden"
    """Every account was refused for a while for a reason that the backend did not name."""
    RENEWING = "renewing"
    """The logins of all accounts that could serve are being renewed."""
    REFUSED = "refused"
    """The logins of all accounts that could serve are refused for now."""


class NoCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """No account can be selected, why, and until when."""

    cause: NoCandidateCause
    until: float = 0.0
    """When the first account is back, seconds since the epoch; 0 is unknown."""
    accounts: tuple[str, ...] = ()
    """Accounts that could be selected if they had a free slot."""
    terms: tuple[Term, ...] = ()
    """The terms that close accounts, where that is the cause."""
