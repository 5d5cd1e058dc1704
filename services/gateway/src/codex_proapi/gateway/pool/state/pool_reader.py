"""Reads the pool's state for one selection: a snapshot from Redis, taken for the current accounts.

The accounts themselves are cached in memory. If a snapshot shows that they have changed, they are
read again and so is the snapshot, for it was taken for accounts that may be gone.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.accounts.model import Cooldown
from codex_proapi.commons.accounts.view import AccountView
from codex_proapi.commons.api_keys.fair_shares import FairShare
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.gateway.errors import LimitExceeded
from codex_proapi.gateway.limits.key_claims import Claims
from codex_proapi.gateway.pool.eligible import EligibilityCache, EligibleAccounts, Strategy
from codex_proapi.gateway.pool.health.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.lease import LeaseRequest
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.pool.state.snapshot import PoolSnapshot, SnapshotRequest, SnapshotSource
from codex_proapi.gateway.quota.newest_readings import NewestReadings

MOST_READS: Final = 3
"""Most snapshots read at a time while the accounts keep changing."""
MOST_MODELS: Final = 64
"""Most models whose cooldowns are remembered as seen."""
NO_CLAIMS: Final = Claims()


class PoolState(msgspec.Struct, frozen=True, kw_only=True):
    """The pool at one time, as far as one request is concerned."""

    snapshot: PoolSnapshot
    eligible: EligibleAccounts
    follows: bool
    """Whether the conversation's own account is preferred."""
    refusal: LimitExceeded | None = None
    """The client's error for a claim that was refused: then nothing else was read."""


class PoolReader:
    """Reads pool states.

    Args:
        view: the accounts as this replica last read them.
        snapshots: reads snapshots.
        breakers: circuit breakers of accounts, which learn of cooldowns from each snapshot.
        eligible: lists the accounts that may serve a request.
        clock: the shared clock, corrected with each snapshot.
        newest: keeps quotas of which owners keep a share as new as Redis has them.
    """

    def __init__(
        self,
        *,
        view: AccountView,
        snapshots: SnapshotSource,
        breakers: CircuitBreakers,
        eligible: EligibilityCache,
        clock: SharedClock,
        newest: NewestReadings | None = None,
    ) -> None:
        self._view = view
        self._snapshots = snapshots
        self._breakers = breakers
        self._eligible = eligible
        self._clock = clock
        self._newest = newest
        self._seen: dict[str, Mapping[str, Cooldown]] = {}
        self.strategy = Strategy()
        """Settings for selection; may change while running."""

    def __repr__(self) -> str:
        return f"<PoolReader of {self._view!r}>"

    async def read(
        self,
        lease_request: LeaseRequest,
        passed: Collection[str] = (),
        *,
        full: Collection[str] = (),
        claims: Claims = NO_CLAIMS,
    ) -> PoolState:
        """Read the state for one selection, in one round trip unless the accounts have changed.

        One more is needed where the conversation must leave its account and the snapshot could not
        be told so, because more accounts than it may name are out.

        Args:
            lease_request: what the account must serve.
            passed: ids of accounts that are passed over.
            full: ids of accounts without a free concurrency slot.
            claims: what is to be claimed of the client's key. The results are in it afterwards; if
                the keys or the day have changed, its charge is still pending.

        Raises:
            StoreUnavailable: no snapshot could be read.
        """
        model, at = lease_request.model, self._clock()
        ties = self.strategy.routing is not Routing.ROUND_ROBIN and not lease_request.begins
        follows = follow = ties and bool(lease_request.fingerprint) and not passed
        refusal: LimitExceeded | None = None
        for _ in range(MOST_READS):
            version = self._view.version
            eligible = self._eligible.list(lease_request, at)
            snapshot = await self._snapshots.read(
                SnapshotRequest(
                    account_ids=_without(full, eligible.only) if full else eligible.only,
                    excluded=eligible.excluded,
                    model=model,
                    affinity=lease_request.fingerprint if follow else None,
                    charge=claims.pending if claims.charge else None,
                    fair_share=self._fair_share(claims, eligible) if claims.fair_share else None,
                    newest=self._newest,
                    at=at,
                )
            )
            at = snapshot.now
            self._clock.learn(at)
            changed = snapshot.accounts_version != self._view.version
            if changed:
                changed = await self._view.refresh_if(snapshot.accounts_version)
            if claims.charge or claims.fair_share:
                refusal = claims.refusal(at)
            affine = snapshot.affine
            stays = affine is None or (affine in eligible.followed and affine not in full)
            if refusal or (stays and not changed):
                break
            follow = follow and stays
        if self._seen.get(model) is not snapshot.cooldowns:
            self._see(model, snapshot.cooldowns)
        if version != self._view.version or eligible.shared:
            # Other accounts, or quotas of which owners keep a share; else a change counts from the next request.
            eligible = self._eligible.list(lease_request, at)
        return PoolState(snapshot=snapshot, eligible=eligible, follows=follows, refusal=refusal)

    def _see(self, model: str, cooldowns: Mapping[str, Cooldown]) -> None:
        """Pass changed cooldowns to the circuit breakers."""
        if len(self._seen) >= MOST_MODELS:
            self._seen.clear()
        self._seen[model] = cooldowns
        self._breakers.see(cooldowns)

    def _fair_share(self, claims: Claims, eligible: EligibleAccounts) -> FairShare | None:
        """The claim to the key's fair share: while the pool is scarce, once for each exchange."""
        share, below = claims.fair_share, self.strategy.fair_below
        if share is None or share.checked or not below or eligible.left is None:
            return None
        return share if eligible.left < below else None


def _without(full: Collection[str], only: Sequence[str] | None) -> Sequence[str] | None:
    """The accounts a conversation may stay with, as far as they have a free slot."""
    return None if only is None else [id_ for id_ in only if id_ not in full]
