"""Merges a quota reading into the known quota of an account. Pure: times are part of the values.

Replicas read concurrently, streams end late, and most readings are partial. Therefore each family
of limits has its own time, the newest reading of a family wins, and families that a reading does
not contain are kept. Only the usage endpoint gives complete readings: missing families are removed.
"""

from typing import Final

import msgspec

from codex_proapi.commons.accounts.quota_store import (
    GENERAL,
    Sample,
    SeenCredits,
    SeenFamily,
    SeenQuota,
    SeenWindow,
)
from codex_proapi.commons.codex.luna_reserve import is_reserve
from codex_proapi.commons.codex.quota_parser import Credits, Quota, QuotaWindow

TRAIL_STEPS: Final = 12
"""Most samples of a window's trail within the span of its recent pace."""
RESET_SLACK: Final = 0.02
"""Share of a window's length by which its reset may move without being a new one: clocks differ."""
USED_SLACK: Final = 1.5
"""Percentage points that usage may fall without a reset: it is rounded, by several machines."""


def seen(quota: Quota, at: float) -> SeenQuota:
    """A parsed quota as a stored reading; `at` is seconds since the epoch."""
    return SeenQuota(
        seen_at=at,
        plan=quota.plan,
        active_limit=quota.active_limit,
        families=tuple(
            SeenFamily(
                id=family.id,
                name=family.name,
                stands_for=family.stands_for,
                seen_at=at,
                windows=tuple(_seen_window(window, at) for window in family.windows),
            )
            for family in quota.families
        ),
        credits=_credits(quota.credits) if quota.credits else None,
        spending=_seen_window(quota.spending, at) if quota.spending else None,
        reached=quota.reached,
        reached_type=quota.reached_type,
    )


def join(known: SeenQuota | None, reading: SeenQuota, *, complete: bool) -> SeenQuota:
    """Merge a reading; the result does not depend on the order of two partial readings.

    Args:
        known: The quota known before; None for none.
        reading: The reading, with the times at which its parts were seen.
        complete: Whether it comes from the usage endpoint and contains every family.
    """
    if known is None:
        return reading
    newer = reading.seen_at >= known.seen_at
    newest, older = (reading, known) if newer else (known, reading)
    final = complete and newer
    return SeenQuota(
        seen_at=newest.seen_at,
        plan=newest.plan or older.plan,
        active_limit=newest.active_limit or older.active_limit,
        families=_families(known, reading, final=final),
        credits=newest.credits if newest.credits or final else older.credits,
        spending=newest.spending if newest.spending or final else older.spending,
        reached=newest.reached,
        reached_type=newest.reached_type,
    )


def _families(known: SeenQuota, reading: SeenQuota, *, final: bool) -> tuple[SeenFamily, ...]:
    """The newest reading of each family, the general one first."""
    families = {family.id: family for family in known.families}
    if final:
        mentioned = {family.id for family in reading.families}
        since = reading.seen_at
        families = {
            id_: f
            for id_, f in families.items()
            if id_ in mentioned or f.seen_at > since or _lasts(f, since)
        }
    for family in reading.families:
        before = families.get(family.id)
        families[family.id] = family if before is None else _family(before, family)
    return tuple(sorted(families.values(), key=lambda family: (family.id != GENERAL, family.id)))


def _lasts(family: SeenFamily, at: float) -> bool:
    """Whether a limit that a complete reading leaves out is kept: a reserve until its windows reset.

    Its list was seen to be null between readings that had it (Codex-Manager, November 2026).
    """
    if not is_reserve(family.id, family.name):
        return False
    return any(window.resets_at > at for window in family.windows)


def _family(known: SeenFamily, reading: SeenFamily) -> SeenFamily:
    """Merge a reading of one family."""
    named = any(window.minutes for window in reading.windows)
    # Without lengths a five-hour window is indistinguishable from a week: the older figure is kept.
    unusable = not named and any(window.minutes for window in known.windows)
    if reading.seen_at < known.seen_at or unusable:
        return known
    before = {window.minutes: window for window in known.windows}
    return SeenFamily(
        id=reading.id,
        name=reading.name or known.name,
        stands_for=reading.stands_for or known.stands_for,
        seen_at=reading.seen_at,
        windows=tuple(
            msgspec.structs.replace(
                window, trail=_trail(before.get(window.minutes), window, at=known.seen_at)
            )
            for window in reading.windows
        ),
    )


def _trail(before: SeenWindow | None, window: SeenWindow, *, at: float) -> tuple[Sample, ...]:
    """The trail of a window after a reading; `at` is the time of the reading before."""
    if before is None or _began_anew(before, window):
        return ()
    span = window.recent_seconds
    trail = before.trail
    if not trail or at - trail[-1].at >= span / TRAIL_STEPS:
        trail = (*trail, Sample(at, before.used_percent))
    # One sample older than the span stays: from there the pace is measured.
    recent = [n for n, sample in enumerate(trail) if sample.at > at - span]
    return trail[max(0, (recent[0] if recent else len(trail)) - 1) :]


def _began_anew(before: SeenWindow, window: SeenWindow) -> bool:
    """Whether the window has been reset since the reading before."""
    if window.used_percent < before.used_percent - USED_SLACK:
        return True
    if not before.resets_at or not window.resets_at:
        return False
    return window.resets_at - before.resets_at > max(60, window.minutes * 60 * RESET_SLACK)


def _seen_window(window: QuotaWindow, at: float) -> SeenWindow:
    resets_at = window.resets_at or (round(at + window.resets_in) if window.resets_in else 0)
    return SeenWindow(minutes=window.minutes, used_percent=window.used_percent, resets_at=resets_at)


def _credits(credits_: Credits) -> SeenCredits:
    return SeenCredits(
        has_credits=credits_.has_credits, unlimited=credits_.unlimited, balance=credits_.balance
    )
