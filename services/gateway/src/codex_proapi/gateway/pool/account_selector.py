"""The account selector: makes a lease from eligible accounts, one snapshot and one selection.

The selection itself is the pure function `commons.balancing.select_account.select`; outcomes of
attempts are recorded by `pool.health.outcomes`.
"""

import time
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.balancing.candidates import (
    NoCandidate,
    NoCandidateCause,
    Reason,
    Selection,
    SelectionInput,
)
from codex_proapi.commons.balancing.logged_input import logged_input
from codex_proapi.commons.balancing.select_account import RENEWING_CODE, Ranking
from codex_proapi.commons.codex.substitution import RESERVE
from codex_proapi.commons.owner_terms.closing import Closed
from codex_proapi.commons.owner_terms.terms import NO_TERMS
from codex_proapi.commons.runtime.errors import (
    CredentialRevoked,
    CredentialUnavailable,
    CredentialUnreachable,
)
from codex_proapi.gateway.pool.eligible import EligibilityCache, EligibleAccounts, Facts, Strategy
from codex_proapi.gateway.pool.health.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.health.outcomes import RENEWAL_SECONDS, OutcomeRecorder
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.recent_affinity import RecentAffinity
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.pool.state.pool_reader import PoolReader, PoolState
from codex_proapi.gateway.pool.state.snapshot import PoolSnapshot, SnapshotSource
from codex_proapi.gateway.quota.newest_readings import NewestReadings

RENEWAL_PATIENCE: Final = 15.0
"""Total seconds that one request waits for credentials being refreshed, over all accounts."""
ALL: Final = ("*",)
"""Passed over where no account is to be selected: a conversation's tie is then of no interest."""
BY_COOLDOWN: Final = frozenset(
    {
        *(NoCandidateCause.EMPTY, NoCandidateCause.UNENTITLED, NoCandidateCause.REFUSED),
        *(NoCandidateCause.FORBIDDEN, NoCandidateCause.RENEWING),
    }
)
"""Causes derived from the codes of cooldowns, which selection inputs do not contain."""


class AccountSelector:
    """Selects accounts and leases them.

    Args:
        view: the accounts as this replica last read them.
        snapshots: reads snapshots.
        refresher: refreshes credentials.
        breakers: circuit breakers of accounts.
        outcomes: records outcomes.
        clock: the shared clock, corrected with each snapshot.
        facts: catalogues and quotas of accounts.
        newest: keeps quotas of which owners keep a share as new as Redis has them.
    """

    def __init__(
        self,
        *,
        view: AccountView,
        snapshots: SnapshotSource,
        refresher: CredentialRefresher,
        breakers: CircuitBreakers,
        outcomes: OutcomeRecorder,
        clock: SharedClock,
        facts: Facts,
        newest: NewestReadings | None = None,
    ) -> None:
        self._view = view
        self._refresher = refresher
        self._breakers = breakers
        self._outcomes = outcomes
        self._clock = clock
        self._eligible = EligibilityCache(view, facts, clock=clock)
        self.terms = self._eligible.terms
        """What the accounts' owners allow."""
        self._recent_affinity = RecentAffinity()
        self.note_tie = self._recent_affinity.note
        """Notes a conversation's account, for its next request on this replica."""
        self._log_due = 0.0
        self._moved = 0
        """Position in the round robin of conversations whose account was closed in the meantime."""
        self.reader = PoolReader(
            view=view,
            snapshots=snapshots,
            breakers=breakers,
            eligible=self._eligible,
            clock=clock,
            newest=newest,
        )
        """Reads the state that a selection is made from."""

    def __repr__(self) -> str:
        return f"<AccountSelector over {self._view!r}>"

    @property
    def strategy(self) -> Strategy:
        """Settings for selection; may change while running."""
        return self.reader.strategy

    @strategy.setter
    def strategy(self, strategy: Strategy) -> None:
        self.reader.strategy = strategy

    async def lease(
        self,
        lease_request: LeaseRequest,
        tried: Collection[str] = (),
        *,
        full: Collection[str] = (),
        state: PoolState | None = None,
    ) -> Lease | NoCandidate:
        """Lease an account, or say why there is none.

        Args:
            lease_request: what the account must serve.
            tried: ids of accounts to pass over.
            full: ids of accounts without a free concurrency slot.
            state: the state that the request was admitted with, for its first selection; None to
                read a new one.

        Raises:
            StoreUnavailable: no snapshot could be read.
        """
        passed = set(tried)
        busy: list[_Selected] = []
        give_up = time.monotonic() + RENEWAL_PATIENCE
        unreachable = False
        while True:
            if state is None:
                state = await self.reader.read(lease_request, passed, full=full)
            selected = self._select(lease_request, state, passed=passed, full=full)
            snapshot, eligible, state = state.snapshot, state.eligible, None
            found = selected.found
            if isinstance(found, NoCandidate):
                if unreachable and not busy:
                    until = snapshot.now + RENEWAL_SECONDS
                    return NoCandidate(cause=NoCandidateCause.RENEWING, until=until)
                if not busy:
                    return self._nobody(found, lease_request, snapshot, eligible, selected.closed)
                # Only accounts with another request's probe under way are left: use one of them.
                selected = busy.pop()
            elif selected.probe and not await self._may_ask(found):
                passed.add(found.account_id)
                busy.append(selected)
                continue
            try:
                lease = await self._lease_of(selected, snapshot, lease_request, give_up=give_up)
            except CredentialUnreachable:  # concerns this replica only: others may use the account
                unreachable, lease = True, None
            if lease is not None:
                return lease
            passed.add(selected.account_id)

    async def why_none_left(
        self, lease_request: LeaseRequest, tried: Collection[str]
    ) -> NoCandidate | None:
        """Why no further account can be leased; None if an untried one may be available."""
        state = await self.reader.read(lease_request, ALL)
        snapshot, eligible = state.snapshot, state.eligible
        ranking = eligible.ranking(snapshot.cooldowns, self.reader.strategy, now=snapshot.now)
        if ranking.has_other(tried):
            return None
        empty = NoCandidate(cause=NoCandidateCause.EMPTY)
        return self._nobody(empty, lease_request, snapshot, eligible, {})

    def may_begin(self, lease: Lease, lease_request: LeaseRequest) -> bool:
        """Whether a request may still be begun on a lease, by the terms of the account's owner."""
        account = self._view.accounts.get(lease.account.id)
        if account is None:
            return False
        return account.terms == NO_TERMS or self.terms.closed(account, lease_request) is None

    def plan(self, lease_request: LeaseRequest) -> str:
        """The ChatGPT plan of an eligible account, for errors that must name one; empty if unknown."""
        accounts = self._eligible.list(lease_request, self._clock()).accounts.values()
        return next((account.plan for account in accounts if account.plan), "")

    async def renew(self, lease: Lease) -> Lease | None:
        """Lease the same account with a new credential; None if it cannot be refreshed."""
        account_id = lease.account.id
        try:
            credential = await self._refresher.fresh(account_id, rejected=lease.credential)
        except CredentialUnreachable:
            return None
        except CredentialUnavailable as error:
            await self._without_credential(account_id, error)
            return None
        return Lease(
            account=lease.account,
            credential=credential,
            basis=Reason.RENEWED,
            why="renewed credential",
            began=self._clock(),
            is_affine=lease.is_affine,
            is_tie_stored=lease.is_tie_stored,
            sole=lease.sole,
            probe=lease.probe,
        )

    def _select(
        self,
        lease_request: LeaseRequest,
        state: PoolState,
        *,
        passed: Collection[str],
        full: Collection[str],
    ) -> "_Selected":
        """Select an account from the ranking of the eligible ones."""
        snapshot, eligible = state.snapshot, state.eligible
        affine, tentative = snapshot.affine, snapshot.tentative
        recent = None
        if state.follows and not passed:
            recent = self._recent_affinity.of(lease_request.fingerprint)
        # A tie that Redis may not have yet, unless that has one which has answered, and this has not.
        if recent is not None and (not recent.tentative or affine is None or tentative):
            own = recent.account_id
            if own in eligible.open and own not in snapshot.cooldowns:
                affine, tentative = own, recent.tentative
        strategy = self.reader.strategy
        ranking = eligible.ranking(snapshot.cooldowns, strategy, now=snapshot.now)
        cursor, closed = snapshot.cursor, dict[str, Closed]()
        while True:
            found = ranking.select(cursor=cursor, affine=affine, tried=passed, full=full)
            if isinstance(found, NoCandidate):
                return _Selected(found, closed=closed)
            account = self._view.accounts.get(found.account_id)
            if account is None or account.terms == NO_TERMS:
                break
            if not (why := self.terms.closed(account, lease_request)):
                break
            # The list is older than a reading of its quota: the account is on its owner's share.
            closed[found.account_id] = why
            passed = {*passed, found.account_id}
            if cursor is None:
                cursor = self._moved = self._moved + 1
        made_from = None
        if strategy.logged:
            made_from = self._logged_input(
                ranking, found, cursor=cursor, affine=affine, passed=passed, full=full
            )
        # Of an account whose breaker is half open one request at a time tries whether it answers.
        probe = found.account_id in self._breakers.opened and found.basis is not Reason.LAST
        is_affine = affine == found.account_id and not tentative
        return _Selected(found, account, made_from, is_affine, probe, closed)

    def _logged_input(
        self,
        ranking: Ranking,
        found: Selection,
        *,
        cursor: int | None,
        affine: str | None,
        passed: Collection[str],
        full: Collection[str],
    ) -> SelectionInput | None:
        """The input of a selection for the log, of as many as are to be logged."""
        self._log_due += self.reader.strategy.logged
        if self._log_due < 1:
            return None
        self._log_due -= 1
        return logged_input(ranking, found, cursor=cursor, affine=affine, tried=passed, full=full)

    async def _may_ask(self, found: Selection) -> bool:
        """Whether a half-open account may be probed now; acquires its probe lock if it is free.

        A conversation goes back to it in any case: elsewhere it would lose its prompt cache and its
        encrypted items, and the first fault opens the breaker again.
        """
        may_probe = await self._breakers.may_probe(found.account_id)
        return may_probe or found.basis is Reason.AFFINITY

    async def _lease_of(
        self,
        selected: "_Selected",
        snapshot: PoolSnapshot,
        lease_request: LeaseRequest,
        *,
        give_up: float,
    ) -> Lease | None:
        """Lease the selected account; None if it has no usable credential.

        From `give_up` (monotonic seconds) on it does not wait for a refresh. Raises
        CredentialUnreachable.
        """
        choice, account = selected.found, selected.account
        if account is None or isinstance(choice, NoCandidate):  # removed in the meantime
            return None
        credential = self._view.credential(account.id)
        if credential is None or not self._refresher.is_fresh(credential, snapshot.now):
            if time.monotonic() >= give_up:
                return None
            try:
                credential = await self._refresher.fresh(account.id, held=credential)
            except CredentialUnreachable:
                raise
            except CredentialUnavailable as error:
                await self._without_credential(account.id, error)
                return None
        sole = len(self._view.accounts) == 1
        return Lease(
            account=account,
            credential=credential,
            basis=choice.basis,
            why=f"on its Luna Reserve; {choice.why}"
            if lease_request.model == RESERVE
            else choice.why,
            selection_input=selected.selection_input,
            began=snapshot.now,
            is_affine=sole or selected.is_affine,
            is_tie_stored=snapshot.renewed
            and not snapshot.tentative
            and snapshot.affine == account.id,
            sole=sole,
            probe=selected.probe,
        )

    def _nobody(
        self,
        found: NoCandidate,
        lease_request: LeaseRequest,
        snapshot: PoolSnapshot,
        eligible: EligibleAccounts,
        closed: Mapping[str, Closed],
    ) -> NoCandidate:
        """Why there is no candidate, by the cooldowns of all eligible accounts, tried or not.

        `closed` are those that have been closed since the list was made.
        """
        if found.cause not in BY_COOLDOWN and (found.cause is NoCandidateCause.BUSY or not closed):
            return found
        if not eligible.accounts and self._eligible.usable(lease_request.allowed_accounts):
            return NoCandidate(cause=NoCandidateCause.UNENTITLED)
        return eligible.why_none(snapshot.cooldowns, now=snapshot.now, closed=closed)

    async def _without_credential(self, account_id: str, error: CredentialUnavailable) -> None:
        code = "credential_revoked" if isinstance(error, CredentialRevoked) else RENEWING_CODE
        await self._outcomes.record_no_credential(account_id, code=code)


class _Selected(msgspec.Struct, frozen=True):
    """A selection, with its input if it is to be logged."""

    found: Selection | NoCandidate
    account: Account | None = None
    """The selected account; None where there is none, or it has been removed."""
    selection_input: SelectionInput | None = None
    is_affine: bool = False
    """Whether the account has answered the conversation before."""
    probe: bool = False
    """Whether its circuit breaker is half open."""
    closed: Mapping[str, Closed] = {}
    """Accounts that were passed over because they have been closed since the list was made."""

    @property
    def account_id(self) -> str:
        """The selected account; empty where there is none."""
        return self.found.account_id if isinstance(self.found, Selection) else ""
