"""The account selector: eligible accounts, one snapshot, one selection, a fresh credential: a lease.

Which account is selected is decided by `commons.balancing`; outcomes are kept by `pool.outcomes`.
"""

from collections.abc import Collection, Sequence
from typing import Final, Protocol

import msgspec

from codex_proapi.commons.accounts.model import Account, Cooldown
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
    Window,
)
from codex_proapi.commons.balancing.quota import Plenty, plenty
from codex_proapi.commons.balancing.scarcity import scarce
from codex_proapi.commons.balancing.select import RENEWING_CODE, select, why_none
from codex_proapi.commons.balancing.strategy import Routing
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable
from codex_proapi.gateway.errors import StoreUnreachable
from codex_proapi.gateway.limits.stream_permits import refused
from codex_proapi.gateway.pool.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.clock import SharedClock
from codex_proapi.gateway.pool.lease import Lease, LeaseRequest
from codex_proapi.gateway.pool.outcomes import OutcomeRecorder
from codex_proapi.gateway.pool.snapshot import PoolSnapshot, SnapshotReader, SnapshotRequest
from codex_proapi.gateway.pool.store_outage import StoreOutage

MOST_LOOKS: Final = 3
"""Snapshots read in a row while the accounts change at the same time."""
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


class Facts(Protocol):
    """What is known of an account beside its record."""

    def lists(self, account_id: str, model: str) -> bool:
        """Whether an account lists a model; True where its catalogue is not known."""

    def windows(self, account_id: str, model: str) -> tuple[Window, ...]:
        """An account's quota windows that hold for a model; empty where they are not known."""

    def credits(self, account_id: str) -> bool:
        """Whether bought credits go on where an account's windows end."""


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
        self._facts = facts
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

        Raises StoreUnavailable: without a survey nobody is admitted; Exhausted for a key's limit.
        """
        passed = set(tried)
        busy: list[tuple[Selection, SelectionInput]] = []
        while True:
            snapshot, eligible = await self._take_snapshot(lease_request, passed, full=full)
            asked = [a for a in eligible if a.id not in passed]
            selection_input = self._selection_input(lease_request, snapshot, asked, full=full)
            found = select(selection_input)
            if isinstance(found, NoCandidate):
                if not busy:
                    return self._nobody(found, lease_request, snapshot, eligible)
                # Only accounts that somebody else is probing are left: better those than none.
                found, selection_input = busy.pop()
            elif found.probe and not await self._breakers.may_probe(found.account_id):
                passed.add(found.account_id)
                busy.append((found, selection_input))
                continue
            lease = await self._lend(found, selection_input, snapshot)
            if lease is not None:
                return lease
            passed.add(found.account_id)

    async def why_none_left(
        self, lease_request: LeaseRequest, tried: Collection[str]
    ) -> NoCandidate | None:
        """Why nobody else can be asked; None when somebody who has not been tried may be free."""
        snapshot, eligible = await self._take_snapshot(
            lease_request, {a.id for a in self._eligible(lease_request)}
        )
        free = [a for a in eligible if a.id not in tried and a.id not in snapshot.cooldowns]
        return (
            None
            if free
            else self._nobody(
                NoCandidate(cause=NoCandidateCause.EMPTY), lease_request, snapshot, eligible
            )
        )

    def plan(self, lease_request: LeaseRequest) -> str:
        """The plan of an account that may serve a wish, for an answer that must name one."""
        return next((account.plan for account in self._eligible(lease_request) if account.plan), "")

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
        self, lease_request: LeaseRequest, passed: Collection[str], *, full: Collection[str] = ()
    ) -> tuple[PoolSnapshot, list[Account]]:
        """A survey for accounts that are known as they are now, and those that may serve."""
        ties = self.strategy.routing is not Routing.ROUND_ROBIN and not lease_request.begins
        follow = ties and lease_request.fingerprint and not passed
        charge = lease_request.charge
        for _ in range(MOST_LOOKS):
            eligible = self._eligible(lease_request)
            followed = self._followed(eligible, lease_request.model) if follow else eligible
            snapshot = await self._snapshots.read(
                SnapshotRequest(
                    account_ids=[a.id for a in followed if a.id not in passed and a.id not in full],
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
        return snapshot, self._eligible(lease_request)

    def _claim(self, lease_request: LeaseRequest, eligible: Sequence[Account]) -> FairShare | None:
        """What is claimed of the key's share: where the pool is scarce, once for each exchange."""
        share, below = lease_request.fair_share, self.strategy.fair_below
        if share is None or share.asked or not below:
            return None
        candidates = [self._candidate(account, lease_request.model) for account in eligible]
        return share if scarce(candidates, now=self._clock(), below=below) else None

    def _eligible(self, lease_request: LeaseRequest) -> list[Account]:
        """Accounts that may serve a wish, cooling or not."""
        now = self._clock()
        return [
            account
            for account in self._accounts()
            if self._serves(account, lease_request, now)
            and self._facts.lists(account.id, lease_request.model)
        ]

    def _accounts(self) -> Collection[Account]:
        return self._view.accounts.values()

    def _serves(self, account: Account, lease_request: LeaseRequest, now: float) -> bool:
        """Whether an account may serve a wish, if it only lists the model."""
        allowed = lease_request.allowed_accounts
        usable = account.works(now) and not account.paused
        return usable and (not allowed or account.id in allowed)

    def _selection_input(
        self,
        lease_request: LeaseRequest,
        snapshot: PoolSnapshot,
        eligible: Sequence[Account],
        *,
        full: Collection[str],
    ) -> SelectionInput:
        self._breakers.see(snapshot.cooldowns)
        return SelectionInput(
            now=snapshot.now,
            routing=self.strategy.routing,
            cursor=snapshot.cursor,
            affine=snapshot.affine if lease_request.fingerprint else None,
            reserve=self.strategy.reserve,
            candidates=tuple(
                self._candidate(
                    account,
                    lease_request.model,
                    cooldown=snapshot.cooldowns.get(account.id),
                    full=account.id in full,
                )
                for account in eligible
            ),
        )

    def _candidate(
        self,
        account: Account,
        model: str,
        *,
        cooldown: Cooldown | None = None,
        full: bool = False,
    ) -> Candidate:
        return Candidate(
            id=account.id,
            weight=account.weight,
            # Its code is upstream's own text, which no choice looks at and the log must not keep.
            cooldown=cooldown and msgspec.structs.replace(cooldown, code=""),
            half_open=self._breakers.half_open(account.id),
            windows=self._facts.windows(account.id, model),
            credits=self._facts.credits(account.id),
            full=full,
        )

    def _followed(self, eligible: Sequence[Account], model: str) -> Sequence[Account]:
        """Those whom a conversation may stay with: not the spent, unless everybody is."""
        now = self._clock()
        left = [
            account
            for account in eligible
            if plenty(self._candidate(account, model), now=now, reserve=0) < Plenty.SPENT
        ]
        return left or eligible

    async def _lend(
        self, choice: Selection, selection_input: SelectionInput, snapshot: PoolSnapshot
    ) -> Lease | None:
        """A lease on the chosen account; None if it has no usable credential after all."""
        account = self._view.accounts.get(choice.account_id)
        if account is None:  # removed while others were asked whether it may be probed
            return None
        credential = self._view.credential(account.id)
        if credential is None or not self._refresher.is_fresh(credential):
            try:
                credential = await self._refresher.fresh(account.id, held=credential)
            except CredentialUnavailable as error:
                await self._without_credential(account.id, error)
                return None
        sole = len(self._view.accounts) == 1
        return Lease(
            account=account,
            credential=credential,
            basis=choice.basis,
            why=choice.why,
            selection_input=selection_input,
            began=snapshot.now,
            is_affine=sole or (snapshot.affine == account.id and not snapshot.tentative),
            sole=sole,
            probe=choice.probe,
        )

    def _nobody(
        self,
        found: NoCandidate,
        lease_request: LeaseRequest,
        snapshot: PoolSnapshot,
        eligible: Sequence[Account],
    ) -> NoCandidate:
        """Why there is nobody, by all candidates' cooldowns: also of those tried just now."""
        if found.cause not in BY_COOLDOWN:
            return found
        if not eligible and any(
            self._serves(a, lease_request, snapshot.now) for a in self._accounts()
        ):
            return NoCandidate(cause=NoCandidateCause.UNENTITLED)
        cooldowns = [snapshot.cooldowns[a.id] for a in eligible if a.id in snapshot.cooldowns]
        return why_none(cooldowns, snapshot.now)

    async def _without_credential(self, account_id: str, error: CredentialUnavailable) -> None:
        code = "credential_revoked" if isinstance(error, CredentialRevoked) else RENEWING_CODE
        await self._outcomes.record_no_credential(account_id, code=code)
