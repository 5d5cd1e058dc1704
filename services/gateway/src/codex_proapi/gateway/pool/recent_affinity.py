"""Which account a conversation got here just now: known to its next request before Redis is told.

Ties are written behind the answer. A second request may come milliseconds after the first, of a
parallel agent or a fast tool loop; it must find the same account, which alone can read the
conversation's encrypted items.
"""

from collections.abc import Callable
from typing import Final

import msgspec

RECENT_SECONDS: Final = 5.0
"""How long a tie is remembered here; it is in Redis long before."""
MOST_TIES: Final = 5_000


class RecentTie(msgspec.Struct, frozen=True):
    """The account of one conversation."""

    account_id: str
    tentative: bool
    """Whether it was chosen but has not answered yet."""
    at: float


class RecentAffinity:
    """The ties this replica has made in the last seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ties: dict[str, RecentTie] = {}

    def __repr__(self) -> str:
        return f"<RecentAffinity {len(self._ties)} conversations>"

    def note(self, fingerprint: str, account_id: str, *, tentative: bool) -> None:
        """A conversation got an account; one that has answered is not replaced tentatively."""
        held = self.of(fingerprint)
        if tentative and held is not None and not held.tentative:
            return
        self._ties.pop(fingerprint, None)
        if len(self._ties) >= MOST_TIES:
            self._ties.pop(next(iter(self._ties)))
        self._ties[fingerprint] = RecentTie(account_id, tentative, self._clock())

    def of(self, fingerprint: str) -> RecentTie | None:
        """The account a conversation got just now, if any."""
        held = self._ties.get(fingerprint)
        if held is not None and not 0 <= self._clock() - held.at < RECENT_SECONDS:
            del self._ties[fingerprint]
            return None
        return held
