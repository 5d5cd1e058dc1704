"""Selects an account: affinity first, then round robin over the accounts with enough quota left.

Deterministic: every replica makes the same selection from the same `SelectionInput`. A `Ranking`
does once what concerns all accounts, so that each selection costs the same in a large pool as in a
small one.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import (
    Candidate,
    NoCandidate,
    NoCandidateCause,
    Reason,
    Selection,
    SelectionInput,
)
from codex_proapi.commons.balancing.explanations import Explanations
from codex_proapi.commons.balancing.quota_pace import Plenty, plenty
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.balancing.strategy_order import StrategyOrder
from codex_proapi.commons.owner_terms.closing import Closed

MOST_ACCOUNTS: Final = 3
"""Most accounts that are asked for one request."""
SHORT_WAIT: Final = 60.0
"""Seconds a client may be told to wait; beyond it, retrying soon makes no sense."""
RENEWING_CODE: Final = "credential_unavailable"
"""Code of the cooldown of an account whose login is being renewed."""
PLAN_CODES: Final = frozenset({"", "usage_not_included", "model_not_in_plan"})
"""Codes of cooldowns for what a plan does not include; with any other the backend may only have
refused for a while. A choice made again from a log line has no codes."""
PASSED_OVER: Final = frozenset({CooldownReason.TRANSIENT, CooldownReason.SUBSTITUTED})
"""Reasons for which an account is asked last, but is asked."""
LOGIN_REASONS: Final = frozenset({CooldownReason.ENTITLEMENT, CooldownReason.CREDENTIAL})
"""Reasons that waiting a little does not end."""


def select(selection_input: SelectionInput) -> Selection | NoCandidate:
    """Select an account for one attempt; what a `Ranking` of the same input selects."""
    candidates = selection_input.candidates
    return Ranking(selection_input).select(
        cursor=selection_input.cursor,
        affine=selection_input.affine,
        tried={c.id for c in candidates if c.tried},
        full={c.id for c in candidates if c.full},
    )


class Ranking:
    """The candidates of a pool in the order in which they are asked, at one time.

    Args:
        pool: the candidates, the time, the strategy and the reserve; what concerns one request
            only (cursor, affine account, tried and full candidates) is not read.
    """

    def __init__(self, pool: SelectionInput) -> None:
        self.pool = pool
        now = pool.now
        self._awake = {
            c.id: c for c in pool.candidates if c.closed is None and not _cooling(c, now)
        }
        self._plenty = {
            c.id: plenty(c, now=now, reserve=pool.reserve) for c in self._awake.values()
        }
        self._groups = _groups(pool, self._awake.values(), self._plenty)
        self._orders: dict[int, StrategyOrder] = {}
        self._explanations = Explanations(pool)
        self._selections: dict[tuple[str, Reason], Selection] = {}
        self._in_turn: dict[int, Selection | NoCandidate] = {}
        """By position in the round robin, where nothing else decides."""
        self._own: dict[str, Selection] = {}
        """By account, for its own conversations, where they stay there."""
        self._shaky: Sequence[str] | None = None
        self._nobody: NoCandidate | None = None

    def __repr__(self) -> str:
        return f"<Ranking of {len(self.pool.candidates)} candidates>"

    def select(
        self,
        *,
        cursor: int | None,
        affine: str | None,
        tried: Collection[str] = (),
        full: Collection[str] = (),
    ) -> Selection | NoCandidate:
        """Select an account for one attempt.

        An existing conversation stays on its account, whose prompt cache is warm, even on reserved
        quota. A new one goes to accounts with more than the reserve left, if there are any; else to
        those with anything left; else to any that is not cooling, as only upstream knows for
        certain.

        Args:
            cursor: the request's position in the round robin.
            affine: id of the conversation's own account.
            tried: ids of accounts that are passed over.
            full: ids of accounts that are passed over as long as they are full.
        """
        if tried or full or not self._groups:
            return self._decide(cursor or 0, affine, tried=tried, full=full)
        if affine:
            return self._own.get(affine) or self._with_own(cursor or 0, affine)
        at = (cursor or 0) % (self._orders.get(0) or self._order(0)).turns
        found = self._in_turn.get(at)
        if found is None:
            found = self._in_turn[at] = self._decide(at, None, tried=(), full=())
        return found

    def selection_input(
        self,
        *,
        cursor: int | None,
        affine: str | None,
        tried: Collection[str] = (),
        full: Collection[str] = (),
    ) -> SelectionInput:
        """What a selection with these arguments is made from, to repeat it with `select`."""
        candidates = self.pool.candidates
        if tried or full:
            candidates = tuple(
                msgspec.structs.replace(c, tried=c.id in tried, full=c.id in full)
                if c.id in tried or c.id in full
                else c
                for c in candidates
            )
        return msgspec.structs.replace(
            self.pool, cursor=cursor, affine=affine, candidates=candidates
        )

    def _with_own(self, cursor: int, affine: str) -> Selection | NoCandidate:
        """The selection of a conversation with an account of its own, where none is passed over.

        That it stays there does not depend on the position in the round robin, and is remembered.
        """
        found = self._decide(cursor, affine, tried=(), full=())
        if isinstance(found, Selection) and found.basis is Reason.AFFINITY:
            self._own[affine] = found
        return found

    def _decide(
        self, cursor: int, affine: str | None, *, tried: Collection[str], full: Collection[str]
    ) -> Selection | NoCandidate:
        passed = {*tried, *full} if tried and full else tried or full
        own = self._awake.get(affine) if affine and affine not in passed else None
        if own is not None and self._plenty[own.id] is not Plenty.SPENT:
            return self._selection(own.id, Reason.AFFINITY, full)
        for number, group in enumerate(self._groups):
            if own is not None and self._plenty[group[0].id] is Plenty.SPENT:
                return self._selection(own.id, Reason.AFFINITY, full)
            found = self._order(number).first(cursor, passed)
            if found is not None:
                return self._selection(*found, full)
        waiting = tuple(id_ for id_ in self._awake if id_ not in tried)
        if waiting:
            return NoCandidate(cause=NoCandidateCause.BUSY, accounts=waiting)
        return self._last_resort(tried, full)

    def _order(self, number: int) -> StrategyOrder:
        """The order of a group of accounts, made when it is first needed."""
        order = self._orders.get(number)
        if order is None:
            order = self._orders[number] = StrategyOrder(self.pool, self._groups[number])
        return order

    def _selection(self, account_id: str, basis: Reason, full: Collection[str]) -> Selection:
        """The selection of an account; unless others were full, the same object each time."""
        found = None if full else self._selections.get((account_id, basis))
        if found is None:
            why = self._explanations.of(account_id, basis, full=full)
            found = Selection(account_id=account_id, basis=basis, why=why)
            if not full:
                self._selections[account_id, basis] = found
        return found

    def has_other(self, tried: Collection[str]) -> bool:
        """Whether an account that is not cooling has not been tried yet."""
        return len(self._awake) > sum(id_ in self._awake for id_ in tried)

    def _last_resort(
        self, tried: Collection[str], full: Collection[str]
    ) -> Selection | NoCandidate:
        """All accounts are cooling: some reasons never exclude the last one, others do."""
        if self._shaky is None:
            self._shaky = _coolest_first(self.pool)
        for id_ in self._shaky:
            if id_ not in tried and id_ not in full:
                return self._selection(id_, Reason.LAST, ())
        waiting = tuple(id_ for id_ in self._shaky if id_ not in tried) if full else ()
        if waiting:
            return NoCandidate(cause=NoCandidateCause.BUSY, accounts=waiting)
        if self._nobody is None:
            closed = [c.closed for c in self.pool.candidates if c.closed is not None]
            cooling = [
                c.cooldown
                for c in self.pool.candidates
                if c.closed is None and c.cooldown is not None
            ]
            self._nobody = why_none(cooling, self.pool.now, closed=closed)
        return self._nobody


def _coolest_first(pool: SelectionInput) -> Sequence[str]:
    """The accounts that are asked although they cool, in the order of the ends of their cooldowns."""
    shaky = [
        (c.cooldown.until, c.id)
        for c in pool.candidates
        if c.closed is None and c.cooldown is not None and c.cooldown.reason in PASSED_OVER
    ]
    return [id_ for _, id_ in sorted(shaky)]


def why_none(
    cooldowns: Sequence[Cooldown], now: float, *, closed: Sequence[Closed] = ()
) -> NoCandidate:
    """Why no account can be selected.

    Args:
        cooldowns: those of all accounts that could serve and are not closed by their owners.
        now: seconds since the epoch.
        closed: how the others are closed.
    """
    found = _by_cooldowns(cooldowns, now)
    if not closed:
        return found
    opens = min((each.until for each in closed if each.until), default=0.0)
    waiting = {NoCandidateCause.COOLING, NoCandidateCause.SPENT, NoCandidateCause.RENEWING}
    if found.cause in waiting and not 0 < opens < found.until:
        return found
    terms = tuple(sorted({each.term for each in closed}))
    return NoCandidate(cause=NoCandidateCause.CLOSED, until=opens, terms=terms)


def _by_cooldowns(cooldowns: Sequence[Cooldown], now: float) -> NoCandidate:
    if not cooldowns:
        return NoCandidate(cause=NoCandidateCause.EMPTY)
    waiting = [c.until for c in cooldowns if c.reason not in LOGIN_REASONS]
    if not waiting:
        return _without_login(cooldowns)
    spent = [c.until for c in cooldowns if c.reason is CooldownReason.QUOTA]
    if min(waiting) - now <= SHORT_WAIT or not spent:
        return NoCandidate(cause=NoCandidateCause.COOLING, until=min(waiting))
    return NoCandidate(cause=NoCandidateCause.SPENT, until=min(spent))


def _without_login(cooldowns: Sequence[Cooldown]) -> NoCandidate:
    """The cause where no login may serve: the one that ends soonest by itself."""
    renewing = [c.until for c in cooldowns if c.code == RENEWING_CODE]
    if renewing:
        return NoCandidate(cause=NoCandidateCause.RENEWING, until=min(renewing))
    cause = NoCandidateCause.UNENTITLED
    if any(c.reason is CooldownReason.CREDENTIAL for c in cooldowns):
        cause = NoCandidateCause.REFUSED
    elif any(c.code not in PLAN_CODES for c in cooldowns):
        cause = NoCandidateCause.FORBIDDEN
    return NoCandidate(cause=cause, until=min(c.until for c in cooldowns))


def _cooling(candidate: Candidate, now: float) -> bool:
    return candidate.cooldown is not None and candidate.cooldown.until > now


def _groups(
    pool: SelectionInput, awake: Collection[Candidate], found: Mapping[str, Plenty]
) -> Sequence[Sequence[Candidate]]:
    """The accounts by what they have left, best first, as far as the strategy considers quota."""
    strictly = pool.routing is Routing.ROUND_ROBIN  # in turn, as long as there is anything
    groups: dict[Plenty, list[Candidate]] = {}
    for candidate in awake:
        left = found[candidate.id]
        if strictly and left is not Plenty.SPENT:
            left = Plenty.AMPLE
        groups.setdefault(left, []).append(candidate)
    return [groups[left] for left in sorted(groups)]
