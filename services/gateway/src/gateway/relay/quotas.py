"""Accounts' quota as upstream tells it in passing, kept for the console; and early recovery.

An account that cools for its quota is asked about it every five minutes by one replica: a reset may
come before its time. Nobody's credential or cooldown is judged here by anything but what upstream
says of its windows.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from commons import redis_keys
from commons.accounts.cooldowns import CooldownStore
from commons.accounts.model import Account, CooldownReason
from commons.accounts.quota import (
    QuotaStore,
    SeenCredits,
    SeenFamily,
    SeenQuota,
    SeenWindow,
)
from commons.accounts.store import AccountView
from commons.errors import StoreUnavailable
from commons.redis_pool import mapped
from gateway.choice.ballot import Window
from gateway.dialects.quota import Credits, Quota, QuotaWindow, quota_of_headers, quota_of_usage
from gateway.relay.account_calls import AccountCalls

KEEP_SECONDS: Final = 5.0
"""Time between two writings of what answers told."""
UNCHANGED_SECONDS: Final = 60.0
"""How long a quota that has not changed is not written again."""
RECHECK_SECONDS: Final = 300
"""Time between two questions about one account's quota."""
STALE_SECONDS: Final = 1800.0
"""Age from which an idle account's quota is asked for."""
ROUNDS_PER_LOOK: Final = 6
"""Writings between two looks at who cools."""
SIGN: Final = "x-codex-primary-used-percent"

log = structlog.get_logger(__name__)


class Quotas:
    """What is known of every account's quota."""

    def __init__(
        self,
        redis: Redis,
        *,
        calls: AccountCalls,
        view: AccountView,
        cooldowns: CooldownStore,
        clock: Callable[[], float],
        show: Callable[[Mapping[str, SeenQuota]], None] = lambda _: None,
    ) -> None:
        self._redis = redis
        self._show = show
        self._store = QuotaStore(redis)
        self._calls = calls
        self._view = view
        self._cooldowns = cooldowns
        self._clock = clock
        self._heard: dict[str, tuple[float, Mapping[str, str] | Quota]] = {}
        self._known: dict[str, SeenQuota] = {}

    def __repr__(self) -> str:
        return f"<Quotas of {len(self._known)} accounts>"

    def saw_headers(self, account_id: str, headers: Mapping[str, str]) -> None:
        """An answer's headers tell of its account's quota; they are read later."""
        if SIGN in headers:
            self._heard[account_id] = self._clock(), headers

    def saw_quota(self, account_id: str, quota: Quota) -> None:
        """A refusal, or an event in a stream, tells of its account's quota."""
        self._heard[account_id] = self._clock(), quota

    def windows(self, account_id: str, model: str) -> tuple[Window, ...]:
        """The windows that hold for a model, as the choice sees them; empty is unknown."""
        known = self._known.get(account_id)
        return () if known is None else _windows(known, model)

    def credits(self, account_id: str) -> bool:
        """Whether bought credits go on where the windows end."""
        known = self._known.get(account_id)
        bought = known.credits if known is not None else None
        return bought is not None and (bought.has_credits or bought.unlimited)

    async def keep(self) -> None:
        """Write what was heard. Raises StoreUnavailable; the next answer brings it again."""
        heard, self._heard = self._heard, {}
        for account_id, (at, said) in heard.items():
            quota = said if isinstance(said, Quota) else quota_of_headers(said)
            if quota is not None:
                await self._keep(account_id, seen(quota, at))

    async def look(self) -> None:
        """Ask about accounts that cool for their quota, or were not heard of for long."""
        self._known = {**self._known, **await self._store.all(list(self._view.accounts))}
        now = self._clock()
        cooling = await self._cooldowns.all(self._view.accounts, now=now)
        for account in list(self._view.accounts.values()):
            cooldown = cooling.get(account.id, {}).get("")
            spent = cooldown is not None and cooldown.reason is CooldownReason.QUOTA
            known = self._known.get(account.id)
            stale = known is None or known.seen_at < now - STALE_SECONDS
            if not account.paused and (spent or stale) and await self._elected(account.id):
                await self._ask(account, spent=spent)

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Write and look, until cancelled."""
        rounds = 0
        while True:
            try:
                await self.keep()
                if rounds % ROUNDS_PER_LOOK == 0:
                    await self.look()
            except StoreUnavailable as error:
                log.debug("quota.kept", error=str(error))
            present = self._view.accounts
            self._show({id_: known for id_, known in self._known.items() if id_ in present})
            rounds += 1
            await sleep(KEEP_SECONDS)

    async def _ask(self, account: Account, *, spent: bool) -> None:
        told = await self._calls.usage(account)
        quota = quota_of_usage(told.body) if told is not None else None
        if quota is None:
            return
        await self._keep(account.id, seen(quota, self._clock()))
        if spent and not quota.reached and quota.spent_window is None:
            await self._cooldowns.clear(account.id, reasons={CooldownReason.QUOTA})
            log.info("account.recovered", account=account.id, reason=CooldownReason.QUOTA.value)

    async def _keep(self, account_id: str, quota: SeenQuota) -> None:
        known = self._known.get(account_id)
        if known is not None and known.seen_at > quota.seen_at - UNCHANGED_SECONDS:
            quota_then = msgspec.structs.replace(quota, seen_at=known.seen_at)
            if quota_then == known:
                return
        self._known[account_id] = quota
        await self._store.keep(account_id, quota)

    async def _elected(self, account_id: str) -> bool:
        with mapped():
            key = redis_keys.quota_poll(account_id)
            return bool(await self._redis.set(key, "1", nx=True, ex=RECHECK_SECONDS))


@functools.lru_cache(maxsize=1024)
def _windows(known: SeenQuota, model: str) -> tuple[Window, ...]:
    return tuple(
        Window(minutes=w.minutes, used=w.used_percent, resets_at=float(w.resets_at))
        for w in known.windows_for(model)
    )


def seen(quota: Quota, at: float) -> SeenQuota:
    """A reading of a quota as it is kept."""
    return SeenQuota(
        seen_at=at,
        plan=quota.plan,
        active_limit=quota.active_limit,
        families=tuple(
            SeenFamily(
                id=family.id,
                name=family.name,
                windows=tuple(_window(window, at) for window in family.windows),
            )
            for family in quota.families
        ),
        credits=_credits(quota.credits) if quota.credits else None,
        spending=_window(quota.spending, at) if quota.spending else None,
        reached=quota.reached,
        reached_type=quota.reached_type,
    )


def _window(window: QuotaWindow, at: float) -> SeenWindow:
    resets_at = window.resets_at or (round(at + window.resets_in) if window.resets_in else 0)
    return SeenWindow(minutes=window.minutes, used_percent=window.used_percent, resets_at=resets_at)


def _credits(credits_: Credits) -> SeenCredits:
    return SeenCredits(
        has_credits=credits_.has_credits, unlimited=credits_.unlimited, balance=credits_.balance
    )
