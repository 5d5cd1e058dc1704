"""The account selector: eligible accounts, one snapshot, one selection, a fresh credential: a lease.

Which account is selected is decided by `commons.balancing`; outcomes are kept by `pool.health.outcomes`.
"""

import time
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.accounts.model import Account
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.store import AccountView
from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.balancing.candidates import (
    Candidate,
    NoCandidate,
    NoCandidateCause,
    Reason,
    Selection,
    SelectionInput,
)
from codex_proapi.commons.balancing.quota_pace import Plenty, plenty
from codex_proapi.commons.balancing.selection_policy import RENEWING_CODE, select, why_none
from codex_proapi.commons.balancing.strategy import Routing
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable
from codex_proapi.gateway.errors import StoreUnreachable
from codex_proapi.gateway.limits.stream_permits import refused
from codex_proapi.gateway.pool.clock import SharedClock
from codex_proapi.gateway.pool.eligible import EligibilityCache, EligibleAccounts, Facts
from codex_proapi.gateway.pool.health.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.health.outcomes import OutcomeRecorder
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.recent_affinity import RecentAffinity
from codex_proapi.gateway.pool.snapshot import PoolSnapshot, SnapshotReader, SnapshotRequest
from codex_proapi.gateway.pool.store_outage import StoreOutage

MOST_LOOKS: Final = 3
"""Snapshots read in a row while the accounts change at the same time."""
RENEWAL_PATIENCE: Final = 15.0
"""Seconds a request waits for logins that are being renewed, over all accounts it is lent."""
MOST_LOGGED: Final = 8
"""Candidates up to which a log line holds what an account was selected from."""
BY_COOLDOWN: Final = frozenset(
    {
        *(NoCandidateCause.EMPTY, NoCandidateCause.UNENTITLED, NoCandidateCause.REFUSED),
        *(NoCandidateCause.FORBIDDEN, NoCandidateCause.RENEWING),
    }
)
"""Causes that only the codes of all cooldowns tell apart; a selection is made without codes."""


class Strategy(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator says of the choice."""

    routing: Routing = Routing.AFFINITY
    reserve: float = 0.0
    """Percent of each quota window that new conversations leave alone."""
    fair_below: float = 0.0
    """Percent of the pool left below which keys share the rest; 0 is never."""


class AccountSelector:
    """Lends accounts."""

    def __init__(
        self,
        *,
        view: AccountView,
        snapshots: SnapshotReader | StoreOutage,
        refresher: CredentialRefresher,
        breakers: CircuitBreakers,
        outcomes: OutcomeRecorder,
        clock: SharedClock,
        facts: Facts,
    ) -> None:
        self._view = view
        self._snapshots = snapshots
        self._refresher = refresher
        self._breakers = breakers
        self._outcomes = outcomes
        self._clock = clock
        self._eligible = EligibilityCache(view, facts, clock=clock, half_open=breakers.half_open)
        self._recent_affinity = RecentAffinity(clock)
        self.strategy = Strategy()
        """How accounts are chosen; may change while running."""

    def __repr__(self) -> str:
        return f"<AccountSelector over {self._view!r}>"

    async def lease(
        self,
        lease_request: LeaseRequest,
        tried: Collection[str] = (),
        *,
        full: Collection[str] = (),
    ) -> Lease | NoCandidate:
        """Lend an account that has not been tried and is not full, or say why there is none.

        Raises StoreUnavailable: without a snapshot nobody is admitted; LimitExceeded for a key's limit.
        """
        passed = set(tried)
        busy: list[_Selected] = []
        give_up = time.monotonic() + RENEWAL_PATIENCE
        while True:
            snapshot, eligible = await self._take_snapshot(lease_request, passed, full=full)
            selected = self._select(lease_request, snapshot, eligible, passed=passed, full=full)
            found = selected.found
            if isinstance(found, NoCandidate):
                if not busy:
                    return self._nobody(found, lease_request, snapshot, eligible)
                # Only accounts that somebody else is probing are left: better those than none.
                selected = busy.pop()
            elif found.probe and not await self._breakers.may_probe(found.account_id):
                passed.add(found.account_id)
                busy.append(selected)
                continue
            lease = await self._lend(selected, snapshot, give_up=give_up)
            if lease is not None:
                return lease
            passed.add(selected.account_id)

    def note_tie(self, fingerprint: str, account_id: str, *, tentative: bool) -> None:
        """A conversation got an account: its next request here follows it at once."""
        self._recent_affinity.note(fingerprint, account_id, tentative=tentative)

    async def why_none_left(
        self, lease_request: LeaseRequest, tried: Collection[str]
    ) -> NoCandidate | None:
        """Why nobody else can be asked; None when somebody who has not been tried may be free."""
        passed = set(self._list(lease_request).accounts)
        snapshot, eligible = await self._take_snapshot(lease_request, passed)
        if any(id_ not in tried and id_ not in snapshot.cooldowns for id_ in eligible.accounts):
            return None
        empty = NoCandidate(cause=NoCandidateCause.EMPTY)
        return self._nobody(empty, lease_request, snapshot, eligible)

    def plan(self, lease_request: LeaseRequest) -> str:
        """The plan of an account that may serve a request, for an answer that must name one."""
        accounts = self._list(lease_request).accounts.values()
        return next((account.plan for account in accounts if account.plan), "")

    async def renew(self, lease: Lease) -> Lease | None:
        """The same account with a credential other than the refused one; None if there is none."""
        account_id = lease.account.id
        try:
            credential = await self._refresher.fresh(account_id, rejected=lease.credential)
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
            sole=lease.sole,
            probe=lease.probe,
        )

    def record_probe_success(self, lease: Lease) -> None:
        """An answer has begun: if it was a probe, its breaker closes at once."""
        if lease.probe:
            self._outcomes.record_success(lease)

    async def _take_snapshot(
        self,
        lease_request: LeaseRequest,
        passed: Collection[str],
        *,
        full: Collection[str] = (),
    ) -> tuple[PoolSnapshot, EligibleAccounts]:
        """A snapshot for accounts that are known as they are now, and those that may serve."""
        follow = self._follows(lease_request, passed)
        charge = lease_request.charge
        for _ in range(MOST_LOOKS):
            eligible = self._list(lease_request)
            ids: Sequence[str] = eligible.followed if follow else tuple(eligible.accounts)
            if passed or full:
                ids = [id_ for id_ in ids if id_ not in passed and id_ not in full]
            snapshot = await self._snapshots.read(
                SnapshotRequest(
                    account_ids=ids,
                    model=lease_request.model,
                    affinity=lease_request.fingerprint if follow else None,
                    charge=charge if charge is not None and not charge.drawn_at else None,
                    fair_share=self._claim(lease_request, eligible),
                )
            )
            self._clock.learn(snapshot.now)
            changed = await self._view.refresh_if(snapshot.accounts_version)
            await lease_request.confirm(snapshot.keys_version)
            if error := refused(lease_request.fair_share, charge, snapshot.now):
                raise error
            if not changed and (charge is None or charge.drawn_at):
                break
        if charge is not None and not charge.drawn_at:
            raise StoreUnreachable("API keys are being changed just now. Please try again.")
        self._breakers.see(snapshot.cooldowns)
        return snapshot, self._list(lease_request)

    def _follows(self, lease_request: LeaseRequest, passed: Collection[str]) -> bool:
        """Whether the conversation's own account is wanted."""
        ties = self.strategy.routing is not Routing.ROUND_ROBIN and not lease_request.begins
        return ties and bool(lease_request.fingerprint) and not passed

    def _list(self, lease_request: LeaseRequest) -> EligibleAccounts:
        return self._eligible.list(lease_request.model, lease_request.allowed_accounts)

    def _claim(self, lease_request: LeaseRequest, eligible: EligibleAccounts) -> FairShare | None:
        """What is claimed of the key's share: where the pool is scarce, once for each exchange."""
        share, below = lease_request.fair_share, self.strategy.fair_below
        if share is None or share.asked or not below or eligible.left is None:
            return None
        return share if eligible.left < below else None

    def _tie(
        self,
        lease_request: LeaseRequest,
        snapshot: PoolSnapshot,
        eligible: EligibleAccounts,
        passed: Collection[str],
    ) -> tuple[str | None, bool]:
        """The conversation's own account, and whether it has not answered it yet."""
        if not lease_request.fingerprint:
            return None, False
        recent = self._recent_affinity.of(lease_request.fingerprint)
        if recent is None or not self._follows(lease_request, passed):
            return snapshot.affine, snapshot.tentative
        better = not recent.tentative or snapshot.affine is None or snapshot.tentative
        free = (
            recent.account_id in eligible.accounts and recent.account_id not in snapshot.cooldowns
        )
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
        """Select an account; a conversation that stays is decided by its own account alone."""
        affine, tentative = self._tie(lease_request, snapshot, eligible, passed)
        asked = eligible.accounts
        if passed:
            asked = {id_: account for id_, account in asked.items() if id_ not in passed}

        def candidate(account: Account) -> Candidate:
            return self._eligible.candidate(
                account.id,
                lease_request.model,
                weight=account.weight,
                cooldown=snapshot.cooldowns.get(account.id),
                full=account.id in full,
            )

        def made_from(candidates: tuple[Candidate, ...]) -> SelectionInput:
            return SelectionInput(
                now=snapshot.now,
                routing=self.strategy.routing,
                cursor=snapshot.cursor,
                affine=affine,
                reserve=self.strategy.reserve,
                candidates=candidates,
            )

        own = asked.get(affine) if affine else None
        if own is not None and own.id not in full and own.id not in snapshot.cooldowns:
            alone = candidate(own)
            if plenty(alone, now=snapshot.now, reserve=0) is not Plenty.SPENT:
                found = made_from((alone,))
                return _Selected(select(found), found, affine, tentative)
        found = made_from(tuple(candidate(account) for account in asked.values()))
        return _Selected(select(found), found, affine, tentative)

    async def _lend(
        self, selected: "_Selected", snapshot: PoolSnapshot, *, give_up: float
    ) -> Lease | None:
        """A lease on the chosen account; None if it has no usable credential after all.

        From `give_up` (monotonic seconds) on no renewal is waited for.
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
            except CredentialUnavailable as error:
                await self._without_credential(account.id, error)
                return None
        sole = len(self._view.accounts) == 1
        made_from = selected.selection_input
        return Lease(
            account=account,
            credential=credential,
            basis=choice.basis,
            why=choice.why,
            selection_input=made_from if len(made_from.candidates) <= MOST_LOGGED else None,
            began=snapshot.now,
            is_affine=sole or (selected.affine == account.id and not selected.tentative),
            sole=sole,
            probe=choice.probe,
        )

    def _nobody(
        self,
        found: NoCandidate,
        lease_request: LeaseRequest,
        snapshot: PoolSnapshot,
        eligible: EligibleAccounts,
    ) -> NoCandidate:
        """Why there is nobody, by all candidates' cooldowns: also of those tried just now."""
        if found.cause not in BY_COOLDOWN:
            return found
        accounts = eligible.accounts
        if not accounts and self._eligible.usable(lease_request.allowed_accounts):
            return NoCandidate(cause=NoCandidateCause.UNENTITLED)
        cooldowns = [snapshot.cooldowns[id_] for id_ in accounts if id_ in snapshot.cooldowns]
        return why_none(cooldowns, snapshot.now)

    async def _without_credential(self, account_id: str, error: CredentialUnavailable) -> None:
        code = "credential_revoked" if isinstance(error, CredentialRevoked) else RENEWING_CODE
        await self._outcomes.record_no_credential(account_id, code=code)


class _Selected(msgspec.Struct, frozen=True):
    """A selection, and what it was made from."""

    found: Selection | NoCandidate
    selection_input: SelectionInput
    affine: str | None
    """The conversation's own account."""
    tentative: bool
    """Whether that account has not answered the conversation yet."""

    @property
    def account_id(self) -> str:
        """The selected account; empty where there is none."""
        return self.found.account_id if isinstance(self.found, Selection) else ""
