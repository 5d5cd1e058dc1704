"""Circuit breaker for Redis: while it is open, commands fail at once instead of timing out.

Clients report failures to it. The probe that finds out whether Redis is back uses a client of its
own, which the breaker does not stop. Each outage is logged once.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as TimedOut

from codex_proapi.commons.runtime.errors import StoreUnavailable

POOL_USED_UP: Final = "No connection available."
"""redis-py's message if all connections of a client are in use."""
UNWELL: Final = frozenset(
    {
        *("OOM", "MISCONF", "NOREPLICAS", "READONLY", "LOADING", "BUSY"),
        *("MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"),
    }
)
"""Codes of error replies caused by the server's state, not by the command."""

log = structlog.get_logger(__name__)


class RedisCircuitBreaker:
    """Stops commands (`shut`) from the first failure until Redis has answered a probe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, grace: float = 0.0) -> None:
        self._grace = grace
        self.now = clock
        """Seconds that only ever grow; the clocks of machines may be set."""
        self.shut = False
        """Whether commands fail at once."""
        self.seen_at = float("-inf")
        """When Redis last answered, by `now`."""
        self._lost_at = 0.0
        self._doubted_at = float("-inf")
        """When a single time-out came since Redis last answered."""

    def __repr__(self) -> str:
        return f"<RedisCircuitBreaker {'shut' if self.shut else 'open'}>"

    @property
    def state(self) -> str:
        """`closed`; or `open`, where within the grace period it is `grace`."""
        if not self.shut:
            return "closed"
        return "grace" if self.in_grace() else "open"

    def in_grace(self) -> bool:
        """Whether Redis is away, but for less than the grace period."""
        return self.shut and self.seen_at + self._grace > self.now()

    def see(self) -> None:
        """Record an answer of Redis."""
        self.seen_at = self.now()

    def fail(self, error: StoreUnavailable, *, since: float) -> None:
        """Record the failure of a command begun at `since`; ignored if a later one has succeeded.

        A single time-out may be caused by this process, with a blocked event loop or an exhausted
        pool: it stops commands only if one begun after it fails as well.
        """
        if self.shut or self.seen_at > since or not is_away(error):
            return
        if is_late(error) and not self._doubted_at >= self.seen_at:
            self._doubted_at = self.now()
            return
        if is_late(error) and since < self._doubted_at:
            return
        self.shut = True
        self._lost_at = since
        log.warning("redis.lost", error=str(error))

    def open(self) -> None:
        """Let commands through again."""
        if self.shut:
            self.shut = False
            log.warning("redis.returned", seconds=round(self.now() - self._lost_at, 1))


def is_late(error: StoreUnavailable) -> bool:
    """Whether a reply timed out or no connection was free: Redis itself may be well."""
    cause = error.__cause__
    return isinstance(cause, TimedOut) or str(cause) == POOL_USED_UP


def is_away(error: StoreUnavailable) -> bool:
    """Whether Redis is silent or refuses every command; False where it refused only this one."""
    cause = error.__cause__
    return type(cause) is not ResponseError or code_of(cause) in UNWELL


def code_of(error: Exception) -> str:
    """The code of an error reply for which redis-py has no class; never more of its text."""
    word = str(error).partition(" ")[0]
    return word if type(error) is ResponseError and word.isalpha() and word.isupper() else ""
