"""The quota that clients see for their key, in place of any single account's quota.

For a key with budgets it consists of these. For one without it is the mean over the accounts
that the key may spend, by length of window.
"""

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Final

import msgspec

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenQuota, SeenWindow
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.api_keys.budgets import (
    NOTHING,
    Budget,
    Spent,
    budgets_of,
    days_counted,
    spent_in,
)
from codex_proapi.commons.api_keys.limits import Limits, Unit
from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.commons.codex.quota_parser import Quota, QuotaWindow, window_name
from codex_proapi.commons.owner_terms.closing import admits
from codex_proapi.commons.prices.price_table import PriceView, cost_of_models, costs_of_days
from codex_proapi.commons.prices.token_costs import Cost
from codex_proapi.commons.usage.calendar import UTC, Calendar
from codex_proapi.commons.usage.counters import Counters, UsageStore
from codex_proapi.gateway.formats.codex.quota_encoder import quota_of_windows
from codex_proapi.gateway.limits.limit_charge import LimitCharge

MINUTE: Final = 60
WITHOUT_KEY: Final = "open"
"""The subject of usage without a key."""


class KeyFigures(msgspec.Struct, frozen=True):
    """What a key has used."""

    budgets: tuple[Budget, ...]
    """Its budgets, the shortest first."""
    days: dict[str, Counters]
    """Counters by day (`2026-11-24`), from today back."""
    costs: dict[str, Cost]
    """What each of these days' tokens would cost at list prices."""


class KeyQuota:
    """Reads the quota of keys from usage counters, and from the quotas of accounts."""

    def __init__(
        self,
        *,
        usage: UsageStore,
        quotas: QuotaStore,
        view: AccountView,
        prices: PriceView,
        clock: Callable[[], float],
    ) -> None:
        self._usage = usage
        self._quotas = quotas
        self._view = view
        self._prices = prices
        self._clock = clock
        self.calendar = UTC
        """Whose days and months budgets count; may change while running."""

    def __repr__(self) -> str:
        return f"<KeyQuota of {self._view!r}>"

    async def of(self, key: ApiKey | None) -> Quota:
        """The quota of a key; None for clients without a key. Raises StoreUnavailable."""
        now, calendar = self._clock(), self.calendar
        days = days_counted(key.limits, now, calendar) if key is not None else ()
        if key is not None and days:
            spent, cost = await self._spent(key, days, now)
            return share_of_budgets(key.limits, spent, now, calendar, cost=cost)
        accounts = [
            account.id
            for account in self._view.accounts.values()
            if account.works(now) and not account.is_paused and _may_use(account, key)
        ]
        seen = await self._quotas.all(accounts)
        return share_of_pool(seen.values(), now)

    async def figures(self, key: ApiKey | None, days: int) -> KeyFigures:
        """Budgets and counters of a key; None for clients without one. Raises StoreUnavailable.

        Args:
            key: the key.
            days: how many days of counters, from today back.
        """
        now, calendar = self._clock(), self.calendar
        budgets: tuple[Budget, ...] = ()
        if key is not None and (counted := days_counted(key.limits, now, calendar)):
            spent, cost = await self._spent(key, counted, now)
            budgets = budgets_of(key.limits, spent, now, calendar, cost=cost)
        subject = key.id if key is not None else WITHOUT_KEY
        wanted = calendar.days_back(now, days)
        read = await self._usage.read("key", wanted, subjects=[subject])
        models = await self._usage.read_models([subject], wanted)
        prices = self._prices.table.prices
        return KeyFigures(
            budgets,
            {day: found[subject] for day, found in read.items()},
            {day: cost_of_models(models.get(day, {}), prices) for day in wanted},
        )

    async def _spent(self, key: ApiKey, days: Sequence[str], now: float) -> tuple[Spent, Spent]:
        """What the key has used of its budgets: tokens, and money."""
        tokens = await self._usage.tokens(key.id, days)
        spent = spent_in(tokens, key.limits, now, self.calendar)
        if not key.limits.priced:
            return spent, NOTHING
        by_day = await self._usage.read_models([key.id], days)
        costs = costs_of_days(by_day, days, self._prices.table.prices)
        return spent, spent_in(costs, key.limits, now, self.calendar, unit=Unit.MICRO_USD)


def _may_use(account: Account, key: ApiKey | None) -> bool:
    """Whether a key may spend an account at all: by its own list, and by the owner's terms."""
    key_id, group = (key.id, key.group) if key is not None else ("", "")
    allowed = key.allowed_accounts if key is not None else ()
    return (not allowed or account.id in allowed) and admits(
        account.terms, key_id=key_id, group=group
    )


def share_of_charge(charge: LimitCharge | None) -> Quota:
    """The quota from a charge's result; empty if there is none, or the key has no budget."""
    allowance = charge.allowance if charge is not None else None
    if charge is None or allowance is None:
        return Quota()
    return share_of_budgets(
        charge.limits, allowance.spent, allowance.at, charge.calendar, cost=allowance.cost
    )


def share_of_budgets(
    limits: Limits, spent: Spent, now: float, calendar: Calendar = UTC, *, cost: Spent = NOTHING
) -> Quota:
    """The quota of a key with budgets, of each length the fuller one; empty for a key without."""
    fullest: dict[int, Budget] = {}
    for budget in budgets_of(limits, spent, now, calendar, cost=cost):
        before = fullest.get(budget.minutes)
        if before is None or budget.spent * before.limit > before.spent * budget.limit:
            fullest[budget.minutes] = budget
    windows = [
        QuotaWindow(
            minutes=budget.minutes,
            used_percent=budget.used_percent,
            resets_at=budget.resets_at,
            resets_in=_seconds_until(budget.resets_at, now),
        )
        for _, budget in sorted(fullest.items())
    ]
    return quota_of_windows(windows) if windows else Quota()


def share_of_pool(seen: Iterable[SeenQuota], now: float) -> Quota:
    """The quota of a key without budgets, from the last readings of accounts' quotas."""
    by_length: dict[str, list[SeenWindow]] = {}
    for quota in seen:
        for window in quota.windows:
            if window.minutes:
                by_length.setdefault(window_name(window.minutes), []).append(window)
    return quota_of_windows(_mean(windows, now) for windows in by_length.values())


def _mean(windows: Iterable[SeenWindow], now: float) -> QuotaWindow:
    """The mean of several accounts' windows; it resets when the first of them does.

    A window whose reset has passed since its reading counts as unused.
    """
    known = list(windows)
    minutes = max(window.minutes for window in known)
    used = [0.0 if 0 < w.resets_at <= now else min(100.0, w.used_percent) for w in known]
    ends = [w.resets_at for w in known if w.resets_at > now and w.used_percent > 0]
    resets_at = min(ends, default=int(now) + minutes * MINUTE)
    return QuotaWindow(
        minutes=minutes,
        used_percent=fmean(used),
        resets_at=resets_at,
        resets_in=_seconds_until(resets_at, now),
    )


def _seconds_until(at: int, now: float) -> int:
    return max(0, round(at - now))
