"""Reads what is recorded of the last weeks, for a what-if question."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.quota_store import GENERAL, QuotaStore, SeenQuota, SeenWindow
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.owner_terms.terms import ReservedPercent
from codex_proapi.commons.usage.calendar import Calendar, calendar_of
from codex_proapi.commons.usage.counters import Counters, UsageStore
from codex_proapi.commons.usage.sums import Sums
from codex_proapi.console.what_if.replay.question import MOST_WEEKS
from codex_proapi.console.what_if.replay.records import (
    Hour,
    RecordedAccount,
    RecordedWindow,
    Records,
    Tokens,
)
from codex_proapi.console.what_if.replay.week import FIVE_HOURS, WEEKLY
from codex_proapi.console.what_if.replay.week_replay import RESERVE

DAY: Final = 86_400
HOUR: Final = 3600
MOST_WINDOW_DAYS: Final = 32
"""Days back in which a window that still runs may have begun."""
SHORT_DAYS: Final = 2
"""Days read by the hour: a window of hours has begun in them."""
_DAY_MINUTES: Final = 1440


class RecordReader:
    """Reads from the stores that both services share."""

    def __init__(
        self,
        *,
        accounts: AccountStore,
        quotas: QuotaStore,
        usage: UsageStore,
        live_settings: LiveSettingsStore,
    ) -> None:
        self._accounts = accounts
        self._quotas = quotas
        self._usage = usage
        self._live_settings = live_settings

    def __repr__(self) -> str:
        return "<RecordReader>"

    async def read(self, now: float) -> Records:
        """What is recorded until a moment, seconds since the epoch."""
        live = await self._live_settings.read()
        calendar = calendar_of(live.time_zone)
        accounts = [account for account in await self._accounts.list() if _serves(account, now)]
        quotas = await self._quotas.all([account.id for account in accounts])
        until = now // HOUR * HOUR
        days = [*reversed(calendar.days_back(now, MOST_WEEKS * 7 + 1))]
        hours, left_out = await self._hours(days, quotas, until=until)
        people = await self._usage.total("key", days)
        return Records(
            now=until,
            since=float(hours[0].at) if hours else until,
            hours=tuple(hours),
            left_out=left_out,
            people=sum(1 for counters in people.values() if counters.requests),
            accounts=await self._recorded(accounts, quotas, calendar=calendar, now=now),
            routing=live.routing or Routing.AFFINITY,
            reserve=RESERVE if live.quota_reserve is None else live.quota_reserve,
            has_hours=any(account.terms.hours for account in accounts),
            account_streams=live.account_streams or 0,
        )

    async def _hours(
        self, days: Sequence[str], quotas: Mapping[str, SeenQuota], *, until: float
    ) -> tuple[list[Hour], float]:
        """The hours of the general windows, and the percent of requests that count in others."""
        hours: list[Hour] = []
        others = whole = 0
        families = {f for q in quotas.values() for f in q.families if f.id != GENERAL and f.windows}
        own: dict[str, bool] = {}
        async for at, sums in self._usage.hours.each_hour("model", days):
            total = Counters()
            for model, counters in sums.items():
                whole += counters.requests
                if model not in own:
                    own[model] = any(family.is_of(model) for family in families)
                if own[model]:
                    others += counters.requests
                else:
                    total.add(counters)
            if total.requests and at < until:
                hours.append(
                    Hour(
                        at=at,
                        requests=total.requests,
                        refused=min(total.errors, total.requests),
                        tokens=_tokens(total),
                    )
                )
        hours.sort(key=lambda hour: hour.at)
        return hours, 100 * others / whole if whole else 0.0

    async def _recorded(
        self,
        accounts: Sequence[Account],
        quotas: Mapping[str, SeenQuota],
        *,
        calendar: Calendar,
        now: float,
    ) -> tuple[RecordedAccount, ...]:
        windows = {id_: _windows_of(quota, now) for id_, quota in quotas.items()}
        longest = max((w.minutes for each in windows.values() for w in each), default=0)
        back = min(MOST_WINDOW_DAYS, longest // _DAY_MINUTES + 2)
        by_day = await self._usage.read("account", calendar.days_back(now, back))
        begins = {day: float(calendar.begin_of(day)) for day in by_day}
        by_hour: dict[int, Sums] = {}
        async for at, sums in self._usage.hours.each_hour(
            "account", calendar.days_back(now, SHORT_DAYS)
        ):
            by_hour[at] = _by_account(sums)

        def recorded(account: Account, window: SeenWindow) -> RecordedWindow:
            begun = window.resets_at - window.minutes * 60 if window.resets_at else now
            parts = (
                [(at, HOUR, sums) for at, sums in by_hour.items()]
                if window.minutes < _DAY_MINUTES
                else [(begins[day], DAY, sums) for day, sums in by_day.items()]
            )
            return RecordedWindow(
                minutes=window.minutes,
                used=window.used_percent,
                resets_at=float(window.resets_at),
                spent=spent_since(
                    begun, [(at, length, s.get(account.id)) for at, length, s in parts]
                ),
            )

        found = []
        for account in accounts:
            found.append(
                RecordedAccount(
                    id=account.id,
                    plan=account.plan,
                    weight=account.weight,
                    windows=tuple(recorded(account, w) for w in windows.get(account.id, ())),
                    reserved=reserved_of(
                        account.terms.reserved_percent,
                        [window.minutes for window in windows.get(account.id, ())],
                    ),
                )
            )
            await asyncio.sleep(0)  # others are served between two accounts
        return tuple(found)


def spent_since(begun: float, parts: Sequence[tuple[float, float, Counters | None]]) -> Tokens:
    """What was counted since a moment.

    Args:
        begun: The moment.
        parts: Begin, seconds and counters of each day, or hour; of the one in which the moment lies
            as much counts as lies behind it.
    """
    sums = dict.fromkeys(Tokens.__struct_fields__, 0.0)
    for at, length, counters in parts:
        share = min(1.0, max(0.0, (at + length - begun) / length))
        if counters is None or not share:
            continue
        for name in sums:
            sums[name] += getattr(counters, name) * share
    return Tokens(**{name: round(value) for name, value in sums.items()})


def _serves(account: Account, now: float) -> bool:
    """Whether an account serves, or will again by itself."""
    return account.works(now) and not (
        account.paused or account.terms.paused or account.terms.unreadable
    )


def _windows_of(quota: SeenQuota, now: float) -> tuple[SeenWindow, ...]:
    """The general windows; one that has reset since it was seen is not used."""
    return tuple(
        msgspec.structs.replace(window, used_percent=0.0) if 0 < window.resets_at <= now else window
        for window in quota.windows
        if window.minutes > 0
    )


def reserved_of(share: ReservedPercent, lengths: Sequence[int]) -> tuple[float, float]:
    """The percent of a short and of a long window that stays the owner's.

    Args:
        share: What stays of each kind of window.
        lengths: Minutes of the windows that are seen, the shortest first; without one of hours, or of
            days, it is that of five hours, or of a week.
    """
    short = next((each for each in lengths if each < _DAY_MINUTES), FIVE_HOURS)
    long = next((each for each in reversed(lengths) if each >= _DAY_MINUTES), WEEKLY)
    return share.of(short), share.of(long)


def _by_account(sums: Sums) -> Sums:
    """Counters by `account model` together by account."""
    found: Sums = {}
    for subject, counters in sums.items():
        found.setdefault(subject.partition(" ")[0], Counters()).add(counters)
    return found


def _tokens(counters: Counters) -> Tokens:
    return Tokens(input=counters.input, cached=counters.cached, output=counters.output)
