"""The order in which a strategy takes accounts that have equally much left. Pure."""

import itertools
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any, TypeAlias

from codex_proapi.commons.balancing.candidates import Candidate, Reason, SelectionInput
from codex_proapi.commons.balancing.quota_pace import (
    EVEN,
    ends,
    fullest,
    hurry,
    known,
    middle,
    share,
    strained,
)
from codex_proapi.commons.balancing.round_robin import Turns, positions_of, turn_order
from codex_proapi.commons.balancing.strategies import Routing

Found: TypeAlias = tuple[str, Reason] | None
"""An account's id and the rule that found it; None if all were passed over."""


class StrategyOrder:
    """The order of some accounts by a strategy, with the round robin between equals.

    Making it takes time in proportion to the accounts; finding the first one does not.

    Args:
        selection_input: the time and the strategy.
        among: the accounts, not empty.
    """

    turns: int
    """Positions after which the first accounts are found again in the same order, if none is passed over."""

    def __init__(self, selection_input: SelectionInput, among: Sequence[Candidate]) -> None:
        self._routing = selection_input.routing
        now = selection_input.now
        if self._routing is Routing.LEAST_USED:
            self._with_quota = {c.id for c in among if known(c, now=now)}
            comparable = [c for c in among if c.id in self._with_quota]
            self._open(among, comparable, lambda c: fullest(c, now=now))
        elif self._routing is Routing.DRAIN_SOONEST:
            self._open(among, among, lambda c: (strained(c, now=now), ends(c, now=now)))
        else:
            rounds = _rounds(selection_input, among)
            slots = [(len(turns), positions_of(turns)) for turns in rounds]
            self._rounds = [(length, Turns(found, found)) for length, found in slots]
            self.turns, _ = self._rounds[0]

    def __repr__(self) -> str:
        return f"<StrategyOrder by {self._routing.value}>"

    def first(self, cursor: int, passed: Container[str]) -> Found:
        """The account to ask at a position of the round robin, without those passed over."""
        if self._routing is Routing.LEAST_USED:
            return self._least_used(cursor % self.turns, passed)
        if self._routing is Routing.DRAIN_SOONEST:
            return self._of_groups(cursor % self.turns, passed, Reason.SOONEST_RESET)
        for length, turns in self._rounds:
            if (found := turns.first(cursor % length, passed)) is not None:
                return found, Reason.TURN
        return None

    def _open(
        self, among: Sequence[Candidate], ranked: Sequence[Candidate], key: Callable[..., Any]
    ) -> None:
        """One round of all, and groups of accounts that the strategy takes for equal, best first."""
        turns = turn_order(tuple((c.id, c.weight) for c in among))
        self.turns = len(turns)
        positions = positions_of(turns)
        self._turns = Turns(positions, (c.id for c in among))
        grouped = itertools.groupby(sorted(ranked, key=key), key=key)
        self._groups = [Turns(positions, [c.id for c in group]) for _, group in grouped]

    def _least_used(self, start: int, passed: Container[str]) -> Found:
        """The order by figures; accounts without figures cannot be compared and get their turns."""
        first = self._turns.first(start, passed)
        if first is None or first not in self._with_quota:
            return None if first is None else (first, Reason.TURN)
        return self._of_groups(start, passed, Reason.LEAST_USED)

    def _of_groups(self, start: int, passed: Container[str], reason: Reason) -> Found:
        for turns in self._groups:
            if (found := turns.first(start, passed)) is not None:
                return found, reason
        return None


def _rounds(selection_input: SelectionInput, among: Sequence[Candidate]) -> Iterator[Sequence[str]]:
    """The rounds of turns: the first of those in the greatest hurry, then one of the rest, and so on."""
    left = among
    while left:
        shares = _shares(selection_input, left)
        turns = turn_order(tuple((c.id, c.weight * shares[c.id]) for c in left))
        yield turns
        having = set(turns)
        left = [c for c in left if c.id not in having]


def _shares(selection_input: SelectionInput, among: Sequence[Candidate]) -> dict[str, float]:
    """Each account's turns, by its hurry, for one turn of the account with the greatest.

    An account with unknown hurry gets the median, so that it is used and its quota becomes known.
    """
    if selection_input.routing is not Routing.AFFINITY:
        return {c.id: 1.0 for c in among}
    found = {c.id: hurry(c, now=selection_input.now) for c in among}
    told = [h for c in among if c.weight > 0 and (h := found[c.id]) is not None]
    most, usual = max(told, default=EVEN), middle(told)
    return {account: share(usual if h is None else h, most) for account, h in found.items()}
