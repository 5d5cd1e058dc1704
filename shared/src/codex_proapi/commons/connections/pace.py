"""How many connections to one host may be begun at a time, and how far apart. Pure but for waiting.

An edge answers a burst of new connections with 403 or 429, or refuses them. Then half as many are begun
at a time; after such an answer some time passes between two of them, too: 1 s, doubled by each further
one up to 8 s, halved after RELAXED answers in a row. Each connection that is opened lets one more be begun
at a time; while time passes between them, each answer over a new connection does.
"""

import asyncio
import collections
import time
from collections.abc import Callable
from typing import Final

import structlog

FIRST_AT_ONCE: Final = 32
"""Connections that are begun at a time before anything is known."""
MOST_AT_ONCE: Final = 128
LEAST_AT_ONCE: Final = 4
"""At least so many after connections were refused: then nobody counts, the host may be starting."""
FIRST_GAP: Final = 1.0
"""Seconds between two connections after the first refusal."""
MOST_GAP: Final = 8.0
RELAXED: Final = 20
"""Answers in a row after which the time between two connections is halved."""
EDGE_STATUSES: Final = frozenset({403, 429})
"""Statuses with which an edge turns new connections away, in a page rather than in JSON."""

log = structlog.get_logger(__name__)


def is_edge_refusal(status: int, content_type: str) -> bool:
    """Whether an answer is an edge's to a burst of connections, and not the backend's own."""
    return status in EDGE_STATUSES and "json" not in content_type.lower()


class DialPace:
    """The pace of new connections to one host; those that wait are served in turn."""

    def __init__(self, host: str = "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._most = FIRST_AT_ONCE
        self._gap = 0.0
        self._row = 0
        self._begun = 0
        self._next_at = 0.0
        self._waiters: collections.deque[asyncio.Future[None]] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<DialPace {self._begun} of {self._most} at once, {self._gap:g} s apart>"

    @property
    def most(self) -> int:
        """How many may be begun at a time."""
        return self._most

    @property
    def gap(self) -> float:
        """Seconds between two of them."""
        return self._gap

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiters)

    def begin(self) -> bool:
        """Begin a connection if one may be begun now; then `end` must be called."""
        if self._waiters or not self._free():
            return False
        self._take()
        return True

    def turn(self) -> asyncio.Future[None]:
        """A future that is done when a connection may be begun, which it then has been.

        Then `end` must be called, or `give_up` by who does not wait any more.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._serve()
        return waiter

    async def wait(self, seconds: float) -> bool:
        """Wait for one's turn, at most so long; whether it has come. Then `end` must be called."""
        turn, come = self.turn(), False
        try:
            await asyncio.wait((turn,), timeout=seconds)
            come = turn.done()
        finally:
            if not come:
                self.give_up(turn)
        return come

    def give_up(self, turn: asyncio.Future[None]) -> None:
        """Begin nothing after all."""
        if not turn.cancel():
            self.end()

    def end(self) -> None:
        """A connection that was begun is open, or has failed."""
        self._begun -= 1
        self._serve()

    def opened(self) -> None:
        """Note a connection that was opened."""
        if not self._gap:
            self._more()

    def answered(self) -> None:
        """Note an answer over a new connection that is not the edge's."""
        if not self._gap:
            return
        self._row += 1
        if self._row >= RELAXED:
            self._row = 0
            self._gap = self._gap / 2 if self._gap > FIRST_GAP else 0.0
        self._more()

    def _more(self) -> None:
        self._most = min(self._most + 1, MOST_AT_ONCE)
        self._serve()

    def refused(self, *, by_edge: bool) -> None:
        """Note a connection that was refused, or over which the edge turned the request away."""
        self._row = 0
        least = 1 if by_edge or self._gap else LEAST_AT_ONCE
        self._most = max(self._most // 2, least)
        if by_edge:
            self._gap = min(2 * self._gap or FIRST_GAP, MOST_GAP)
            self._next_at = max(self._next_at, self._clock() + self._gap)
            log.warning("upstream.paced", host=self._host, at_once=self._most, seconds=self._gap)

    def _free(self) -> bool:
        return self._begun < self._most and (not self._gap or self._clock() >= self._next_at)

    def _take(self) -> None:
        self._begun += 1
        if self._gap:
            self._next_at = self._clock() + self._gap

    def _serve(self) -> None:
        """Let those begin who may; come back when the time between two has passed."""
        while self._waiters:
            if self._waiters[0].done():
                self._waiters.popleft()
            elif self._free():
                self._take()
                self._waiters.popleft().set_result(None)
            else:
                break
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiters and self._begun < self._most:
            seconds = max(self._next_at - self._clock(), 0.001)
            self._timer = asyncio.get_running_loop().call_later(seconds, self._serve)
