"""How much the quota windows of accounts hold, worked out from what was counted and what upstream told. Pure.

Upstream tells percents only. An account on which so many units were counted since its window began,
and of whose window so many percent are used, holds the quotient; what its owner used elsewhere makes that less.
"""

from collections.abc import Iterable, Sequence
from statistics import median, quantiles
from typing import Final

import msgspec

from codex_proapi.console.what_if.replay.records import RecordedAccount, RecordedWindow
from codex_proapi.console.what_if.replay.week import FIVE_HOURS, WEEKLY

LEAST_USED: Final = 5.0
"""Percent below which whole percents are too coarse for an estimate."""
OWN_USED: Final = 20.0
"""Percent from which an account's own estimate stands before that of its plan."""
SHORT_PART: Final = 0.3
"""A five-hour window as part of its weekly one, where nothing is known of it."""
LEAST_ERROR, UNSURE_ERROR, MOST_ERROR = 0.1, 0.3, 0.5
"""Least and most part by which estimates may be wrong, and that of fewer than FEW estimates."""
FEW: Final = 3
_DAY_MINUTES: Final = 1440


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one account's windows."""

    short: float
    """0 if it has no window of hours."""
    long: float


class Capacities(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of all accounts together."""

    of: dict[str, Capacity]
    """By account; empty where nothing could be estimated."""
    usual: Capacity
    """That of an account in the middle, as which a further one counts."""
    estimates: int
    """Accounts that could be estimated."""
    error: float
    """Part by which the estimates may be wrong: half of what separates their middle half."""


def capacities_of(accounts: Sequence[RecordedAccount]) -> Capacities:
    """What the accounts' windows hold."""
    found = {each.id: _estimate(long_window(each)) for each in accounts}
    known = {
        each.id: (each.plan, size) for each in accounts if (size := found[each.id]) is not None
    }
    if not known:
        nothing = Capacity(short=0.0, long=0.0)
        return Capacities(of={}, usual=nothing, estimates=0, error=MOST_ERROR)
    plans = {plan: median(s for p, s in known.values() if p == plan) for plan, _ in known.values()}
    usual = median(size for _, size in known.values())
    part = _short_part(accounts)
    of = {}
    for account in accounts:
        size = plans.get(account.plan, usual)
        window = long_window(account)
        own = found[account.id]
        if own is not None and window is not None and window.used >= OWN_USED:
            size = own
        short = size * part if short_window(account) or not window else 0.0
        of[account.id] = Capacity(short=short, long=size)
    return Capacities(
        of=of,
        usual=Capacity(short=usual * part, long=usual),
        estimates=len(known),
        error=_error([size / plans[plan] for plan, size in known.values()]),
    )


def long_window(account: RecordedAccount) -> RecordedWindow | None:
    """The longest window of an account, if that is one of days."""
    return next((w for w in account.windows[::-1] if w.minutes >= _DAY_MINUTES), None)


def short_window(account: RecordedAccount) -> RecordedWindow | None:
    """The shortest window of an account, if that is one of hours."""
    return next((w for w in account.windows if 0 < w.minutes < _DAY_MINUTES), None)


def _estimate(window: RecordedWindow | None) -> float | None:
    """Units that a window of a week holds; None where too little of it is used."""
    if window is None or window.used < LEAST_USED or window.spent.units <= 0:
        return None
    return window.spent.units / window.used * 100 * WEEKLY / window.minutes


def _short_part(accounts: Iterable[RecordedAccount]) -> float:
    """A five-hour window as part of a weekly one, from accounts that tell both."""
    parts = []
    for account in accounts:
        long = _estimate(long_window(account))
        window = short_window(account)
        if long and window and window.used >= LEAST_USED and window.spent.units > 0:
            short = window.spent.units / window.used * 100 * FIVE_HOURS / window.minutes
            parts.append(short / long)
    return min(1.0, median(parts)) if len(parts) >= FEW else SHORT_PART


def _error(ratios: Sequence[float]) -> float:
    """Half of what separates the middle half of estimates from one another, within bounds."""
    if len(ratios) < FEW:
        return UNSURE_ERROR
    low, _, high = quantiles(ratios, n=4, method="inclusive")
    return min(MOST_ERROR, max(LEAST_ERROR, (high - low) / 2))
