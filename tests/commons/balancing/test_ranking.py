"""A ranking selects again and again what a selection from scratch would, whatever is passed over."""

import random

import pytest

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import (
    Candidate,
    NoCandidate,
    NoCandidateCause,
    Reason,
    Selection,
    SelectionInput,
    Window,
)
from codex_proapi.commons.balancing.logged_input import MOST_LOGGED, logged_input
from codex_proapi.commons.balancing.select_account import Ranking, select
from codex_proapi.commons.balancing.strategies import Routing

NOW = 1_790_000_000.0
WEEK = 10_080


def candidate(number: int, dice: random.Random) -> Candidate:
    """An account as pools have them: any use, any reset, some of them cooling or unknown."""
    windows = tuple(
        Window(
            minutes=minutes,
            used=dice.choice([0, 10, 40, 80, 97, 100]),
            resets_at=NOW + dice.randint(-100, minutes * 60),
        )
        for minutes in (300, WEEK)
        if dice.random() < 0.9
    )
    cooldown = None
    if dice.random() < 0.2:
        reason = dice.choice([CooldownReason.QUOTA, CooldownReason.TRANSIENT])
        cooldown = Cooldown(until=NOW + dice.choice([-5, 20, 4000]), reason=reason)
    return Candidate(
        id=f"acc_{number:03}",
        weight=dice.choice([0.0, 0.5, 1.0, 1.0, 2.0]),
        windows=windows,
        cooldown=cooldown,
        credits=dice.random() < 0.1,
    )


def pool_of(size: int, routing: Routing, dice: random.Random) -> SelectionInput:
    candidates = tuple(candidate(number, dice) for number in range(size))
    return SelectionInput(now=NOW, routing=routing, reserve=5, candidates=candidates)


@pytest.mark.parametrize("routing", list(Routing))
@pytest.mark.parametrize("size", [1, 5, 30])
def test_every_selection_is_made_again_from_its_input(routing: Routing, size: int) -> None:
    dice = random.Random(size)
    for _ in range(20):
        ranking = Ranking(pool_of(size, routing, dice))
        ids = [c.id for c in ranking.pool.candidates]
        for cursor in range(40):
            passed = dice.sample(ids, dice.randint(0, min(size, 4)))
            at = dice.randint(0, len(passed))
            tried, full = passed[:at], passed[at:]
            affine = dice.choice([None, *ids])
            asked = {"tried": tried, "full": full}

            found = ranking.select(cursor=cursor, affine=affine, **asked)

            whole = ranking.selection_input(cursor=cursor, affine=affine, **asked)
            assert select(whole) == found
            if isinstance(found, Selection):
                assert found.account_id not in tried
                assert found.account_id not in full
                logged = logged_input(ranking, found, cursor=cursor, affine=affine, **asked)
                again = select(logged)
                assert isinstance(again, Selection)
                assert again.account_id == found.account_id
                assert len(logged.candidates) <= MOST_LOGGED
                assert len(logged.candidates) + logged.others == size


@pytest.mark.parametrize("routing", list(Routing))
@pytest.mark.parametrize("size", [1, 5, 30])
def test_where_nobody_is_passed_over_the_turns_are_the_same_however_often_they_came(
    routing: Routing, size: int
) -> None:
    dice = random.Random(size)
    for _ in range(20):
        ranking = Ranking(pool_of(size, routing, dice))
        for cursor in [None, *(dice.randint(0, 2000) for _ in range(200))]:
            # Nobody of that name is there, so that each is found on the way of all others.
            found = ranking.select(cursor=cursor, affine=None, tried=["nobody"])
            assert ranking.select(cursor=cursor, affine=None) == found


@pytest.mark.parametrize("routing", [Routing.AFFINITY, Routing.ROUND_ROBIN])
def test_whoever_is_passed_over_costs_the_others_no_turn(routing: Routing) -> None:
    candidates = tuple(Candidate(id=each) for each in "abcd")
    ranking = Ranking(SelectionInput(now=NOW, routing=routing, candidates=candidates))

    turns = [ranking.select(cursor=n, affine=None, tried=["b"]) for n in range(8)]

    assert "".join(each.account_id for each in turns if isinstance(each, Selection)) == "accdaccd"


def test_where_the_first_round_is_full_the_next_in_hurry_take_turns() -> None:
    soon = Window(minutes=WEEK, used=0, resets_at=NOW + 86_400)
    late = Window(minutes=WEEK, used=90, resets_at=NOW + 6 * 86_400)
    urgent = [Candidate(id=each, windows=(soon,)) for each in "ab"]
    spared = [Candidate(id=each, windows=(late,)) for each in "cd"]
    ranking = Ranking(SelectionInput(now=NOW, candidates=(*urgent, *spared)))

    def turns(*full: str) -> list[str]:
        found = [ranking.select(cursor=n, affine=None, full=full) for n in range(4)]
        return [each.account_id for each in found if isinstance(each, Selection)]

    assert turns() == ["a", "b", "a", "b"]
    assert turns("a") == ["b"] * 4
    assert turns("a", "b") == ["c", "d", "c", "d"]


def test_where_all_were_tried_there_is_nobody_and_where_all_are_full_one_waits() -> None:
    ranking = Ranking(SelectionInput(now=NOW, candidates=(Candidate(id="a"), Candidate(id="b"))))

    assert ranking.select(cursor=0, affine=None, tried=["a", "b"]) == NoCandidate(
        cause=NoCandidateCause.EMPTY
    )
    assert ranking.select(cursor=0, affine=None, tried=["a"], full=["b"]) == NoCandidate(
        cause=NoCandidateCause.BUSY, accounts=("b",)
    )


@pytest.mark.parametrize("routing", list(Routing))
def test_a_selection_touches_few_of_many_candidates(routing: Routing) -> None:
    """Counted, not timed: once ranked, nothing is read of the accounts that are not selected."""
    ranking = Ranking(pool_of(500, routing, random.Random(1)))
    ranking.select(cursor=0, affine=None)
    reads: list[str] = []

    class Counted(set[str]):
        def __contains__(self, account_id: object) -> bool:
            reads.append(str(account_id))
            return super().__contains__(account_id)

    found = ranking.select(cursor=7, affine=None, tried=Counted({"acc_x"}))

    assert isinstance(found, Selection)
    assert len(reads) <= 4


class Looked(set[str]):
    """A set that counts how often somebody looks into it."""

    looks = 0

    def __contains__(self, item: object) -> bool:
        self.looks += 1
        return super().__contains__(item)


@pytest.mark.parametrize("reason", [CooldownReason.TRANSIENT, CooldownReason.QUOTA])
def test_a_choice_among_a_thousand_that_cool_looks_at_few(reason: CooldownReason) -> None:
    pool = [
        Candidate(
            id=f"acc_{n:04}", cooldown=Cooldown(until=NOW + 600 + n, reason=reason, since=NOW)
        )
        for n in range(1000)
    ]
    ranking = Ranking(SelectionInput(now=NOW, cursor=None, affine=None, candidates=tuple(pool)))
    tried = Looked({"acc_0000", "acc_0001"})

    found = ranking.select(cursor=7, affine=None, tried=tried)

    assert tried.looks <= 3
    if isinstance(found, Selection):
        assert (found.account_id, found.basis) == ("acc_0002", Reason.LAST)
    else:
        assert (found.cause, found.until) == (NoCandidateCause.SPENT, NOW + 600)


def test_whether_another_may_be_tried_is_known_by_the_tried() -> None:
    cooling = Cooldown(until=NOW + 60, reason=CooldownReason.QUOTA, since=NOW)
    pool = (Candidate(id="a"), Candidate(id="b"), Candidate(id="c", cooldown=cooling))
    ranking = Ranking(SelectionInput(now=NOW, cursor=None, affine=None, candidates=pool))

    assert ranking.has_other({"a", "c"})
    assert not ranking.has_other({"a", "b"})
