"""A gate before Redis: shut while it is known to be away, so that nobody waits for what cannot come.

Whoever meets a failure tells the gate; who looks whether Redis is back has a client of its own,
before which there is no gate. What is told to the log is told once for each time it is away.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as TimedOut

from codex_proapi.commons.runtime.errors import StoreUnavailable

POOL_USED_UP: Final = "No connection available."
"""What redis-py says where every connection of a client is busy."""
UNWELL: Final = frozenset(
    {
        *("OOM", "MISCONF", "NOREPLICAS", "READONLY", "LOADING", "BUSY"),
        *("MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"),
    }
)
"""Codes of error replies that say something of the server, not of the command."""

log = structlog.get_logger(__name__)


class RedisCircuitBreaker:
    """Open until Redis fails, shut until somebody has seen it again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, grace: float = 0.0) -> None:
        self._grace = grace
        self.now = clock
        """Seconds that only ever grow; the clocks of machines may be set."""
        self.shut = False
        """Whether commands fail at once."""
        self.seen_at = float("-inf")
        """When Redis last answered a look."""
        self._lost_at = 0.0
        self._doubted_at = float("-inf")
        """When a single time-out came since Redis last answered."""

    def __repr__(self) -> str:
        return f"<RedisCircuitBreaker {'shut' if self.shut else 'open'}>"

    def in_grace(self) -> bool:
        """Whether Redis is away, but not for too long to go on by what is remembered."""
        return self.shut and self.seen_at + self._grace > self.now()

    def see(self) -> None:
        """Redis has answered."""
        self.seen_at = self.now()

    def fail(self, error: StoreUnavailable, *, since: float) -> None:
        """Something begun then has failed. What a later success has overtaken says nothing.

        A single time-out may be our own doing, by a loop that was held up or a pool that was used
        up: it shuts the breaker only if something begun after it fails as well.
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
        """Let everybody through."""
        if self.shut:
            self.shut = False
            log.warning("redis.returned", seconds=round(self.now() - self._lost_at, 1))


def is_late(error: StoreUnavailable) -> bool:
    """Whether nothing was heard in time, or no connection was free: Redis itself may be well."""
    cause = error.__cause__
    return isinstance(cause, TimedOut) or str(cause) == POOL_USED_UP


def is_away(error: StoreUnavailable) -> bool:
    """Whether Redis is silent or refuses everybody; False where it refused this one command."""
    cause = error.__cause__
    return type(cause) is not ResponseError or code_of(cause) in UNWELL


def code_of(error: Exception) -> str:
    """The code an error reply begins with, if redis-py has no class for it; never more of its text."""
    word = str(error).partition(" ")[0]
    return word if type(error) is ResponseError and word.isalpha() and word.isupper() else ""
