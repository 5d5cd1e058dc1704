"""Circuit breakers of accounts: open after several transient faults in a row, half open until proven.

The count of faults and the cooldown that an opening is are shared by every replica and change in one
step, so what all replicas see fail in one moment opens a breaker once. Which breakers were seen open
is remembered here; a lock in Redis lets one request at a time probe.
"""

from collections.abc import Callable, Mapping
from typing import Final

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
"""How long it stays open the first time; doubled with each failed probe."""
MOST_SECONDS: Final = 300.0


class CircuitBreakers:
    """The breakers of all accounts, as one replica sees them."""

    def __init__(
        self, redis: Redis, cooldowns: CooldownStore, *, clock: Callable[[], float]
    ) -> None:
        self._redis = redis
        self._cooldowns = cooldowns
        self._clock = clock
        self._opened: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Breakers, not proven: {sorted(self._opened)}>"

    def see(self, cooldowns: Mapping[str, Cooldown]) -> None:
        """Remember which are open by the cooldowns of a snapshot."""
        for account_id, cooldown in cooldowns.items():
            if cooldown.reason is CooldownReason.TRANSIENT:
                self._opened[account_id] = max(self._opened.get(account_id, 0.0), cooldown.since)

    def half_open(self, account_id: str) -> bool:
        """Whether an account has not answered since its breaker was seen open."""
        return account_id in self._opened

    async def may_probe(self, account_id: str) -> bool:
        """Whether this request is the one that may try it; without Redis nobody can tell."""
        try:
            with mapped():
                key = keyspace.probe(account_id)
                return bool(await self._redis.set(key, "1", nx=True, ex=keyspace.PROBE_SECONDS))
        except StoreUnavailable:
            return False

    async def fault(self, lease: Lease, *, code: str = "") -> float | None:
        """Count a fault; the seconds the breaker opens for, or None. Raises StoreUnavailable.

        Attempts begun before it opened are not counted: what fails at once is one failure.
        """
        account_id = lease.account.id
        if lease.began < self._opened.get(account_id, 0.0):
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
            self._opened[account_id] = now
        return seconds

    def close(self, lease: Lease) -> bool:
        """An answer closes its account's breaker, unless it was begun before that opened."""
        if lease.began < self._opened.get(lease.account.id, 0.0):
            return False
        self._opened.pop(lease.account.id, None)
        return True
