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
    SeenFamily,
    SeenQuota,
    SeenWindow,
)

TRAIL_STEPS: Final = 12
"""Most samples of a window's trail within the span of its recent pace."""
RESET_SLACK: Final = 0.02
"""Share of a window's length by which its reset may move without being a new one: clocks differ."""
USED_SLACK: Final = 1.5
"""Percentage points that usage may fall without a reset: it is rounded, by several machines."""


def join(known: SeenQuota | None, told: SeenQuota, *, complete: bool) -> SeenQuota:
    """Merge a reading; the result does not depend on the order of two partial readings.

    Args:
        known: the quota known before; None for none.
        told: the reading.
        complete: whether it comes from the usage endpoint and contains every family.
    """
    if known is None:
        return told
    newer = told.seen_at >= known.seen_at
    newest, older = (told, known) if newer else (known, told)
    final = complete and newer
    return SeenQuota(
        seen_at=newest.seen_at,
        plan=newest.plan or older.plan,
        active_limit=newest.active_limit or older.active_limit,
        families=_families(known, told, final=final),
        credits=newest.credits if newest.credits or final else older.credits,
        spending=newest.spending if newest.spending or final else older.spending,
        reached=newest.reached,
        reached_type=newest.reached_type,
    )


def _families(known: SeenQuota, told: SeenQuota, *, final: bool) -> tuple[SeenFamily, ...]:
    """The newest reading of each family, the general one first."""
    held = {family.id: family for family in known.families}
    if final:
        mentioned = {family.id for family in told.families}
        since = told.seen_at
        held = {id_: f for id_, f in held.items() if id_ in mentioned or f.seen_at > since}
    for family in told.families:
        before = held.get(family.id)
        held[family.id] = family if before is None else _family(before, family)
    return tuple(sorted(held.values(), key=lambda family: (family.id != GENERAL, family.id)))


def _family(held: SeenFamily, told: SeenFamily) -> SeenFamily:
    """Merge a reading of one family."""
    named = any(window.minutes for window in told.windows)
    # Without lengths a five-hour window cannot be told from a week: the older figure is kept.
    unusable = not named and any(window.minutes for window in held.windows)
    if told.seen_at < held.seen_at or unusable:
        return held
    before = {window.minutes: window for window in held.windows}
    return SeenFamily(
        id=told.id,
        name=told.name or held.name,
        seen_at=told.seen_at,
        windows=tuple(
            msgspec.structs.replace(
                window, trail=_trail(before.get(window.minutes), window, at=held.seen_at)
            )
            for window in told.windows
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
