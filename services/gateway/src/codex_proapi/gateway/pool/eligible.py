"""The accounts eligible for a model and a key, cached for a second.

Most requests belong to a conversation that stays on its account; checking every account of a large
pool for each of them would cost more than the rest of a selection.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from codex_proapi.commons.accounts.model import Account, Cooldown
from codex_proapi.commons.accounts.store import AccountView
from codex_proapi.commons.balancing.candidates import Candidate, Window
from codex_proapi.commons.balancing.quota_pace import Plenty, plenty
from codex_proapi.commons.balancing.scarcity import left_of

FRESH_SECONDS: Final = 1.0
"""Seconds a list is cached: logins expire and quota windows reset by time alone."""
MOST_LISTS: Final = 256
"""Most cached lists: one for each model and set of accounts that a key may spend."""


class Facts(Protocol):
    """Catalogues and quotas of accounts, as a selection needs them."""

    @property
    def revision(self) -> int:
        """A number that changes when a catalogue or a quota has changed materially."""

    def lists(self, account_id: str, model: str) -> bool:
        """Whether an account lists a model; True where its catalogue is not known."""

    def windows(self, account_id: str, model: str) -> tuple[Window, ...]:
        """An account's quota windows that hold for a model; empty where they are not known."""

    def credits(self, account_id: str) -> bool:
        """Whether bought credits go on where an account's windows end."""


class EligibleAccounts(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts that may serve a model, in cooldown or not."""

    accounts: Mapping[str, Account]
    """By id, oldest first."""
    followed: Sequence[str]
    """Ids of accounts a conversation may stay with: those with quota left, or all if none has."""
    left: float | None
    """Percent of their quota left, as `balancing.scarcity` computes it; None if unknown."""


class EligibilityCache:
    """Lists eligible accounts, and caches the lists.

    Args:
        view: the accounts as this replica last read them.
        facts: their catalogues and quotas.
        clock: seconds since the epoch.
        half_open: whether an account's circuit breaker is half open.
    """

    def __init__(
        self,
        view: AccountView,
        facts: Facts,
        *,
        clock: Callable[[], float],
        half_open: Callable[[str], bool],
    ) -> None:
        self._view = view
        self._facts = facts
        self._clock = clock
        self._half_open = half_open
        self._state: tuple[int, int] = (-1, -1)
        self._lists: dict[tuple[str, tuple[str, ...]], tuple[float, EligibleAccounts]] = {}

    def __repr__(self) -> str:
        return f"<EligibilityCache of {len(self._lists)} lists>"

    def list(self, model: str, allowed: tuple[str, ...]) -> EligibleAccounts:
        """The accounts that may serve a model; `allowed` are the ids a key may spend, empty for all."""
        state = self._view.version, self._facts.revision
        if state != self._state or len(self._lists) > MOST_LISTS:
            self._state = state
            self._lists.clear()
        now = self._clock()
        at, found = self._lists.get((model, allowed), (0.0, None))
        if found is None or not at <= now < at + FRESH_SECONDS:
            found = self._listed(model, allowed, now)
            self._lists[model, allowed] = now, found
        return found

    def usable(self, allowed: Collection[str]) -> bool:
        """Whether any account could serve a key, regardless of the model."""
        now = self._clock()
        return any(_usable(account, allowed, now) for account in self._view.accounts.values())

    def candidate(
        self,
        account_id: str,
        model: str,
        *,
        weight: float = 1.0,
        cooldown: Cooldown | None = None,
        full: bool = False,
    ) -> Candidate:
        """The candidate of an account.

        Args:
            account_id: its id.
            model: the model to be sent, for its quota windows.
            weight: the account's weight in the round robin.
            cooldown: its cooldown from the snapshot.
            full: whether it has no free concurrency slot.
        """
        return Candidate(
            id=account_id,
            weight=weight,
            # The code is upstream's text: no selection reads it, and log lines must not contain it.
            cooldown=cooldown and msgspec.structs.replace(cooldown, code=""),
            half_open=self._half_open(account_id),
            windows=self._facts.windows(account_id, model),
            credits=self._facts.credits(account_id),
            full=full,
        )

    def _listed(self, model: str, allowed: tuple[str, ...], now: float) -> EligibleAccounts:
        accounts = {
            account.id: account
            for account in self._view.accounts.values()
            if _usable(account, allowed, now) and self._facts.lists(account.id, model)
        }
        candidates = [self.candidate(account_id, model) for account_id in accounts]
        followed = [c.id for c in candidates if plenty(c, now=now, reserve=0) < Plenty.SPENT]
        return EligibleAccounts(
            accounts=accounts,
            followed=tuple(followed or accounts),
            left=left_of(candidates, now=now),
        )


def _usable(account: Account, allowed: Collection[str], now: float) -> bool:
    return account.works(now) and not account.paused and (not allowed or account.id in allowed)
