"""The accounts eligible for a model and a key, and their ranking, kept until something changes.

Checking every account of a large pool for each request would cost more than everything else in a
selection. Lists are made anew when accounts, catalogues or cooldowns change, when a quota changes
materially, when a window resets, a login ends or an owner's hours open or close, and at most every
FRESH_SECONDS for other readings.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from codex_proapi.commons.accounts.model import Account, AccountState, Cooldown
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.balancing.candidates import Candidate, NoCandidate, SelectionInput
from codex_proapi.commons.balancing.quota_pace import Plenty, plenty
from codex_proapi.commons.balancing.scarcity import left_of
from codex_proapi.commons.balancing.select_account import Ranking, why_none
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.owner_terms.closing import Closed
from codex_proapi.gateway.pool.account_terms import AccountTerms, QuotaFacts
from codex_proapi.gateway.pool.lease import LeaseRequest

FRESH_SECONDS: Final = 1.0
"""Seconds a list is kept although quotas have been read that have changed a little."""
KEPT_SECONDS: Final = 30.0
"""Seconds a list is kept although nothing has changed: how urgently a window must be used does."""
MOST_LISTS: Final = 256
"""Most lists: one for each model and set of accounts that a key may spend."""
MOST_NAMED: Final = 32
"""Most accounts named in a snapshot's request, as those a conversation may stay with or may not."""


class Facts(QuotaFacts, Protocol):
    """Catalogues and quotas of accounts, as a selection needs them."""

    def changes(self) -> tuple[int, int]:
        """A number that changes with a catalogue or materially with a quota, and one with any reading."""

    def lists(self, account_id: str, model: str) -> bool:
        """Whether an account lists a model; True where its catalogue is not known."""

    def credits(self, account_id: str) -> bool:
        """Whether bought credits go on where an account's windows end."""


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's settings for selection."""

    routing: Routing = Routing.AFFINITY
    reserve: float = 0.0
    """Percent of each quota window reserved for conversations already on the account."""
    fair_below: float = 0.0
    """Percent of the pool's quota left below which fair shares apply; 0 for never."""
    logged: float = 0.0
    """Share of selections, 0 to 1, whose input is given with the lease for the log."""


class EligibleAccounts:
    """The accounts that may serve a model, in cooldown or not, and closed by their owners or not.

    Args:
        accounts: the accounts by id, oldest first.
        candidates: their candidates without cooldowns, in the same order.
        among: ids of all accounts there are.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        candidates: Sequence[Candidate],
        *,
        among: Collection[str],
        now: float,
    ) -> None:
        self.accounts = accounts
        self.candidates = candidates
        offered = [c for c in candidates if c.closed is None]
        self.shared = any(account.terms.reserves for account in accounts.values())
        """Whether an owner keeps a share of one of them."""
        self.open: Collection[str] = {c.id for c in offered}
        """Ids of those that their owners' terms do not close."""
        self.closed: Sequence[Closed] = [c.closed for c in candidates if c.closed is not None]
        """How the others are closed."""
        self.left = left_of(offered, now=now)
        """Percent of their quota left, as `balancing.scarcity` computes it; None if unknown."""
        having = {c.id for c in offered if plenty(c, now=now, reserve=0) < Plenty.SPENT}
        self.followed: Collection[str] = having or self.open
        """Ids of accounts a conversation may stay with: those with quota left, or all if none has."""
        self.only, self.excluded = _named(self.followed, among)
        """Who of them a snapshot's request names, as its `account_ids` and `excluded`."""
        self._nobody: tuple[Mapping[str, Cooldown], float, NoCandidate] | None = None
        self._ranked: tuple[Mapping[str, Cooldown], Strategy, Ranking] | None = None

    def __repr__(self) -> str:
        return f"<EligibleAccounts, {len(self.accounts)}>"

    def ranking(
        self, cooldowns: Mapping[str, Cooldown], strategy: Strategy, *, now: float
    ) -> Ranking:
        """Their ranking, kept as long as the same cooldowns and strategy are given.

        Args:
            cooldowns: those in force, by account id.
            strategy: the settings for selection.
            now: seconds since the epoch.
        """
        if self._ranked is not None:
            ranked_with, ranked_by, ranking = self._ranked
            if ranked_with is cooldowns and ranked_by == strategy:
                return ranking
        ranking = Ranking(
            SelectionInput(
                now=now,
                routing=strategy.routing,
                reserve=strategy.reserve,
                candidates=tuple(_with_cooldown(c, cooldowns.get(c.id)) for c in self.candidates),
            )
        )
        self._ranked = cooldowns, strategy, ranking
        return ranking

    def why_none(
        self,
        cooldowns: Mapping[str, Cooldown],
        *,
        now: float,
        closed: Mapping[str, Closed] | None = None,
    ) -> NoCandidate:
        """Why none of them can serve, tried or not; kept like the ranking, for FRESH_SECONDS.

        Args:
            cooldowns: those in force, by account id.
            now: seconds since the epoch.
            closed: how accounts are closed that were open when the list was made.
        """
        if closed:
            cooling = [cooldowns[id_] for id_ in self.open if id_ in cooldowns.keys() - closed]
            return why_none(cooling, now, closed=[*self.closed, *closed.values()])
        if self._nobody is not None:
            made_with, made_at, nobody = self._nobody
            if made_with is cooldowns and made_at <= now < made_at + FRESH_SECONDS:
                return nobody
        cooling = [cooldowns[id_] for id_ in self.open if id_ in cooldowns]
        nobody = why_none(cooling, now, closed=self.closed)
        self._nobody = cooldowns, now, nobody
        return nobody


class _Kept(msgspec.Struct, frozen=True):
    """A list, and how long it holds."""

    at: float
    until: float
    readings: int
    found: EligibleAccounts


class EligibilityCache:
    """Lists eligible accounts, and keeps the lists.

    Args:
        view: the accounts as this replica last read them.
        facts: their catalogues and quotas.
        clock: seconds since the epoch.
    """

    def __init__(self, view: AccountView, facts: Facts, *, clock: Callable[[], float]) -> None:
        self._view = view
        self._facts = facts
        self.terms = AccountTerms(view, facts, clock=clock)
        """What the accounts' owners allow."""
        self._clock = clock
        self._state: tuple[int, int] = (-1, -1)
        self._usable_at: tuple[int, int] = (-1, -1)
        self._usable: dict[tuple[str, ...], bool] = {}
        self._lists: dict[tuple[str, tuple[str, ...], int], _Kept] = {}

    def __repr__(self) -> str:
        return f"<EligibilityCache of {len(self._lists)} lists>"

    def list(self, lease_request: LeaseRequest, now: float) -> EligibleAccounts:
        """The accounts that may serve a request; `now` is seconds since the epoch."""
        revision, readings = self._facts.changes()
        state = self._view.version, revision
        if state != self._state or len(self._lists) > MOST_LISTS:
            self._state = state
            self._lists.clear()
            self.terms.renew()
        key_class = self.terms.key_class(lease_request) if self.terms.restricted else 0
        name = lease_request.model, lease_request.allowed_accounts, key_class
        kept = self._lists.get(name)
        if (
            kept is not None
            and kept.at <= now < kept.until
            and (readings == kept.readings or now < kept.at + FRESH_SECONDS)
        ):
            return kept.found
        found = self._listed(lease_request, now)
        hours = self.terms.next_change(found.accounts.values(), now)
        until = min(now + KEPT_SECONDS, _next_change(found, now), hours)
        self._lists[name] = _Kept(now, until, readings, found)
        return found

    def usable(self, allowed: Collection[str]) -> bool:
        """Whether any account could serve a key, regardless of the model; looked at once a second."""
        now, key = self._clock(), tuple(allowed)
        if (self._view.version, int(now)) != self._usable_at:
            self._usable_at = self._view.version, int(now)
            self._usable.clear()
        if key not in self._usable:
            accounts = self._view.accounts.values()
            self._usable[key] = any(_usable(account, allowed, now) for account in accounts)
        return self._usable[key]

    def _listed(self, lease_request: LeaseRequest, now: float) -> EligibleAccounts:
        model, allowed = lease_request.model, lease_request.allowed_accounts
        accounts = {
            account.id: account
            for account in self._view.accounts.values()
            if _usable(account, allowed, now) and self._facts.lists(account.id, model)
        }
        candidates = [
            Candidate(
                id=account.id,
                weight=account.weight,
                windows=self.terms.kept(account, self._facts.windows(account.id, model)),
                credits=self._facts.credits(account.id),
                closed=self.terms.closed(account, lease_request),
            )
            for account in accounts.values()
        ]
        return EligibleAccounts(accounts, candidates, among=self._view.accounts, now=now)


def _usable(account: Account, allowed: Collection[str], now: float) -> bool:
    return account.works(now) and not account.paused and (not allowed or account.id in allowed)


def _named(
    followed: Collection[str], among: Collection[str]
) -> tuple[Sequence[str] | None, Sequence[str]]:
    """The accounts a conversation may stay with, or those it may not stay with, or neither.

    If both are too many to name, it may stay with any, and the selection checks that again.
    """
    if len(followed) <= MOST_NAMED:
        return tuple(followed), ()
    others = [account_id for account_id in among if account_id not in followed]
    return None, tuple(others) if len(others) <= MOST_NAMED else ()


def _next_change(found: EligibleAccounts, now: float) -> float:
    """When the first login ends or the first window resets, seconds since the epoch."""
    logins: Iterable[float] = (
        account.token_expires_at
        for account in found.accounts.values()
        if account.state is AccountState.REVOKED
    )
    resets = (window.resets_at for c in found.candidates for window in c.windows)
    coming = [at for times in (logins, resets) for at in times if at > now]
    return min(coming, default=math.inf)


def _with_cooldown(candidate: Candidate, cooldown: Cooldown | None) -> Candidate:
    if cooldown is None:
        return candidate
    # The code is upstream's text: no selection reads it, and log lines must not contain it.
    plain = msgspec.structs.replace(cooldown, code="")
    return msgspec.structs.replace(candidate, cooldown=plain)
