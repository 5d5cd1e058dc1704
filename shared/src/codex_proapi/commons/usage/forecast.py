"""Forecasts when quota windows run out, for one account and for the pool. Pure.

The pace of a window comes from its trail of recent readings, else from its mean since it began;
where neither is long enough the pace is unknown and nothing is forecast.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.accounts.quota_store import SeenWindow

HOUR: Final = 3600.0
WHOLE: Final = 100.0
LEAST_TRAIL: Final = 0.25
"""Part of the recent time that a trail must cover: percents are whole, and one is much in minutes."""
LEAST_ELAPSED: Final = 0.04
"""Part of a window that must have passed before its mean says anything."""

LEAST_FACTOR = 1e-9
"""Below this what is left of each account is written out anew, for its precision."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """Forecast of one window at its present pace."""

    pace: float | None = None
    """Percent an hour; None is unknown."""
    spent_at: float | None = None
    """When nothing is left, seconds since the epoch; None is never, or unknown."""
    resets_at: float = 0.0
    """When it resets; 0 is unknown."""
    wasted: float | None = None
    """Percent that is left when it resets; None is unknown."""

    @property
    def lasts(self) -> bool | None:
        """Whether something is left until it resets; None is unknown."""
        return None if self.wasted is None else self.wasted > 0


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """One account's part of the pool in one kind of window."""

    minutes: int
    left: float
    """Percent."""
    pace: float | None
    """Percent an hour; None is unknown."""
    resets_at: float = 0.0
    """When it resets; 0 is unknown."""


class PoolForecast(msgspec.Struct, frozen=True, kw_only=True):
    """Forecast of all accounts' windows of one kind, in whole accounts."""

    accounts: int
    left: float
    """What is left: 2.5 is as much as two and a half fresh accounts."""
    pace: float | None
    """Accounts an hour; None where no account's pace is known."""
    spent_at: float | None = None
    """When nothing is left in any of them, resets on the way counted in; None is not in sight."""
    wasted: float = 0.0
    """What is left unused when each resets, in all."""


def forecast(window: SeenWindow, *, seen_at: float, now: float) -> Forecast:
    """Forecast one window.

    Args:
        window: The window as seen.
        seen_at: When, seconds since the epoch.
        now: Seconds since the epoch.
    """
    resets_at = float(window.resets_at)
    if 0 < resets_at <= now:
        return Forecast()
    pace = pace_of(window, seen_at=seen_at)
    left = max(0.0, WHOLE - window.used_percent)
    if pace is None:
        return Forecast(resets_at=resets_at)
    spent_at = seen_at + left / pace * HOUR if pace > 0 else None
    if left <= 0:
        spent_at = seen_at
    if not resets_at:
        return Forecast(pace=pace, spent_at=spent_at)
    wasted = max(0.0, left - pace * max(0.0, resets_at - seen_at) / HOUR)
    return Forecast(pace=pace, spent_at=spent_at, resets_at=resets_at, wasted=wasted)


def pace_of(window: SeenWindow, *, seen_at: float) -> float | None:
    """Percent an hour by which a window is used; None is unknown."""
    if window.used_percent <= 0:
        return 0.0
    recent = window.recent_seconds
    # The oldest sample may be much older than the recent past: no figure came in between.
    since = next(iter(window.trail), None)
    if since is not None and seen_at - since.at >= recent * LEAST_TRAIL:
        return max(0.0, window.used_percent - since.used) / (seen_at - since.at) * HOUR
    length = window.minutes * 60
    elapsed = length - (window.resets_at - seen_at) if window.resets_at else 0.0
    if not length * LEAST_ELAPSED <= elapsed <= length:
        return None
    return window.used_percent / elapsed * HOUR


def share_of(window: SeenWindow, *, seen_at: float, now: float) -> Share | None:
    """A window's part of the pool; None where it has reset since it was seen."""
    if 0 < window.resets_at <= now:
        return None
    return Share(
        minutes=window.minutes,
        left=min(WHOLE, max(0.0, WHOLE - window.used_percent)),
        pace=pace_of(window, seen_at=seen_at),
        resets_at=float(window.resets_at),
    )


def pool_forecast(shares: Sequence[Share], *, now: float) -> PoolForecast:
    """Forecast the pool, whichever accounts serve."""
    paces = [share.pace for share in shares if share.pace is not None]
    pace = sum(paces) / WHOLE if paces else None
    return PoolForecast(
        accounts=len(shares),
        left=sum(share.left for share in shares) / WHOLE,
        pace=pace,
        spent_at=_spent_at(shares, pace=pace or 0.0, now=now),
        wasted=sum(_wasted(shares, now=now)) / WHOLE,
    )


def _spent_at(shares: Sequence[Share], *, pace: float, now: float) -> float | None:
    """When the whole pool is empty; None unless that is before every account has reset.

    The other accounts take over from an empty one: all are used in proportion to what they have
    left, and one that resets joins in full.
    """
    # Of each what it would have left if nothing were drawn; all are drawn on by the same factor.
    undrawn = [share.left / WHOLE for share in shares]
    total, factor, at = sum(undrawn), 1.0, now
    if shares and not any(undrawn):
        return now
    if not pace:
        return None
    for share, index in sorted(
        ((s, n) for n, s in enumerate(shares) if s.resets_at), key=lambda pair: pair[0].resets_at
    ):
        drawn = pace * (share.resets_at - at) / HOUR
        if drawn >= total:
            return at + total / pace * HOUR
        factor *= 1 - drawn / total
        if factor < LEAST_FACTOR:
            undrawn, factor = [each * factor for each in undrawn], 1.0
        total += 1.0 - drawn - undrawn[index] * factor
        undrawn[index], at = 1.0 / factor, share.resets_at
    return at + total / pace * HOUR if at == now else None


def _wasted(shares: Iterable[Share], *, now: float) -> Iterable[float]:
    for share in shares:
        if share.pace is not None and share.resets_at:
            yield max(0.0, share.left - share.pace * (share.resets_at - now) / HOUR)
