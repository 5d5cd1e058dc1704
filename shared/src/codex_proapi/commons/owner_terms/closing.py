"""What the terms of an account's owner forbid at a moment, and until when."""

import enum
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from codex_proapi.commons.owner_terms.terms import FULL, OwnerTerms, ReservedPercent
from codex_proapi.commons.owner_terms.weekly_hours import WeeklyHours

CLOSING_SECONDS: Final = 1.0
"""Seconds before the hours end from which nothing is begun: sending takes time, and clocks differ."""


class Term(enum.StrEnum):
    """The term of an owner by which an account is closed."""

    PAUSED = "paused"
    """The owner has paused it."""
    HOURS = "hours"
    """It is outside the hours."""
    KEYS = "keys"
    """The request's key is not among those that may use it."""
    SHARE = "share"
    """No more of a window is left than stays the owner's."""
    READING = "reading"
    """A share stays the owner's, and no reading of the quota is recent enough to tell."""
    UNREADABLE = "unreadable"
    """This version, or this machine's time zone database, cannot read the terms."""
    UNKNOWN = "unknown"
    """A term that only a newer version knows. Never written; closed like any other."""

    @classmethod
    def _missing_(cls, value: object) -> "Term":
        del value
        return cls.UNKNOWN


WORDS: Final = {
    Term.PAUSED: "paused by its owner",
    Term.HOURS: "outside its owner's hours",
    Term.KEYS: "not offered to this key",
    Term.SHARE: "on its owner's share",
    Term.READING: "without a recent reading of its owner's share",
    Term.UNREADABLE: "on terms that cannot be read here",
    Term.UNKNOWN: "closed by its owner",
}
"""Each term in words, for explanations: `acc_… is …`."""


class Closed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account may not be used for a request."""

    term: Term
    until: float = 0.0
    """When it opens by itself, seconds since the epoch; 0 if it does not, or that is unknown."""


class UsedWindow(NamedTuple):
    """How much of a quota window is used."""

    minutes: int
    """Its length; 0 is unknown."""
    used: float
    """Percent."""
    resets_at: float
    """When it resets, seconds since the epoch; 0 is unknown."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the hours are open, from one change to the next."""

    begin: float
    """The moment this was found for; it holds from then on."""
    until: float
    """When that changes, seconds since the epoch; inf is never."""
    open: bool
    opens_at: float
    """When they open next, if they are closed or when they have closed; inf is never."""

    def closed(self, now: float) -> Closed | None:
        """How they close an account at a moment of this opening."""
        if self.open and now < self.until - CLOSING_SECONDS:
            return None
        until = self.opens_at
        return Closed(term=Term.HOURS, until=until if until < float("inf") else 0.0)


def opening(terms: OwnerTerms, now: float) -> Opening:
    """Whether the hours are open at a moment. Raises ValueError for a zone that is not known here."""
    forever = float("inf")
    if not terms.hours:
        return Opening(begin=now, until=forever, open=True, opens_at=forever)
    hours = WeeklyHours(terms.time_zone, terms.hours)
    is_open, until = hours.is_open(now), hours.next_change(now)
    opens_at = hours.next_change(until) if is_open and until < forever else until
    return Opening(begin=now, until=until, open=is_open, opens_at=opens_at)


def admits(terms: OwnerTerms, *, key_id: str, group: str) -> bool:
    """Whether a key may use the account: one of no group by its id only."""
    if not terms.limits_keys:
        return True
    return key_id in terms.keys or (bool(group) and group in terms.key_groups)


def share_reached(
    reserved: ReservedPercent, windows: Iterable[UsedWindow], now: float
) -> Closed | None:
    """How the owner's share closes an account; None if more is left of each window.

    A window whose reset has passed counts as new: nothing of it is used.
    """
    reached: list[float] = []
    for window in windows:
        kept = reserved.of(window.minutes)
        used = 0.0 if 0 < window.resets_at <= now else window.used
        if kept and FULL - used <= kept:
            reached.append(window.resets_at if window.resets_at > now else 0.0)
    if not reached:
        return None
    # All of them must reset; one that stays below its share, or whose reset is unknown, tells nothing.
    return Closed(term=Term.SHARE, until=max(reached) if all(reached) else 0.0)
