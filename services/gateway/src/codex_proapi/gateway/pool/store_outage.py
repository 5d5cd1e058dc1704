"""Snapshots while Redis is away: refused at once, or made from memory for a bounded time.

A snapshot that fails opens the circuit breaker before Redis; one probe at a time finds out when it
is back, so no request waits for it. During `REDIS_GRACE_SECONDS` accounts are chosen by the
snapshots read before. What cannot be known without Redis is refused: keys with limits, keys not
seen before, tokens that have ended. When Redis is back everything remembered is read anew: another
server may have taken over that never saw the last writes, and its versions may count up to ours
again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import structlog

from codex_proapi.commons.accounts.model import Cooldown
from codex_proapi.commons.redis.circuit_breaker import RedisCircuitBreaker, is_late
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.clock import SharedClock
from codex_proapi.gateway.pool.snapshot import PoolSnapshot, SnapshotReader, SnapshotRequest

PROBE_SECONDS: Final = 0.25
"""Between two probes while Redis is away."""
UNSEEN_SECONDS: Final = 2.0
"""How long Redis goes unseen before it is looked for, where no request does so."""
MOST_TIES: Final = 5_000
"""Conversations whose account is remembered."""

log = structlog.get_logger(__name__)


class Versioned(Protocol):
    """Something remembered of Redis under a version."""

    @property
    def version(self) -> int:
        """The version it was read at."""

    def forget(self) -> None:
        """Read it anew when it is next needed."""


class Keys(Versioned, Protocol):
    """The keys this process has seen."""

    def see(self, version: int) -> None:
        """Forget them if this is another version."""


class StoreOutage:
    """Reads snapshots from Redis, or makes them from memory where that is allowed."""

    def __init__(
        self,
        snapshots: SnapshotReader,
        *,
        accounts: Versioned,
        keys: Keys,
        gate: RedisCircuitBreaker,
        metrics: Metrics,
        clock: SharedClock,
        returned: Callable[[], None] = lambda: None,
    ) -> None:
        self._snapshots = snapshots
        self._accounts = accounts
        self._keys = keys
        self._gate = gate
        self._metrics = metrics
        self._clock = clock
        self._returned = returned
        self._serving = False
        self._cursor = 0
        self._cooldowns: dict[str, Cooldown] = {}
        self._cooldowns_of: dict[str, dict[str, Cooldown]] = {}
        self._ties: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<StoreOutage behind {self._gate!r}, {len(self._ties)} conversations remembered>"

    async def read(self, request: SnapshotRequest) -> PoolSnapshot:
        """Read from Redis, or make a snapshot up from memory. Raises StoreUnavailable.

        A fair share is never claimed from memory: for so short a time no key is held to one.
        """
        if not self._gate.shut:
            began = self._gate.now()
            try:
                snapshot = await self._read(request)
            except StoreUnavailable as error:
                self._gate.fail(error, since=began)
                if not self._gate.shut:
                    raise
            else:
                self._gate.see()
                self._remember(snapshot, request)
                return snapshot
        if request.charge is not None or not self._gate.in_grace():
            raise StoreUnavailable("Redis is away.")
        return self._recall(request)

    async def _read(self, request: SnapshotRequest) -> PoolSnapshot:
        """Read from Redis, once more where a single time-out may have been our own doing."""
        began = self._gate.now()
        try:
            return await self._snapshots.read(request)
        except StoreUnavailable as error:
            if not is_late(error):
                raise
            self._gate.fail(error, since=began)
            if self._gate.shut:
                raise
        began = self._gate.now()
        try:
            return await self._snapshots.read(request)
        except StoreUnavailable as error:
            self._gate.fail(error, since=began)
            raise

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Keep knowing whether Redis is there, until cancelled."""
        while True:
            await sleep(PROBE_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Find out whether Redis is there, unless a request has just done so."""
        began = self._gate.now()
        try:
            if self._gate.shut:
                # A turn is what requests need, and it writes: a replica would answer a ping.
                await self._snapshots.read(SnapshotRequest(account_ids=(), model=""))
                self._return()
            elif began - self._gate.seen_at > UNSEEN_SECONDS:
                _, keys = await self._snapshots.versions()
                self._keys.see(keys)
            else:
                return
        except StoreUnavailable as error:
            self._gate.fail(error, since=began)
            self._end()
        else:
            self._gate.see()

    def close(self) -> None:
        """Let the last writes find out for themselves."""
        self._gate.open()

    def _end(self) -> None:
        """Say once that the grace is over."""
        if self._serving and not self._gate.in_grace():
            self._serving = False
            log.warning("grace.ended")

    def _return(self) -> None:
        self._serving = False
        self._accounts.forget()
        self._keys.forget()
        self._gate.open()
        self._returned()

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
        """What Redis would say if nothing had changed; the turns are this replica's own."""
        affinity = request.affinity
        now = self._clock()
        cooldowns = _in_force(self._cooldowns_of.get(request.model, self._cooldowns), now)
        affine = self._ties.get(affinity) if affinity else None
        if affine not in request.account_ids or affine in cooldowns:
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


def _in_force(cooldowns: Mapping[str, Cooldown], now: float) -> dict[str, Cooldown]:
    return {account: each for account, each in cooldowns.items() if each.until > now}
