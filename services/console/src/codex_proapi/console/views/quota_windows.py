"""Quota windows for display: identified by their length, with pace and reset. Pure.

Upstream's slot names are not used: a Pro account has its weekly window in the first slot. An
unknown window is never shown as full.
"""

import enum
from collections.abc import Iterable, Sequence

import msgspec

from codex_proapi.commons.accounts.quota_store import Sample, SeenWindow
from codex_proapi.commons.usage.forecast import Forecast, Share, forecast, pool_forecast

HOUR = 3600
STALE_SECONDS = 15 * 60
"""After this long without a fresh figure a bar says so."""
WARN_LEFT = 25.0
"""Percent left from which a bar is amber."""
SPENT_LEFT = 0.5
"""Percent left below which a window counts as spent."""


class WindowKind(enum.StrEnum):
    """A quota window by its length."""

    FIVE_HOURS = "five_hours"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    OTHER = "other"


_LENGTHS: tuple[tuple[int, int, WindowKind], ...] = (
    (240, 360, WindowKind.FIVE_HOURS),
    (1380, 1500, WindowKind.DAILY),
    (9_000, 11_000, WindowKind.WEEKLY),
    (40_000, 46_000, WindowKind.MONTHLY),
)
"""From and to (minutes, inclusive), and what such a window is called."""


class Tone(enum.StrEnum):
    """Severity of a figure; always stated in words too."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One window of one account as it was last seen."""

    minutes: int
    """Its length."""
    used: float | None
    """Percent used; None when upstream did not say."""
    resets_at: int = 0
    """When it resets, seconds since the epoch; 0 is unknown."""
    seen_at: int = 0
    """When this was seen, seconds since the epoch."""
    trail: tuple[Sample, ...] = ()
    """Earlier figures of the same window."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One window for display."""

    kind: WindowKind
    minutes: int
    left: float | None
    """Percent left; None is unknown and shown as such."""
    tone: Tone
    resets_at: int = 0
    elapsed: float | None = None
    """Percent of the window that has passed: where an even pace would stand."""
    spent_at: int = 0
    """When it is spent at this pace, if that is before its reset; else 0."""
    pace: float | None = None
    """Percent used in an hour, in the pool by each account; None is unknown."""
    wasted: float | None = None
    """Percent left unused when it resets, in the pool of each account; None is unknown."""
    stale: bool = False
    """Whether the figure is old."""
    known: int = 1
    """How many accounts the figure is a mean of."""
    unknown: int = 0
    """How many accounts have such a window without a figure."""

    @property
    def lasts(self) -> bool:
        """Whether it is known to last until it resets."""
        return bool(self.wasted) and not self.spent_at


def kind_of(minutes: int) -> WindowKind:
    """What a window of this length is called."""
    for shortest, longest, kind in _LENGTHS:
        if shortest <= minutes <= longest:
            return kind
    return WindowKind.OTHER


def bar_of(reading: Reading, *, now: float) -> Bar:
    """The bar of one reading; one whose reset has passed is unknown until it is seen again."""
    over = 0 < reading.resets_at <= now
    left = None if reading.used is None or over else max(0.0, min(100.0, 100.0 - reading.used))
    elapsed = _elapsed(reading, now=now)
    outlook = _outlook(reading, now=now)
    return Bar(
        kind=kind_of(reading.minutes),
        minutes=reading.minutes,
        left=left,
        tone=tone_of(left),
        resets_at=0 if over else reading.resets_at,
        elapsed=None if elapsed is None else round(elapsed * 100, 1),
        spent_at=0 if outlook.lasts else int(outlook.spent_at or 0),
        pace=outlook.pace,
        wasted=outlook.wasted,
        stale=bool(reading.seen_at) and now - reading.seen_at > STALE_SECONDS,
    )


def bars_of(readings: Iterable[Reading], *, now: float) -> tuple[Bar, ...]:
    """The bars of an account's windows, shortest first; windows of length 0 are left out."""
    real = sorted((r for r in readings if r.minutes > 0), key=lambda r: r.minutes)
    return tuple(bar_of(reading, now=now) for reading in real)


def pool_bars(accounts: Sequence[Sequence[Bar]], *, now: float) -> tuple[Bar, ...]:
    """One bar for each kind of window: the mean of what is left, over those that are known.

    It is spent when all of them are, resets before that included.
    """
    kinds = sorted({bar.minutes: bar.kind for bars in accounts for bar in bars}.items())
    seen: list[WindowKind] = []
    for _, kind in kinds:
        if kind not in seen:
            seen.append(kind)
    return tuple(
        _pooled(kind, [bar for bars in accounts for bar in bars if bar.kind is kind], now=now)
        for kind in seen
    )


def tone_of(left: float | None) -> Tone:
    """How a percentage left is meant."""
    if left is None:
        return Tone.UNKNOWN
    if left <= SPENT_LEFT:
        return Tone.BAD
    return Tone.WARN if left <= WARN_LEFT else Tone.OK


def _pooled(kind: WindowKind, bars: Sequence[Bar], *, now: float) -> Bar:
    known = [bar.left for bar in bars if bar.left is not None]
    left = sum(known) / len(known) if known else None
    recoveries = [b.resets_at for b in bars if b.resets_at and b.left is not None and b.left < 100]  # noqa: PLR2004 - percent
    outlook = pool_forecast([share for bar in bars if (share := _share(bar))], now=now)
    return Bar(
        kind=kind,
        minutes=bars[0].minutes,
        left=left,
        tone=tone_of(left),
        resets_at=min(recoveries, default=0),
        spent_at=int(outlook.spent_at or 0),
        pace=None if outlook.pace is None else outlook.pace * 100 / len(known),
        wasted=None if outlook.pace is None else outlook.wasted * 100 / len(known),
        stale=any(bar.stale for bar in bars),
        known=len(known),
        unknown=len(bars) - len(known),
    )


def _elapsed(reading: Reading, *, now: float) -> float | None:
    """Share of the window that has passed, 0 to 1."""
    length = reading.minutes * 60
    if reading.resets_at <= now or reading.resets_at - now > length:
        return None
    return 1 - (reading.resets_at - now) / length


def _outlook(reading: Reading, *, now: float) -> Forecast:
    """The forecast of a window; empty where upstream did not report its use."""
    if reading.used is None:
        return Forecast()
    window = SeenWindow(
        minutes=reading.minutes,
        used_percent=reading.used,
        resets_at=reading.resets_at,
        trail=reading.trail,
    )
    return forecast(window, seen_at=reading.seen_at or now, now=now)


def _share(bar: Bar) -> Share | None:
    if bar.left is None:
        return None
    return Share(minutes=bar.minutes, left=bar.left, pace=bar.pace, resets_at=bar.resets_at)
