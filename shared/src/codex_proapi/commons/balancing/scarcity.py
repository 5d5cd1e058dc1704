"""Whether the pool is scarce: so little quota left that keys get fair shares of the rest."""

from collections.abc import Sequence

from codex_proapi.commons.balancing.candidates import Candidate
from codex_proapi.commons.balancing.quota_pace import FULL, fullest


def left_of(candidates: Sequence[Candidate], *, now: float) -> float | None:
    """Percent left of the pool: the mean of its accounts' tightest windows; None is unknown.

    Accounts with unknown windows are left out; one with bought credits counts as full.
    """
    known = [s for s in candidates if s.windows or s.credits]
    if not known:
        return None
    left = [FULL if s.credits else max(0.0, FULL - fullest(s, now=now)) for s in known]
    return sum(left) / len(left)


def scarce(candidates: Sequence[Candidate], *, now: float, below: float) -> bool:
    """Whether less than `below` percent is left of the pool. 0 is never."""
    left = left_of(candidates, now=now) if below else None
    return left is not None and left < below
