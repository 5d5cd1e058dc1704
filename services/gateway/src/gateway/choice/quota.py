"""What an account's quota windows allow: is there enough left, and is it in a hurry.

An even pace spends a window just as it ends. An account that has spent less has to hurry, or the
rest is lost at its reset; one that has spent more has to be spared, or it is empty before.
"""

import enum
import math
from typing import Final

from gateway.choice.ballot import Standing, Window

FULL: Final = 100.0
MOST_HURRY: Final = 8.0
"""How many turns the account in the greatest hurry gets for one of an account on an even pace."""
LEAST_SECONDS: Final = 60.0
"""A reset that is nearer counts as this near."""


class Plenty(enum.IntEnum):
    """How much an account has left, from best to worst."""

    AMPLE = 0
    """Enough for new conversations."""
    RESERVE = 1
    """Only what is kept for conversations that are there already."""
    SPENT = 2
    """Nothing, as far as we know."""


def plenty(standing: Standing, *, now: float, reserve: float) -> Plenty:
    """How much an account has left in its tightest window.

    The reserve melts with the time to the reset: just before it nothing need be kept.
    """
    found = Plenty.AMPLE
    for window in _running(standing, now):
        left = FULL - window.used
        if left <= 0:
            return Plenty.RESERVE if standing.credits else Plenty.SPENT
        if left < reserve * _rest(window, now):
            found = Plenty.RESERVE
    return found


def hurry(standing: Standing, *, now: float) -> float:
    """How much faster than evenly an account must be spent so that nothing is lost at its reset.

    1 is an even pace or not known. Told by its longest window, the one that takes longest to come
    back; in powers of two, so that turns do not change with each answer.
    """
    known = [w for w in _running(standing, now) if w.resets_at and w.minutes]
    if not known:
        return 1.0
    longest = max(known, key=lambda window: window.minutes)
    pace = (FULL - longest.used) / FULL / _rest(longest, now)
    bounded = min(max(pace, 1 / MOST_HURRY), MOST_HURRY)
    return float(2.0 ** round(math.log2(bounded)))


def fullest(standing: Standing, *, now: float) -> float:
    """Percent used of the tightest window; 0 where nothing is known."""
    return max((window.used for window in _running(standing, now)), default=0.0)


def ends(standing: Standing, *, now: float) -> float:
    """When the longest window begins anew: what is left of it then is lost; inf is unknown."""
    known = [(w.minutes, w.resets_at) for w in _running(standing, now) if w.resets_at]
    return max(known)[1] if known else math.inf


def _running(standing: Standing, now: float) -> tuple[Window, ...]:
    """Windows whose figures still hold: what has begun anew since is not known."""
    return tuple(w for w in standing.windows if not 0 < w.resets_at <= now)


def _rest(window: Window, now: float) -> float:
    """The part of a window that is still to come, 0 to 1; 1 where it is not known."""
    if not window.resets_at or not window.minutes:
        return 1.0
    return min(1.0, max(window.resets_at - now, LEAST_SECONDS) / (window.minutes * 60))
