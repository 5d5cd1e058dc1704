"""Circuit breakers of accounts: open after FAULTS transient faults in a row, then half open.

An open breaker is a cooldown in Redis. Count and cooldown change atomically, so faults that all
replicas see at the same time open a breaker once. Each replica keeps in memory which breakers it
has seen open; a lock in Redis admits one probe at a time.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.accounts.cooldowns import CooldownStore, Opening
from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.pool.lease import Lease

FAULTS: Final = 5
"""Transient faults in a row that open a breaker."""
FIRST_SECONDS: Final = 30.0
"""Seconds a breaker stays open the first time; doubled with each failed probe."""
MOST_SECONDS: Final = 300.0


class Opened(msgspec.Struct, frozen=True):
    """A breaker that was open and is not proven closed; times in seconds since the epoch."""

    since: float = 0.0
    until: float = 0.0


_NEVER: Final = Opened()


class CircuitBreakers:
    """The circuit breakers of all accounts, as one replica knows them."""

    def __init__(
        self, redis: Redis, cooldowns: CooldownStore, *, clock: Callable[[], float]
    ) -> None:
        self._redis = redis
        self._cooldowns = cooldowns
        self._clock = clock
        self.opened: dict[str, Opened] = {}
        """By account id, the breakers that were open and that no answer has closed since."""

    def __repr__(self) -> str:
        return f"<Breakers, not proven: {sorted(self.opened)}>"

    def see(self, cooldowns: Mapping[str, Cooldown]) -> None:
        """Note open breakers from the cooldowns of a snapshot, by account id."""
        for account_id, cooldown in cooldowns.items():
            since = cooldown.since
            if cooldown.reason is CooldownReason.TRANSIENT and since >= self._since(account_id):
                self.opened[account_id] = Opened(since, cooldown.until)

    def counts(self, account_ids: Collection[str]) -> Mapping[str, int]:
        """How many of these accounts' breakers are `open`, and how many `half_open`."""
        now = self._clock()
        known = [found for each, found in self.opened.items() if each in account_ids]
        still_open = sum(now < found.until for found in known)
        return {"open": still_open, "half_open": len(known) - still_open}

    async def may_probe(self, account_id: str) -> bool:
        """Acquire the probe lock of an account; False if it is taken, or Redis is away."""
        try:
            with mapped():
                key = keyspace.probe(account_id)
                return bool(await self._redis.set(key, "1", nx=True, ex=keyspace.PROBE_SECONDS))
        except StoreUnavailable:
            return False

    async def fault(self, lease: Lease, *, code: str = "") -> float | None:
        """Count a transient fault.

        Returns the seconds for which the breaker opens, None if it does not. Attempts begun before
        it last opened are not counted. Raises StoreUnavailable.
        """
        account_id = lease.account.id
        if lease.began < self._since(account_id):
            return None
        now = self._clock()
        opening = Opening(
            now=now,
            faults=FAULTS,
            first_seconds=FIRST_SECONDS,
            most_seconds=MOST_SECONDS,
            code=code,
        )
        seconds = await self._cooldowns.fault(account_id, opening)
        if seconds is not None:
            self.opened[account_id] = Opened(now, now + seconds)
        return seconds

    def close(self, lease: Lease) -> bool:
        """Close the breaker after an answer; False if the attempt began before it opened."""
        opened = self.opened.get(lease.account.id)
        if opened is None:
            return True
        if lease.began < opened.since:
            return False
        del self.opened[lease.account.id]
        return True

    def _since(self, account_id: str) -> float:
        """When an account's breaker was last seen to open; 0 for never."""
        return self.opened.get(account_id, _NEVER).since
