"""Whether the backend takes requests from our address: a pause that all replicas share.

A challenge page may be about one account, so only several in a row, with no other answer between
them, pause the address; a refusal for the country is certain at once. While it is paused one request
every few seconds finds out whether it is over. Replicas most often leave by one address, so a pause
is written to Redis and read from there; without Redis each replica has its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable

CHALLENGES: Final = 3
"""Challenge pages in a row that pause the address."""
PAUSE_SECONDS: Final = 60.0
"""How long the first pause lasts; doubled each time."""
MOST_SECONDS: Final = 300.0
PROBE_SECONDS: Final = 5.0
"""Between two requests that may ask while the address is paused."""
SHARE_SECONDS: Final = 2.0
"""Between two exchanges of the pause with the other replicas."""

log = structlog.get_logger(__name__)


class Egress:
    """The pause of our address, as one replica knows it."""

    def __init__(self, clock: Callable[[], float], redis: Redis | None = None) -> None:
        self._clock = clock
        self._redis = redis
        self._until = 0.0
        self._probe_at = 0.0
        self._seconds = PAUSE_SECONDS
        self._in_a_row = 0
        self._changed = False

    def __repr__(self) -> str:
        return f"<Egress paused until {self._until}>"

    @property
    def paused(self) -> bool:
        """Whether the address is paused."""
        return self._clock() < self._until

    def refused(self, *, certain: bool = False) -> None:
        """Our address may have been refused; `certain` where there is no doubt that it was."""
        self._in_a_row += 1
        if self.paused or not (certain or self._in_a_row >= CHALLENGES):
            return
        now = self._clock()
        self._until = now + self._seconds
        self._probe_at = now + PROBE_SECONDS
        self._seconds = min(2 * self._seconds, MOST_SECONDS)
        self._changed = True

    def answered(self) -> None:
        """The backend answered, if only with a refusal: our address is taken."""
        self._in_a_row = 0
        self._seconds = PAUSE_SECONDS
        if self._until:
            self._until = 0.0
            self._changed = True

    def pause(self) -> float:
        """Seconds until somebody may ask again; 0 is now, also for whoever asks as a probe."""
        now = self._clock()
        if now >= self._until:
            return 0.0
        if now >= self._probe_at:
            self._probe_at = now + PROBE_SECONDS
            return 0.0
        return self._until - now

    async def share(self) -> None:
        """Tell the other replicas of a change, or learn of theirs. Raises StoreUnavailable."""
        if self._redis is None:
            return
        if self._changed:
            self._changed = False
            await self._write(self._redis)
            return
        with mapped():
            found = await self._redis.get(keyspace.egress())
        until = float(found or 0)
        if until > self._until:
            self._probe_at = self._clock() + PROBE_SECONDS
        self._until = until

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Share until cancelled."""
        while True:
            await sleep(SHARE_SECONDS)
            try:
                await self.share()
            except StoreUnavailable as error:
                log.debug("egress.waited", error=str(error))

    async def _write(self, redis: Redis) -> None:
        left = self._until - self._clock()
        try:
            with mapped():
                if left > 0:
                    await redis.set(
                        keyspace.egress(), f"{self._until:.3f}", px=int(left * 1000) + 1
                    )
                else:
                    await redis.delete(keyspace.egress())
        except StoreUnavailable:
            self._changed = True
            raise
