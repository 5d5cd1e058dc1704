"""What our choice is measured against: one that sees less, and one that sees all."""

import msgspec
from week.pool import EPOCH
from week.replay import Replay

from gateway.choice.ballot import Ballot, Basis, Cause, Choice, NoChoice
from gateway.choice.choose import choose


def blind(ballot: Ballot, model: str) -> Choice | NoChoice:
    """The same choice where nothing is known of anybody's quota: plain turns."""
    standings = tuple(msgspec.structs.replace(s, windows=()) for s in ballot.standings)
    return choose(msgspec.structs.replace(ballot, standings=standings))


class Knowing:
    """Sees what upstream counts as it counts it: never asks in vain, spends what ends first.

    No bound, as it does not know what will be asked; but nobody who only hears of quota in passing
    is expected to do better.
    """

    def __init__(self, replay: Replay) -> None:
        self._accounts = replay.accounts

    def __repr__(self) -> str:
        return f"<Knowing {len(self._accounts)} accounts>"

    def __call__(self, ballot: Ballot, model: str) -> Choice | NoChoice:
        """The conversation's own account while it answers, else the one that ends first."""
        now = ballot.now - EPOCH
        answer = [
            s.id for s in ballot.standings if self._accounts[s.id].refusal(model, now) is None
        ]
        if not answer:
            return NoChoice(cause=Cause.SPENT)
        if ballot.affine in answer:
            return Choice(account_id=ballot.affine or "", basis=Basis.AFFINITY)
        first = min(answer, key=lambda name: (self._accounts[name].meters(model)[-1].ends, name))
        return Choice(account_id=first, basis=Basis.SOONEST_RESET)
