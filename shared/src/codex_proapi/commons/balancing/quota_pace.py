"""How much of an account's quota is left, and how fast to use it so that none lapses.

An even pace has used up a window a little before its reset. An account used less than that should
get more of the requests, or the rest of its quota lapses; one used more should get fewer, or it
runs out before the reset.
"""

import enum
import math
from collections.abc import Iterable
from typing import Final

from codex_proapi.commons.balancing.candidates import Candidate, Window

FULL: Final = 100.0
EVEN: Final = 1.0
"""The hurry of an even pace."""
EARLY: Final = 1 / 7
"""An even pace has spent the longest window by this part of it before its reset: a day of a week.

Demand has nights and weekends, and a conversation cannot be sent for: who waits for the last hour
loses the rest.
"""
MOST_HURRY: Final = 8.0
"""More hurry makes no difference, nor does its inverse."""
HALF_HURRY: Final = 1 / 16
"""Turns at half the greatest hurry for one at the greatest."""
STRAINED: Final = 0.5
"""Pace left to a shorter window from which it is in danger of being spent before its time."""
LEAST_SECONDS: Final = 60.0
"""A reset that is nearer counts as this near."""
LEAST_REST: Final = 0.001


class Plenty(enum.IntEnum):
    """How much an account has left, best first."""

    AMPLE = 0
    """Enough for new conversations."""
    RESERVE = 1
    """Only what is kept for conversations that are there already."""
    SPENT = 2
    """Nothing, as far as we know."""


def plenty(candidate: Candidate, *, now: float, reserve: float) -> Plenty:
    """How much an account has left in its tightest window.

    Args:
        candidate: The account.
        now: Seconds since the epoch.
        reserve: Percent of a window kept for existing conversations; shrinks to 0 until its reset.
    """
    found = Plenty.AMPLE
    for window in candidate.windows:  # called for every account and request: no allocation
        left = FULL - window.used - window.kept
        if (left > 0 and left >= reserve) or 0 < window.resets_at <= now:
            continue
        if left <= 0:
            return Plenty.RESERVE if candidate.credits else Plenty.SPENT
        if left < reserve * _rest(window, now):
            found = Plenty.RESERVE
    return found


def hurry(candidate: Candidate, *, now: float) -> float | None:
    """How many times faster than evenly an account must be used so that nothing lapses.

    None is unknown. Taken from its longest window and rounded to powers of two, so that small
    differences do not count.
    """
    longest = None
    for window in candidate.windows:
        if (
            window.minutes
            and window.resets_at > now
            and (longest is None or window.minutes >= longest.minutes)
        ):
            longest = window
    if longest is None:
        return None
    pace = _pace(longest, now, early=EARLY)
    bounded = min(max(pace, 1 / MOST_HURRY), MOST_HURRY)
    return float(2.0 ** round(math.log2(bounded)))


def middle(hurries: Iterable[float]) -> float:
    """The median hurry, the greater of two: assumed for an account whose own is unknown."""
    ranked = sorted(hurries)
    return ranked[len(ranked) // 2] if ranked else EVEN


def share(found: float, most: float) -> float:
    """The account's turns for one turn of the account with the greatest hurry.

    Few for half that hurry and none for less: that quota can wait.
    """
    return {1.0: 1.0, 0.5: HALF_HURRY}.get(min(1.0, found / most), 0.0)


def strained(candidate: Candidate, *, now: float) -> bool:
    """Whether a window shorter than the longest is used twice as fast as it comes back."""
    return any(_pace(window, now) < STRAINED for window in _dated(candidate, now)[:-1])


def known(candidate: Candidate, *, now: float) -> bool:
    """Whether anything is known of its windows."""
    return bool(_running(candidate, now))


def fullest(candidate: Candidate, *, now: float) -> float:
    """Percent of the tightest window that is used, or its owner's; 0 where nothing is known."""
    most = 0.0
    for window in candidate.windows:  # of every account for every request, as in `plenty`
        used = window.used + window.kept
        if used > most and not 0 < window.resets_at <= now:
            most = used
    return most


def ends(candidate: Candidate, *, now: float) -> float:
    """When the longest window resets, seconds since the epoch; inf is unknown."""
    dated = [(w.minutes, w.resets_at) for w in _running(candidate, now) if w.resets_at]
    return max(dated)[1] if dated else math.inf


def _running(candidate: Candidate, now: float) -> tuple[Window, ...]:
    """Windows that have not reset since they were seen."""
    return tuple(w for w in candidate.windows if not 0 < w.resets_at <= now)


def _dated(candidate: Candidate, now: float) -> list[Window]:
    """Windows of known length and end, from the shortest to the longest."""
    found = [w for w in _running(candidate, now) if w.resets_at and w.minutes]
    return sorted(found, key=lambda window: window.minutes)


def _pace(window: Window, now: float, *, early: float = 0.0) -> float:
    """How much faster than evenly a window must be spent to be empty `early` before its reset."""
    rest = max((_rest(window, now) - early) / (1 - early), LEAST_REST)
    return (FULL - window.used - window.kept) / FULL / rest


def _rest(window: Window, now: float) -> float:
    """The part of a window that is still to come, 0 to 1; 1 where it is not known."""
    if not window.resets_at or not window.minutes:
        return 1.0
    return min(1.0, max(window.resets_at - now, LEAST_SECONDS) / (window.minutes * 60))
