"""Polls the backend for the quota of accounts without a recent reading from answers.

One replica polls an account per interval; polls are spread over the interval, with exponential
backoff for accounts that fail. A 401 is handled in `upstream.account_api`. An account's cooldown
for spent quota is cleared early when a poll shows that its quota was reset.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from redis.asyncio import Redis

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.model import Account, AccountState, CooldownReason
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.codex.quota_parser import Quota, quota_of_usage
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import mapped
from codex_proapi.gateway.upstream.account_api import AccountApi

POLL_SECONDS: Final = 300
"""Default seconds between two polls of an account without other readings."""
LONGEST_PAUSE: Final = 3600
"""Most seconds between two polls of an account that fails, unless the interval is longer."""
SPREAD: Final = 0.2
"""Jitter of the interval, as a share of it, so that replicas do not poll in step."""

log = structlog.get_logger(__name__)


class QuotaPoller:
    """Plans and makes polls of accounts' quotas.

    Args:
        redis: holds the lock of each account's interval.
        calls: calls the usage endpoint.
        view: the accounts as this replica last read them.
        cooldowns: cooldowns of accounts.
        clock: seconds since the epoch.
        dice: random numbers from 0 to 1, for the jitter.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        calls: AccountApi,
        view: AccountView,
        cooldowns: CooldownStore,
        clock: Callable[[], float],
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._redis = redis
        self._calls = calls
        self._view = view
        self._cooldowns = cooldowns
        self._clock = clock
        self._dice = dice
        self._due: deque[str] = deque()
        self._failures: dict[str, int] = {}
        self.interval = POLL_SECONDS
        """Seconds; may change while running."""

    @property
    def asks_reserve(self) -> bool:
        """Whether accounts' reserves are asked for; may change while running."""
        return self._calls.reserve

    @asks_reserve.setter
    def asks_reserve(self, wanted: bool) -> None:
        self._calls.reserve = wanted

    def __repr__(self) -> str:
        return f"<QuotaPoller every {self.interval} s, {len(self._due)} due>"

    def plan(self, seen_at: Mapping[str, float]) -> None:
        """Queue the accounts whose reading is older than the interval, the oldest first.

        Args:
            seen_at: time of the last reading by account id, seconds since the epoch.
        """
        since = self._clock() - self.interval
        ages = {
            account.id: seen_at.get(account.id, 0.0)
            for account in self._view.accounts.values()
            if in_use(account) and kind_of(account).has_quota
        }
        due = (account_id for account_id, at in ages.items() if at < since)
        self._due = deque(sorted(due, key=lambda account_id: ages[account_id]))

    async def ask(self, seconds: float) -> dict[str, Quota]:
        """Poll queued accounts; returns their quotas by account id.

        Args:
            seconds: time until the next call; it bounds the polls to this share of the interval.

        Raises StoreUnavailable.
        """
        polled: dict[str, Quota] = {}
        share = math.ceil(len(self._view.accounts) * seconds / self.interval)
        while self._due and share > 0:
            account_id = self._due.popleft()
            if account_id in self._view.accounts and await self._elected(account_id):
                share -= 1
                quota = await self._poll_account(account_id)
                if quota is not None:
                    polled[account_id] = quota
        return polled

    async def _poll_account(self, account_id: str) -> Quota | None:
        begun = self._clock()
        response = await self._calls.usage(self._view.accounts[account_id])
        quota = quota_of_usage(response.body) if response is not None else None
        if quota is None:
            await self._leave_alone(account_id)
            return None
        self._failures.pop(account_id, None)
        known = quota.windows or quota.spending
        spent = quota.reached or quota.spent_window is not None
        if known and not spent and await self._cools(account_id):
            # An account that spent its quota during the call has not recovered.
            reasons = {CooldownReason.QUOTA}
            if await self._cooldowns.clear(account_id, reasons=reasons, begun_by=begun):
                log.info("account.recovered", account=account_id, reason=CooldownReason.QUOTA.value)
        return quota

    async def _cools(self, account_id: str) -> bool:
        """Whether an account is in cooldown for spent quota."""
        cooling = await self._cooldowns.all([account_id], now=self._clock())
        cooldown = cooling.get(account_id, {}).get("")
        return cooldown is not None and cooldown.reason is CooldownReason.QUOTA

    async def _leave_alone(self, account_id: str) -> None:
        """Back off from an account that failed, on all replicas."""
        failures = self._failures[account_id] = self._failures.get(account_id, 0) + 1
        pause = min(self.interval * 2 ** min(failures, 10), max(LONGEST_PAUSE, self.interval))
        with mapped():
            await self._redis.expire(keyspace.quota_poll(account_id), pause)

    async def _elected(self, account_id: str) -> bool:
        """Acquire the lock for polling an account in this interval."""
        seconds = round(self.interval * (1 + SPREAD * (self._dice() - 0.5)))
        with mapped():
            key = keyspace.quota_poll(account_id)
            return bool(await self._redis.set(key, "1", nx=True, ex=seconds))


def in_use(account: Account) -> bool:
    """Whether an account is in use: not paused, not closed, and of a known state."""
    unusable = {AccountState.DEACTIVATED, AccountState.UNKNOWN}
    return not account.is_paused and account.state not in unusable
