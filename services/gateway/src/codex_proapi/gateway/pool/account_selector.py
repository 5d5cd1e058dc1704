"""The account selector: makes a lease from eligible accounts, one snapshot and one selection.

The selection itself is the pure function `commons.balancing.select_account.select`; outcomes of
attempts are recorded by `pool.health.outcomes`.
"""

import time
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

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
from codex_proapi.commons.runtime.errors import (
    CredentialRevoked,
    CredentialUnavailable,
    CredentialUnreachable,
)
from codex_proapi.gateway.pool.account_terms import AccountTerms
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
        self._recent_affinity = RecentAffinity(clock)
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

    @property
    def terms(self) -> AccountTerms:
        """What the accounts' owners allow."""
        return self._eligible.terms

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
            snapshot, eligible, state = state.snapshot, state.eligible, None
            selected = self._select(lease_request, snapshot, eligible, passed=passed, full=full)
            found = selected.found
            if isinstance(found, NoCandidate):
                if unreachable and not busy:
                    until = snapshot.now + RENEWAL_SECONDS
                    return NoCandidate(cause=NoCandidateCause.RENEWING, until=until)
                if not busy:
                    return self._nobody(found, lease_request, snapshot, eligible, selected.closed)
                # Only accounts with another request's probe under way are left: use one of them.
                selected = busy.pop()
            elif self._is_probe(found) and not await self._may_ask(found):
                passed.add(found.account_id)
                busy.append(selected)
                continue
            try:
                lease = await self._lease_of(selected, snapshot, give_up=give_up)
            except CredentialUnreachable:  # concerns this replica only: others may use the account
                unreachable, lease = True, None
            if lease is not None:
                return _explained(lease, lease_request)
            passed.add(selected.account_id)

    def note_tie(self, fingerprint: str, account_id: str, *, tentative: bool) -> None:
        """Note a conversation's account, for its next request on this replica."""
        self._recent_affinity.note(fingerprint, account_id, tentative=tentative)

    async def why_none_left(
        self, lease_request: LeaseRequest, tried: Collection[str]
    ) -> NoCandidate | None:
        """Why no further account can be leased; None if an untried one may be available."""
        state = await self.reader.read(lease_request, ALL)
        snapshot, eligible = state.snapshot, state.eligible
        ranking = eligible.ranking(snapshot.cooldowns, self.strategy, now=snapshot.now)
        if ranking.has_other(tried):
            return None
        empty = NoCandidate(cause=NoCandidateCause.EMPTY)
        return self._nobody(empty, lease_request, snapshot, eligible, {})

    def may_begin(self, lease: Lease, lease_request: LeaseRequest) -> bool:
        """Whether a request may still be begun on a lease, by the terms of the account's owner."""
        return not self.terms.is_closed(lease.account.id, lease_request)

    def plan(self, lease_request: LeaseRequest) -> str:
        """The ChatGPT plan of an eligible account, for errors that must name one; empty if unknown."""
        accounts = self.reader.list(lease_request).accounts.values()
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

    def record_probe_success(self, lease: Lease) -> None:
        """Close the circuit breaker of a probe that reached its commit point."""
        if lease.probe:
            self._outcomes.record_success(lease)

    def _tie(
        self,
        lease_request: LeaseRequest,
        snapshot: PoolSnapshot,
        eligible: EligibleAccounts,
        passed: Collection[str],
    ) -> tuple[str | None, bool]:
        """The affine account, and whether the tie is tentative (it has not answered yet)."""
        if not lease_request.fingerprint:
            return None, False
        recent = self._recent_affinity.of(lease_request.fingerprint)
        if recent is None or not self.reader.follows(lease_request, passed):
            return snapshot.affine, snapshot.tentative
        better = not recent.tentative or snapshot.affine is None or snapshot.tentative
        free = recent.account_id in eligible.open and recent.account_id not in snapshot.cooldowns
        if better and free:
            return recent.account_id, recent.tentative
        return snapshot.affine, snapshot.tentative

    def _select(
        self,
        lease_request: LeaseRequest,
        snapshot: PoolSnapshot,
        eligible: EligibleAccounts,
        *,
        passed: Collection[str],
        full: Collection[str],
    ) -> "_Selected":
        """Select an account from the ranking of the eligible ones."""
        affine, tentative = self._tie(lease_request, snapshot, eligible, passed)
        ranking = eligible.ranking(snapshot.cooldowns, self.strategy, now=snapshot.now)
        cursor, closed = snapshot.cursor, dict[str, Closed]()
        while True:
            found = ranking.select(cursor=cursor, affine=affine, tried=passed, full=full)
            if isinstance(found, NoCandidate) or not (why := self._closed(found, lease_request)):
                break
            # The list is older than a reading of its quota: the account is on its owner's share.
            closed[found.account_id] = why
            passed = {*passed, found.account_id}
            if cursor is None:
                cursor = self._moved = self._moved + 1
        made_from = None
        if self.strategy.logged and isinstance(found, Selection):
            made_from = self._logged_input(
                ranking, found, cursor=cursor, affine=affine, passed=passed, full=full
            )
        return _Selected(found, made_from, affine, tentative, closed)

    def _closed(self, found: Selection, lease_request: LeaseRequest) -> Closed | None:
        """How a selected account is closed by now."""
        account = self._view.accounts.get(found.account_id)
        return self.terms.closed(account, lease_request) if account else None

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
        self._log_due += self.strategy.logged
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

    def _is_probe(self, found: Selection) -> bool:
        """Whether a selected account's circuit breaker is half open: one request at a time may try it."""
        return found.basis is not Reason.LAST and self._breakers.half_open(found.account_id)

    async def _lease_of(
        self, selected: "_Selected", snapshot: PoolSnapshot, *, give_up: float
    ) -> Lease | None:
        """Lease the selected account; None if it has no usable credential.

        From `give_up` (monotonic seconds) on it does not wait for a refresh. Raises
        CredentialUnreachable.
        """
        choice = selected.found
        account = self._view.accounts.get(selected.account_id)
        if account is None or isinstance(choice, NoCandidate):  # removed in the meantime
            return None
        credential = self._view.credential(account.id)
        if credential is None or not self._refresher.is_fresh(credential):
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
            why=choice.why,
            selection_input=selected.selection_input,
            began=snapshot.now,
            is_affine=sole or (selected.affine == account.id and not selected.tentative),
            is_tie_stored=snapshot.renewed
            and not snapshot.tentative
            and snapshot.affine == account.id,
            sole=sole,
            probe=self._is_probe(choice),
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
    selection_input: SelectionInput | None
    affine: str | None
    """Id of the account that the conversation is tied to."""
    tentative: bool
    """Whether that account has not answered the conversation yet."""
    closed: Mapping[str, Closed] = {}
    """Accounts that were passed over because they have been closed since the list was made."""

    @property
    def account_id(self) -> str:
        """The selected account; empty where there is none."""
        return self.found.account_id if isinstance(self.found, Selection) else ""


def _explained(lease: Lease, lease_request: LeaseRequest) -> Lease:
    """The lease, which says so if it is on the account's reserve."""
    if lease_request.model != RESERVE:
        return lease
    return msgspec.structs.replace(lease, why=f"on its Luna Reserve; {lease.why}")
