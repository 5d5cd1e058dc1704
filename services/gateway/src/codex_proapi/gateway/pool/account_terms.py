"""What the terms of accounts' owners forbid now, from what this replica knows.

Hours and the keys an account admits are found once and kept until they change, so that the check of
one account costs the same for every request. The share is compared with the newest reading each time.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.balancing.candidates import Window
from codex_proapi.commons.owner_terms.closing import (
    CLOSING_SECONDS,
    Closed,
    Opening,
    Term,
    UsedWindow,
    admits,
    opening,
    share_reached,
)
from codex_proapi.commons.owner_terms.terms import NO_TERMS, OwnerTerms
from codex_proapi.gateway.pool.lease import LeaseRequest

MOST_KEYS: Final = 10_000
"""Most keys whose admitted accounts are remembered."""
FOREVER: Final = float("inf")


class QuotaFacts(Protocol):
    """Readings of quotas, as the owners' shares need them."""

    def windows(self, account_id: str, model: str) -> tuple[Window, ...]:
        """An account's quota windows that hold for a model; empty where they are not known."""

    def is_read(self, account_id: str, model: str) -> bool:
        """Whether a recent reading of those windows is known."""


class _Kept(msgspec.Struct, frozen=True):
    """The hours of some terms; None if they cannot be read here."""

    terms: OwnerTerms
    opening: Opening | None

    def holds(self, terms: OwnerTerms, now: float) -> bool:
        """Whether this is still so."""
        if self.terms is not terms and self.terms != terms:
            return False
        return self.opening is None or self.opening.begin <= now < self.opening.until


class AccountTerms:
    """The owners' terms of all accounts.

    Args:
        view: the accounts as this replica last read them.
        facts: readings of their quotas.
        clock: seconds since the epoch.
    """

    def __init__(self, view: AccountView, facts: QuotaFacts, *, clock: Callable[[], float]) -> None:
        self._view = view
        self._facts = facts
        self._clock = clock
        self._hours: dict[str, _Kept] = {}
        self._version = -1
        self.restricted: tuple[Account, ...] = ()
        """Accounts that are for some keys only."""
        self._class_of: dict[tuple[str, str], int] = {}
        self._classes: dict[frozenset[str], int] = {}

    def __repr__(self) -> str:
        return f"<AccountTerms, {len(self.restricted)} accounts for some keys only>"

    def renew(self) -> None:
        """Forget what was found for another version of the accounts."""
        if self._version == self._view.version:
            return
        accounts = self._view.accounts
        self._version = self._view.version
        self.restricted = tuple(a for a in accounts.values() if a.terms.limits_keys)
        self._class_of.clear()
        self._classes.clear()
        self._hours = {id_: kept for id_, kept in self._hours.items() if id_ in accounts}

    def key_class(self, lease_request: LeaseRequest) -> int:
        """A number that is the same for keys which may use the same accounts.

        It holds for the version of the accounts that `renew` has seen; 0 where none is restricted.
        """
        if not self.restricted:
            return 0
        key = lease_request.waiter.key_id, lease_request.key_group
        found = self._class_of.get(key)
        if found is None:
            if len(self._class_of) >= MOST_KEYS:
                self._class_of.clear()
            closed = frozenset(a.id for a in self.restricted if not _admits(a, lease_request))
            found = self._classes.setdefault(closed, len(self._classes) + 1)
            self._class_of[key] = found
        return found

    def closed(self, account: Account, lease_request: LeaseRequest) -> Closed | None:
        """How an account is closed for a request now; None if it may be used."""
        terms = account.terms
        if terms == NO_TERMS:
            return None
        if terms.limits_keys and not _admits(account, lease_request):
            return Closed(term=Term.KEYS)
        return self.closed_to_all(account) or self._share(account, lease_request.model)

    def closed_to_all(self, account: Account) -> Closed | None:
        """How an account is closed now, whatever is asked of it."""
        terms = account.terms
        if terms.unreadable:
            return Closed(term=Term.UNREADABLE)
        if terms.paused:
            return Closed(term=Term.PAUSED)
        if not terms.hours:
            return None
        now = self._clock()
        hours = self._opening(account, now)
        return hours.closed(now) if hours else Closed(term=Term.UNREADABLE)

    def next_change(self, accounts: Iterable[Account], now: float) -> float:
        """When the hours of the first of some accounts open or close; inf is never."""
        coming = FOREVER
        for account in accounts:
            hours = self._opening(account, now) if account.terms.hours else None
            if hours is not None:
                closing = hours.until - CLOSING_SECONDS
                is_before = hours.open and now < closing
                coming = min(coming, closing if is_before else hours.until)
        return coming

    def kept(self, account: Account, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        """An account's windows with what stays its owner's."""
        reserved = account.terms.reserved_percent
        if not account.terms.reserves:
            return windows
        return tuple(msgspec.structs.replace(w, kept=reserved.of(w.minutes)) for w in windows)

    def _share(self, account: Account, model: str) -> Closed | None:
        if not account.terms.reserves:
            return None
        if not self._facts.is_read(account.id, model):
            return Closed(term=Term.READING)
        windows = self._facts.windows(account.id, model)
        used = (UsedWindow(w.minutes, w.used, w.resets_at) for w in windows)
        return share_reached(account.terms.reserved_percent, used, self._clock())

    def _opening(self, account: Account, now: float) -> Opening | None:
        """The hours of an account; None if its time zone is not known here."""
        kept = self._hours.get(account.id)
        if kept is None or not kept.holds(account.terms, now):
            try:
                found = opening(account.terms, now)
            except ValueError:
                found = None
            kept = self._hours[account.id] = _Kept(account.terms, found)
        return kept.opening


def _admits(account: Account, lease_request: LeaseRequest) -> bool:
    key_id, group = lease_request.waiter.key_id, lease_request.key_group
    return admits(account.terms, key_id=key_id, group=group)
