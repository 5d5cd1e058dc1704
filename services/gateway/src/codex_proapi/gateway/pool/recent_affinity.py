"""Recent ties of conversations to accounts on this replica, before they are written to Redis.

Ties are written to Redis in the background. A conversation's second request may arrive milliseconds
after the first (parallel agents, fast tool loops) and must get the same account, because no other
can read the conversation's encrypted items.
"""

import time
from collections.abc import Callable
from typing import Final

import msgspec

RECENT_SECONDS: Final = 5.0
"""Seconds a tie is cached here; it is written to Redis well before."""
MOST_TIES: Final = 5_000


class RecentTie(msgspec.Struct, frozen=True):
    """The tie of one conversation."""

    account_id: str
    tentative: bool
    """Whether the account was selected but has not answered yet."""
    until: float
    """The end of RECENT_SECONDS since it was made, monotonic seconds."""


class RecentAffinity:
    """Caches the ties that this replica made in the last RECENT_SECONDS."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ties: dict[str, RecentTie] = {}

    def __repr__(self) -> str:
        return f"<RecentAffinity {len(self._ties)} conversations>"

    def note(self, fingerprint: str, account_id: str, *, tentative: bool) -> None:
        """Cache a tie; a tentative one does not replace one whose account has answered."""
        now, held = self._clock(), self._ties.pop(fingerprint, None)
        if tentative and held is not None and not held.tentative and now < held.until:
            self._ties[fingerprint] = held
            return
        if len(self._ties) >= MOST_TIES:
            self._ties.pop(next(iter(self._ties)))
        self._ties[fingerprint] = RecentTie(account_id, tentative, now + RECENT_SECONDS)

    def of(self, fingerprint: str) -> RecentTie | None:
        """The recent tie of a conversation, if any."""
        held = self._ties.get(fingerprint)
        if held is not None and self._clock() >= held.until:
            del self._ties[fingerprint]
            return None
        return held
