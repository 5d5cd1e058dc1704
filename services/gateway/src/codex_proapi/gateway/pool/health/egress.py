"""The egress pause: stops requests while the backend refuses our IP address, on all replicas.

A challenge page may concern a single account, or what is in a single request, so only CHALLENGES in a
row without another answer, not all for one request, pause the address; a refusal for the country pauses it at once. During a pause one request every
PROBE_SECONDS probes the backend. Replicas usually share an egress address, so the pause and the
probes are shared through Redis; without Redis each replica has its own.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.stored_records import UNREADABLE

CHALLENGES: Final = 3
"""Challenge pages in a row that pause the address."""
PAUSE_SECONDS: Final = 60.0
"""Seconds of the first pause; doubled with each further one."""
MOST_SECONDS: Final = 300.0
PROBE_SECONDS: Final = 5.0
"""Seconds between two probes during a pause, of all replicas together."""
ASK_SECONDS: Final = 1.0
"""Seconds until a replica asks again for a probe that another replica has."""
SHARE_SECONDS: Final = 2.0
"""Seconds between two synchronisations of the pause with Redis."""

log = structlog.get_logger(__name__)


class Egress:
    """The egress pause, as one replica knows it."""

    def __init__(self, clock: Callable[[], float], redis: Redis | None = None) -> None:
        self._clock = clock
        self._redis = redis
        self.until = 0.0
        """When its pause ends, or has ended, seconds since the epoch; 0 for no pause."""
        self.suspected = False
        """Whether a refusal or a pause was noted that no other answer has followed yet."""
        self._probe_at = 0.0
        self._probes_until = 0.0
        self._seconds = PAUSE_SECONDS
        self._in_a_row = 0
        self._changed = False

    def __repr__(self) -> str:
        return f"<Egress paused until {self.until}>"

    @property
    def paused(self) -> bool:
        """Whether the address is paused."""
        return self._clock() < self.until

    @property
    def state(self) -> str:
        """`open`, `paused`, or `probing` while a probe of this replica is under way."""
        now = self._clock()
        if now >= self.until:
            return "open"
        return "probing" if now < self._probes_until else "paused"

    def refused(self, *, certain: bool = False) -> None:
        """Note a refusal that may concern the address; `certain` pauses it at once."""
        self.suspected = True
        self._in_a_row += 1
        self._probes_until = 0.0
        if self.paused or not (certain or self._in_a_row >= CHALLENGES):
            return
        now = self._clock()
        self.until = now + self._seconds
        self._probe_at = now + PROBE_SECONDS
        self._seconds = min(2 * self._seconds, MOST_SECONDS)
        self._changed = True

    def answered(self) -> None:
        """Note any other answer of the backend, refusals included: ends the pause."""
        self.suspected = False
        self._in_a_row = 0
        self._seconds = PAUSE_SECONDS
        if self.until:
            self.until = 0.0
            self._changed = True

    async def pause(self) -> float:
        """Seconds until a request may be sent; 0 for now, which also admits a probe.

        Asks Redis only when a probe is due; where Redis does not answer the replica probes alone.
        """
        if not self.until or (now := self._clock()) >= self.until:
            return 0.0
        if now < self._probe_at:
            return self.until - now
        # Noted before Redis is asked: this replica's other requests do not ask meanwhile.
        self._probe_at = now + PROBE_SECONDS
        if await self._claim_probe():
            self._probes_until = self._clock() + PROBE_SECONDS
            return 0.0
        self._probe_at = now + ASK_SECONDS
        return max(self.until - now, 0.0)

    async def share(self) -> None:
        """Write a changed pause to Redis, else read it from there. Raises StoreUnavailable."""
        if self._redis is None:
            return
        if self._changed:
            self._changed = False
            await self._write(self._redis)
            return
        with mapped():
            found = await self._redis.get(keyspace.egress())
        if self._changed:  # while Redis was asked: the newer state is written next
            return
        until = _time(found)
        if until > self.until:
            self._probe_at = self._clock() + PROBE_SECONDS
        self.until = until
        self.suspected = self.suspected or until > 0

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Share until cancelled."""
        while True:
            await sleep(SHARE_SECONDS)
            try:
                await self.share()
            except StoreUnavailable as error:
                log.debug("egress.waited", error=str(error))

    async def _claim_probe(self) -> bool:
        """Whether the next probe is this replica's; a claim is freed by its expiry only."""
        if self._redis is None:
            return True
        key, milliseconds = keyspace.egress_probe(), int(PROBE_SECONDS * 1000)
        try:
            with mapped():
                return bool(await self._redis.set(key, "1", nx=True, px=milliseconds))
        except StoreUnavailable:
            return True

    async def _write(self, redis: Redis) -> None:
        left = self.until - self._clock()
        try:
            with mapped():
                if left > 0:
                    await redis.set(keyspace.egress(), f"{self.until:.3f}", px=int(left * 1000) + 1)
                else:
                    await redis.delete(keyspace.egress())
        except StoreUnavailable:
            self._changed = True
            raise


def _time(value: object) -> float:
    """A stored time; 0 where there is none that can be read."""
    try:
        seconds = float(str(value or 0))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        UNREADABLE.note("value", "egress", "no time")
        return 0.0
    return seconds
