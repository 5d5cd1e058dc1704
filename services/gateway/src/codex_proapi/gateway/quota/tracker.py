"""Tracks the quota of every account from answers and polls, and stores it for both services.

Readings from headers and events are collected without parsing and written together every few
seconds; readings of several replicas are merged in Redis. This replica's own readings apply to its
next selection at once. Polling is done by `quota.poller`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from codex_proapi.commons.accounts.quota_merge import join, seen
from codex_proapi.commons.accounts.quota_store import QuotaStore, SeenQuota
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.balancing.candidates import Window
from codex_proapi.commons.codex.quota_parser import Quota, combined, quota_of_headers
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.metrics.quota_gauges import QuotaFigures
from codex_proapi.gateway.quota.changes import QuotaChanges
from codex_proapi.gateway.quota.poller import QuotaPoller, in_use

KEEP_SECONDS: Final = 5.0
"""Seconds between two writes of collected readings."""
UNCHANGED_SECONDS: Final = 60.0
"""Seconds until an unchanged quota is written again."""
ROUNDS_PER_CHECK: Final = 6
"""Writes between two reads of what other replicas have stored."""
READING_SECONDS: Final = 900.0
"""Seconds after which a reading is too old for an owner's share; or three polls, if that is longer."""
PREFIX: Final = "x-codex-"
ACTIVE: Final = "x-codex-active-limit"
PRIMARY_USED: Final = "x-codex-primary-used-percent"
SECONDARY_USED: Final = "x-codex-secondary-used-percent"

log = structlog.get_logger(__name__)


class QuotaTracker:
    """The quotas of all accounts, as this replica knows them.

    Args:
        redis: holds the stored quotas.
        poll: polls accounts without a recent reading.
        view: the accounts as this replica last read them.
        clock: seconds since the epoch.
        figures: the gauges to update.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        poll: QuotaPoller,
        view: AccountView,
        clock: Callable[[], float],
        figures: QuotaFigures,
    ) -> None:
        self._figures = figures
        self._shared = asyncio.Event()
        """Set while there is a new reading of a quota of which an owner keeps a share."""
        self._store = QuotaStore(redis)
        self._poll = poll
        self._view = view
        self._clock = clock
        self._headers: dict[tuple[str, str], tuple[float, Mapping[str, str]]] = {}
        self._parsed: dict[str, tuple[float, Quota]] = {}
        self._known: dict[str, SeenQuota] = {}
        self._overlay: dict[str, SeenQuota] = {}
        """By account id: the known quota merged with readings that are not written yet."""
        self._unread: set[str] = set()
        self.changes = QuotaChanges()
        """Counts readings, and how often quotas were read from Redis or merged with it."""
        self._reserve_models: frozenset[str] = frozenset()
        self._drawn: dict[tuple[str, str], tuple[SeenQuota, tuple[Window, ...]]] = {}

    def __repr__(self) -> str:
        return f"<QuotaTracker of {len(self._known)} accounts>"

    def observe_headers(self, account_id: str, headers: Mapping[str, str]) -> None:
        """Collect response headers of an account, by lower-case name; they are parsed later."""
        active = headers.get(ACTIVE, "")
        used = [headers.get(PRIMARY_USED, ""), headers.get(SECONDARY_USED, "")]
        if not (active or used[0] or used[1]) and not any(n.startswith(PREFIX) for n in headers):
            return
        # Headers of one limit do not hide those of another that came in the same seconds.
        self._headers[account_id, active] = self._clock(), headers
        self._unread.add(account_id)
        limit = f"{active} in headers"
        if self.changes.read.get((account_id, limit)) != used:
            self._note(account_id, limit, used)

    def observe_quota(self, account_id: str, quota: Quota) -> None:
        """Collect a quota from a refusal or an event."""
        _, before = self._parsed.get(account_id, (0.0, None))
        self._parsed[account_id] = self._clock(), combined(before, quota) or quota
        self._unread.add(account_id)
        for family in quota.families:
            used = [window.used_percent for window in family.windows]
            self._note(account_id, family.id, used)

    def learn(self, account_id: str, quota: SeenQuota) -> None:
        """Take the quota of an account as it is stored now, unless a newer one is known."""
        known = self._known.get(account_id)
        if known is not None and known.seen_at > quota.seen_at:
            return
        self._known[account_id] = quota
        if self._overlay.pop(account_id, None) is not None:
            self._unread.add(account_id)
        self._count(account_id, quota)

    def is_read(self, account_id: str, model: str) -> bool:
        """Whether a reading of the windows that hold for a model is known, and not too old."""
        known = self._now_known(account_id)
        oldest = self._clock() - max(READING_SECONDS, 3 * self._poll.interval)
        return known is not None and known.seen_for(model) >= oldest

    def windows(self, account_id: str, model: str) -> tuple[Window, ...]:
        """The quota windows that apply to a model, for a candidate; empty if unknown."""
        known = self._now_known(account_id)
        if known is None:
            return ()
        drawn = self._drawn.get((account_id, model))
        if drawn is None or drawn[0] is not known:
            drawn = self._drawn[account_id, model] = known, _windows(known, model)
        return drawn[1]

    def credits(self, account_id: str) -> bool:
        """Whether bought credits serve an account whose windows are spent."""
        known = self._now_known(account_id)
        bought = known.credits if known is not None else None
        return bought is not None and (bought.has_credits or bought.unlimited)

    def reserve(self, account_id: str) -> str:
        """The model that an account's reserve serves now; empty if none does."""
        known = self._now_known(account_id)
        return known.reserve(self._clock()) if known is not None else ""

    @property
    def reserve_models(self) -> frozenset[str]:
        """The models that accounts' reserves serve, open or not, as of the last reading of all."""
        return self._reserve_models

    async def keep(self) -> None:
        """Write collected readings.

        Raises StoreUnavailable; the readings are dropped then, and the next answer brings new ones.
        """
        self.changes.material += bool(await self._write(self._pending()))

    async def check(self) -> None:
        """Read the stored quotas of all accounts, and plan polls. Raises StoreUnavailable."""
        self._known = self._newest(await self._store.all(list(self._view.accounts)))
        self._drawn.clear()
        self.changes.material += 1
        self._note_reserves()
        self._poll.plan({id_: known.windows_seen_at for id_, known in self._known.items()})

    async def ask(self) -> None:
        """Poll some accounts without a recent reading. Raises StoreUnavailable."""
        for account_id, quota in (await self._poll.ask(KEEP_SECONDS)).items():
            change = _Change(seen(quota, self._clock()), complete=True)
            self._known |= await self._store.keep({account_id: change})
            self.changes.material += 1
            self._note_reserves()

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Write, read and poll until cancelled."""
        rounds = 0
        while True:
            try:
                await self.keep()
                if rounds % ROUNDS_PER_CHECK == 0:
                    await self.check()
                await self.ask()
            except StoreUnavailable as error:
                log.debug("quota.kept", error=str(error))
            self._show()
            rounds += 1
            await sleep(KEEP_SECONDS)

    async def keep_shared(self) -> None:
        """Write readings of quotas of which owners keep a share as soon as they come, until cancelled."""
        while True:
            await self._shared.wait()
            await self.write_shared()

    async def write_shared(self) -> None:
        """Write those that have come."""
        self._shared.clear()
        try:
            for account_id, stored in (await self._write(self._pending_shared())).items():
                self._count(account_id, stored)  # not as a change of all: lists stay
        except StoreUnavailable as error:
            log.debug("quota.kept", error=str(error))

    async def _write(self, account_ids: Collection[str]) -> dict[str, SeenQuota]:
        """Write the collected readings of some accounts; gives what is stored of those that changed."""
        for account_id in account_ids:  # known while it is written, too
            self._now_known(account_id)
        changed: dict[str, Callable[[SeenQuota | None], SeenQuota]] = {}
        for account_id, readings in self._observed(account_ids).items():
            change = _Change(*readings)
            known = self._known.get(account_id)
            if known is None or change(known) is not known:
                changed[account_id] = change
        stored = await self._store.keep(changed)
        self._known |= self._newest(stored)
        for account_id in account_ids:
            self._overlay.pop(account_id, None)
        self._unread |= self._pending()  # what came in the meantime
        return stored

    def _newest(self, stored: Mapping[str, SeenQuota]) -> dict[str, SeenQuota]:
        """Quotas as they were stored, or as they are known since: a snapshot may have brought newer ones."""
        return {
            id_: known if (known := self._known.get(id_, quota)).seen_at > quota.seen_at else quota
            for id_, quota in stored.items()
        }

    def _note(self, account_id: str, limit: str, used: Sequence[str | float]) -> None:
        """Count a reading; one that has changed is written at once if an owner keeps a share."""
        before = self.changes.all
        self.changes.note(account_id, limit, used)
        if self.changes.all != before and self._is_shared(account_id):
            self._shared.set()

    def _count(self, account_id: str, quota: SeenQuota) -> None:
        """Count what is stored as a reading."""
        for family in quota.families:
            used = [window.used_percent for window in family.windows]
            self.changes.note(account_id, f"{family.id} as stored", used)

    def _is_shared(self, account_id: str) -> bool:
        """Whether a share of an account stays its owner's."""
        account = self._view.accounts.get(account_id)
        return account is not None and account.terms.reserves

    def _pending_shared(self) -> set[str]:
        """Those of which owners keep a share."""
        return set(filter(self._is_shared, self._pending()))

    def _pending(self) -> set[str]:
        """Accounts with readings that are not written yet."""
        return {account_id for account_id, _ in self._headers} | self._parsed.keys()

    def _now_known(self, account_id: str) -> SeenQuota | None:
        """The known quota of an account, merged with readings that are not written yet."""
        if account_id in self._unread:
            self._unread.discard(account_id)
            readings = self._readings(account_id)
            if readings:
                known = self._overlay.get(account_id, self._known.get(account_id))
                self._overlay[account_id] = _Change(*readings)(known)
        return self._overlay.get(account_id) or self._known.get(account_id)

    def _readings(self, account_id: str) -> list[SeenQuota]:
        """Readings of an account that are not written yet, oldest first."""
        found = [
            seen(quota, at)
            for (id_, _), (at, lines) in self._headers.items()
            if id_ == account_id and (quota := quota_of_headers(lines)) is not None
        ]
        if account_id in self._parsed:
            at, quota = self._parsed[account_id]
            found.append(seen(quota, at))
        return sorted(found, key=lambda reading: reading.seen_at)

    def _note_reserves(self) -> None:
        families = (family for known in self._known.values() for family in known.families)
        self._reserve_models = frozenset(f.stands_for for f in families if f.stands_for)

    def _show(self) -> None:
        accounts = self._view.accounts
        known = {id_: known for id_, known in self._known.items() if id_ in accounts}
        serving = {account.id for account in accounts.values() if in_use(account)}
        self._figures.show(known, serving=serving, now=self._clock())

    def _observed(self, account_ids: Collection[str]) -> dict[str, list[SeenQuota]]:
        """Take the collected readings of some accounts, by id, oldest first."""
        headers = {key: each for key, each in self._headers.items() if key[0] in account_ids}
        parsed = {id_: each for id_, each in self._parsed.items() if id_ in account_ids}
        self._headers = {key: v for key, v in self._headers.items() if key not in headers}
        self._parsed = {id_: v for id_, v in self._parsed.items() if id_ not in parsed}
        observed: dict[str, list[SeenQuota]] = {}
        for (account_id, _), (at, lines) in headers.items():
            if (quota := quota_of_headers(lines)) is not None:
                observed.setdefault(account_id, []).append(seen(quota, at))
        for account_id, (at, quota) in parsed.items():
            observed.setdefault(account_id, []).append(seen(quota, at))
        for readings in observed.values():
            readings.sort(key=lambda reading: reading.seen_at)
        return observed


class _Change:
    """Merges readings, oldest first, into a known quota; returns the same object if nothing changed."""

    def __init__(self, first: SeenQuota, *others: SeenQuota, complete: bool = False) -> None:
        self._readings = first, others
        self._complete = complete

    def __repr__(self) -> str:
        return f"<_Change by {1 + len(self._readings[1])} readings>"

    def __call__(self, known: SeenQuota | None) -> SeenQuota:
        first, others = self._readings
        after = join(known, first, complete=self._complete)
        for reading in others:
            after = join(after, reading, complete=self._complete)
        if known is None:
            return after
        recent = after.seen_at - known.seen_at < UNCHANGED_SECONDS
        return known if recent and _figures(after) == _figures(known) else after


def _figures(quota: SeenQuota) -> SeenQuota:
    """A quota without times and trails, for comparison."""
    families = (
        msgspec.structs.replace(
            family,
            seen_at=0.0,
            windows=tuple(msgspec.structs.replace(w, trail=()) for w in family.windows),
        )
        for family in quota.families
    )
    return msgspec.structs.replace(quota, seen_at=0.0, families=tuple(families))


def _windows(known: SeenQuota, model: str) -> tuple[Window, ...]:
    return tuple(
        Window(minutes=w.minutes, used=w.used_percent, resets_at=float(w.resets_at))
        for w in known.windows_for(model)
    )
