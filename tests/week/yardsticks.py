"""What our choice is measured against: one that sees less, and one that sees all."""

import msgspec

from codex_proapi.commons.balancing.candidates import (
    NoCandidate,
    NoCandidateCause,
    Reason,
    Selection,
    SelectionInput,
)
from codex_proapi.commons.balancing.select_account import select
from codex_proapi.console.what_if.replay.pool import EPOCH
from codex_proapi.console.what_if.replay.week_replay import Replay


def blind(selection_input: SelectionInput, model: str) -> Selection | NoCandidate:
    """The same choice where nothing is known of anybody's quota: plain turns."""
    candidates = tuple(msgspec.structs.replace(s, windows=()) for s in selection_input.candidates)
    return select(msgspec.structs.replace(selection_input, candidates=candidates))


class Knowing:
    """Sees what upstream counts as it counts it: never asks in vain, spends what ends first.

    No bound, as it does not know what will be asked; but nobody who only hears of quota in passing
    is expected to do better.
    """

    def __init__(self, replay: Replay) -> None:
        self._accounts = replay.accounts

    def __repr__(self) -> str:
        return f"<Knowing {len(self._accounts)} accounts>"

    def __call__(self, selection_input: SelectionInput, model: str) -> Selection | NoCandidate:
        """The conversation's own account while it answers, else the one that ends first."""
        now = selection_input.now - EPOCH
        answer = [
            s.id
            for s in selection_input.candidates
            if self._accounts[s.id].refusal(model, now) is None
        ]
        if not answer:
            return NoCandidate(cause=NoCandidateCause.SPENT)
        if selection_input.affine in answer:
            return Selection(account_id=selection_input.affine or "", basis=Reason.AFFINITY)
        first = min(answer, key=lambda name: (self._accounts[name].meters(model)[-1].ends, name))
        return Selection(account_id=first, basis=Reason.SOONEST_RESET)
