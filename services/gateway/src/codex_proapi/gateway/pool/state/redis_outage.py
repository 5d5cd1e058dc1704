"""Snapshots while Redis is away: made from memory during the grace period, refused after it.

A failed snapshot opens the circuit breaker of Redis; a background probe detects when Redis is back,
so no request waits for a time-out. During `REDIS_GRACE_SECONDS` accounts are selected from earlier
snapshots. Requests that need Redis are refused: keys with limits, keys not cached, expired tokens.
When Redis is back all caches are dropped: a replica of Redis without the last writes may have been
promoted, and its versions may reach the cached numbers again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import structlog

from codex_proapi.commons.accounts.model import Cooldown
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker, is_late
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.pool.state.snapshot import PoolSnapshot, SnapshotReader, SnapshotRequest

PROBE_SECONDS: Final = 0.25
"""Seconds between two probes while Redis is away."""
UNSEEN_SECONDS: Final = 2.0
"""Seconds without a reply from Redis after which an idle replica probes it."""
MOST_TIES: Final = 5_000
"""Most conversations whose account is cached."""

log = structlog.get_logger(__name__)


class Versioned(Protocol):
    """A cache of data in Redis that carries a version."""

    @property
    def version(self) -> int:
        """The version of the cached data."""

    def forget(self) -> None:
        """Drop the cached data."""


class Keys(Versioned, Protocol):
    """The cache of API keys."""

    def see(self, version: int) -> None:
        """Drop the cached keys if they have another version."""


class RedisOutage:
    """Reads snapshots from Redis, or makes them from memory during the grace period.

    Args:
        snapshots: reads from Redis.
        accounts: cache of accounts.
        keys: cache of API keys.
        redis_breaker: circuit breaker of Redis.
        metrics: counts snapshots made from memory.
        clock: the shared clock.
        returned: called when Redis is back.
    """

    def __init__(
        self,
        snapshots: SnapshotReader,
        *,
        accounts: Versioned,
        keys: Keys,
        redis_breaker: RedisCircuitBreaker,
        metrics: Metrics,
        clock: SharedClock,
        returned: Callable[[], object] = lambda: None,
    ) -> None:
        self._snapshots = snapshots
        self._accounts = accounts
        self._keys = keys
        self._redis_breaker = redis_breaker
        self._metrics = metrics
        self._clock = clock
        self._returned: list[Callable[[], object]] = [returned]
        self._serving = False
        self._cursor = 0
        self._cooldowns: Mapping[str, Cooldown] = {}
        self._cooldowns_of: dict[str, Mapping[str, Cooldown]] = {}
        self._ties: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<RedisOutage behind {self._redis_breaker!r}, {len(self._ties)} conversations remembered>"

    async def read(self, request: SnapshotRequest) -> PoolSnapshot:
        """Read a snapshot from Redis, or make one from memory.

        Fair shares are not enforced during the grace period.

        Raises:
            StoreUnavailable: Redis is away and the grace period is over, or the key has limits.
        """
        if not self._redis_breaker.shut:
            began = self._redis_breaker.now()
            try:
                found: PoolSnapshot | None = await self._snapshots.read(request)
            except StoreUnavailable as error:
                found = await self._again(error, request, since=began)
            if found is not None:
                self._redis_breaker.see()
                self._remember(found, request)
                return found
        if request.charge is not None or not self._redis_breaker.in_grace():
            raise StoreUnavailable("Redis is away.")
        return self._recall(request)

    async def _again(
        self, error: StoreUnavailable, request: SnapshotRequest, *, since: float
    ) -> PoolSnapshot | None:
        """Read from Redis once more after a time-out, which a busy event loop may cause.

        None if Redis is away; raises the last error if it is not.
        """
        breaker = self._redis_breaker
        breaker.fail(error, since=since)
        if is_late(error) and not breaker.shut:
            since = breaker.now()
            try:
                return await self._snapshots.read(request)
            except StoreUnavailable as latest:
                breaker.fail(latest, since=since)
                error = latest
        if not breaker.shut:
            raise error
        return None

    @property
    def pool_version(self) -> str:
        """Version of cooldowns and accounts as of the last snapshot; empty before the first one."""
        return self._snapshots.pool_version

    async def read_pool_version(self) -> str:
        """Read that version. Raises StoreUnavailable."""
        if self._redis_breaker.shut:
            raise StoreUnavailable("Redis is away.")
        return await self._snapshots.read_pool_version()

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Probe Redis regularly until cancelled."""
        while True:
            await sleep(PROBE_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Probe Redis if it is away, or if no request has used it for UNSEEN_SECONDS."""
        began = self._redis_breaker.now()
        try:
            if self._redis_breaker.shut:
                # A snapshot writes the cursor; a PING would succeed on a read-only replica too.
                await self._snapshots.read(SnapshotRequest(account_ids=(), model=""))
                self._return()
            elif began - self._redis_breaker.seen_at > UNSEEN_SECONDS:
                _, keys = await self._snapshots.versions()
                self._keys.see(keys)
            else:
                return
        except StoreUnavailable as error:
            self._redis_breaker.fail(error, since=began)
            self._end()
        else:
            self._redis_breaker.see()

    def on_return(self, call: Callable[[], object]) -> None:
        """Call this, too, whenever Redis is back."""
        self._returned.append(call)

    def close(self) -> None:
        """Close the circuit breaker on shutdown, so that the last writes are attempted."""
        self._redis_breaker.open()

    def _end(self) -> None:
        """Log once that the grace period is over."""
        if self._serving and not self._redis_breaker.in_grace():
            self._serving = False
            log.warning("grace.ended")

    def _return(self) -> None:
        self._serving = False
        self._accounts.forget()
        self._keys.forget()
        self._redis_breaker.open()
        for call in self._returned:
            call()

    def _remember(self, snapshot: PoolSnapshot, request: SnapshotRequest) -> None:
        affinity = request.affinity
        self._cooldowns = self._cooldowns_of[request.model] = snapshot.cooldowns
        if snapshot.cursor is not None:
            self._cursor = snapshot.cursor
        if affinity and snapshot.affine and not snapshot.tentative:
            self._ties.pop(affinity, None)
            if len(self._ties) >= MOST_TIES:
                self._ties.pop(next(iter(self._ties)))
            self._ties[affinity] = snapshot.affine

    def _recall(self, request: SnapshotRequest) -> PoolSnapshot:
        """A snapshot from cached cooldowns and ties; the cursor is this replica's own."""
        affinity = request.affinity
        now = self._clock()
        known = self._cooldowns_of.get(request.model, self._cooldowns)
        cooldowns = self._cooldowns_of[request.model] = _in_force(known, now)
        affine = self._ties.get(affinity) if affinity else None
        if affine is None or not request.may_stay(affine) or affine in cooldowns:
            affine = None
            self._cursor += 1
        self._metrics.graced.inc()
        self._serving = True
        return PoolSnapshot(
            now=now,
            accounts_version=self._accounts.version,
            keys_version=self._keys.version,
            cursor=self._cursor if affine is None else None,
            affine=affine,
            cooldowns=cooldowns,
        )


def _in_force(cooldowns: Mapping[str, Cooldown], now: float) -> Mapping[str, Cooldown]:
    """The cooldowns that have not ended; the same object if none has."""
    if all(each.until > now for each in cooldowns.values()):
        return cooldowns
    return {account: each for account, each in cooldowns.items() if each.until > now}
