"""Connections between two requests: kept for the next one, last in first out, and waited for.

A connection whose answer is whole but has not ended yet, as its last chunk is late, is about to be free.
A request that finds no idle one waits a moment for such a one, if the last of them came free within that
time: else each late end would cost one more connection, which an edge counts.
"""

import asyncio
import collections
import time
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

IDLE_SECONDS: Final = 300
"""How long an idle connection is kept. Cloudflare, which is before the backend, closes one after 400 s
(developers.cloudflare.com/fundamentals/reference/connection-limits, seen in November 2026)."""
MOST_IDLE: Final = 256
"""Idle connections that are kept; of more the one that is idle for longest is closed."""
MOST_AGE_SECONDS: Final = 3600.0
"""How long a connection is used: a host whose addresses have changed is left at last."""
HOPE_SECONDS: Final = 0.25
"""How long a request waits for a connection that is about to be free, before it opens another one."""


class Connection(Protocol):
    """A connection that can be kept."""

    made_at: float
    """When it was made, monotonic seconds."""
    idle_beats: int
    """Seconds it has been idle."""

    @property
    def alive(self) -> bool:
        """Whether another request may be sent."""

    def abort(self) -> None:
        """Close it; `forget` follows."""


C = TypeVar("C", bound=Connection)


class IdleConnections(Generic[C]):
    """The connections of one client that carry no answer, or one that is whole."""

    def __init__(
        self,
        *,
        seconds: int = IDLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._idle: list[C] = []
        self._ending: dict[C, float] = {}
        self._late = 0.0
        self._hopes: collections.deque[Hope[C]] = collections.deque()

    def __repr__(self) -> str:
        return f"<IdleConnections {len(self._idle)}, {len(self._ending)} ending>"

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> C | None:
        """The connection that was used last; None if none is idle."""
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                return connection
        return None

    def keep(self, connection: C) -> None:
        """Keep a connection for the next request, or give it to one that waits; an old one is closed."""
        if self._clock() - connection.made_at > MOST_AGE_SECONDS:
            connection.abort()
            return
        if (since := self._ending.pop(connection, None)) is not None:
            self._late = self._clock() - since
        if self._hopes:
            self._hopes.popleft().fulfil(connection)
            return
        connection.idle_beats = 0
        self._idle.append(connection)
        if len(self._idle) > MOST_IDLE:
            self._idle[0].abort()

    def ending(self, connection: C) -> None:
        """Note a connection whose answer is whole, and ends soon."""
        self._ending[connection] = self._clock()

    def forget(self, connection: C) -> None:
        """A connection is gone."""
        if self._ending.pop(connection, None) is not None:
            self._late = HOPE_SECONDS + 1
        if connection in self._idle:
            self._idle.remove(connection)

    def tick(self) -> None:
        """Count a second: close those that have been idle for too long."""
        for connection in self._idle.copy():
            connection.idle_beats += 1
            if connection.idle_beats > self._seconds:
                connection.abort()

    async def about_to_be_free(self) -> C | None:
        """A connection whose answer ends within HOPE_SECONDS; None if there is none to wait for."""
        if len(self._ending) <= len(self._hopes) or self._late > HOPE_SECONDS:
            return None
        hope = self.hope()
        try:
            await asyncio.wait((hope.came,), timeout=HOPE_SECONDS)
            return hope.claim()
        finally:
            self.give_up(hope)

    def hope(self) -> "Hope[C]":
        """Wait for the next connection that comes free; `give_up` must be called."""
        hope = Hope[C]()
        self._hopes.append(hope)
        return hope

    def give_up(self, hope: "Hope[C]") -> None:
        """Wait no more; a connection that was not claimed goes to another request."""
        if hope in self._hopes:
            self._hopes.remove(hope)
        if (connection := hope.claim()) is not None:
            self.keep(connection)


class Hope(Generic[C]):
    """A request that waits for a connection to come free."""

    def __init__(self) -> None:
        self.came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when a connection has come."""
        self._connection: C | None = None

    def __repr__(self) -> str:
        return f"<Hope {'fulfilled' if self.came.done() else 'waits'}>"

    def fulfil(self, connection: C) -> None:
        """A connection has come free."""
        self._connection = connection
        self.came.set_result(None)

    def claim(self) -> C | None:
        """The connection, once; None if none has come, or it has ended since."""
        connection, self._connection = self._connection, None
        return connection if connection is not None and connection.alive else None
