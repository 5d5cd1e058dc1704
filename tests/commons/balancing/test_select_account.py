from typing import Any

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
from codex_proapi.commons.balancing.select_account import select, why_none
from codex_proapi.commons.balancing.strategies import Routing

NOW = 1_790_000_000.0
WEEK = 10_080


def cooling(reason: Any = CooldownReason.QUOTA, *, seconds: Any = 30.0) -> Any:
    return Cooldown(until=NOW + seconds, reason=reason, since=NOW - 1)


def candidates(**cooldowns: Any) -> Any:
    return [Candidate(id=account, cooldown=cooldown) for account, cooldown in cooldowns.items()]


def using(account: str, used: float, *, hours: float = 84, **fields: Any) -> Candidate:
    """An account that has used so much of its weekly window, with so many hours to its reset."""
    window = Window(minutes=WEEK, used=used, resets_at=NOW + hours * 3600)
    return Candidate(id=account, windows=(window,), **fields)


def chosen(found: Any, *, cursor: Any = None, affine: Any = None, **fields: Any) -> Any:
    return select(
        SelectionInput(now=NOW, cursor=cursor, affine=affine, candidates=tuple(found), **fields)
    )


def turns(found: Any, count: int, **fields: Any) -> str:
    return "".join(chosen(found, cursor=cursor, **fields).account_id for cursor in range(count))


def test_new_conversations_go_strictly_in_turn_by_id() -> None:
    assert turns(candidates(c=None, a=None, b=None), 6) == "abcabc"


def test_turns_are_strict_where_quota_is_alike() -> None:
    assert turns([using("c", 52), using("a", 50), using("b", 47)], 6) == "abcabc"


def test_a_conversation_returns_to_its_account() -> None:
    choice = chosen(candidates(a=None, b=None), affine="b")

    assert choice == Selection(account_id="b", basis=Reason.AFFINITY, why="cache warm here")


def test_a_conversation_whose_account_is_out_goes_in_turn() -> None:
    choice = chosen(candidates(a=None, b=cooling()), cursor=1, affine="b")

    assert (choice.account_id, choice.basis) == ("a", Reason.TURN)


def test_a_conversation_may_use_up_the_reserve_of_its_account_but_what_begins_may_not() -> None:
    pool = [using("a", 50), using("b", 98)]

    assert chosen(pool, affine="b", reserve=5).account_id == "b"
    assert turns(pool, 4, reserve=5) == "aaaa"


def test_a_conversation_leaves_an_account_that_is_spent_unless_all_are() -> None:
    assert chosen([using("a", 98), using("b", 100)], affine="b", reserve=5).account_id == "a"
    assert chosen([using("a", 100), using("b", 100)], affine="b", reserve=5).account_id == "b"


def test_a_conversation_whose_account_is_full_takes_a_turn() -> None:
    choice = chosen([Candidate(id="a"), Candidate(id="b", full=True)], cursor=1, affine="b")

    assert (choice.account_id, choice.basis) == ("a", Reason.TURN)


def test_where_all_who_are_not_cooling_are_full_one_has_to_wait() -> None:
    pool = [Candidate(id="a", full=True), Candidate(id="b", cooldown=cooling())]

    assert chosen(pool, cursor=0) == NoCandidate(cause=NoCandidateCause.BUSY, accounts=("a",))


def test_when_only_reserves_are_left_they_are_spent_and_then_whoever_may_still_answer() -> None:
    assert turns([using("a", 98), using("b", 99), using("c", 100)], 4, reserve=5) == "abab"
    assert turns([using("a", 100), using("b", 100)], 4, reserve=5) == "abab"


def test_whose_quota_would_be_lost_soon_gets_the_turns_and_the_next_a_few() -> None:
    pool = [using("a", 50, hours=42), using("b", 25), using("c", 50), using("d", 60)]

    found = turns(pool, 17)

    assert {account: found.count(account) for account in "abcd"} == {
        "a": 16,
        "b": 1,
        "c": 0,
        "d": 0,
    }


def test_accounts_in_like_hurry_go_strictly_in_turn_by_their_weights() -> None:
    pool = [using("a", 50, hours=42), using("b", 55, hours=42, weight=2), using("c", 50)]

    assert turns(pool, 6) == "babbab"


def test_an_account_of_no_weight_does_not_keep_others_from_their_turns() -> None:
    assert turns([using("a", 50, hours=20, weight=0), using("b", 90)], 2) == "bb"
    assert turns([using("a", 50, hours=20, weight=0)], 1) == "a"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], {"x": 4, "y": 4}),
        ([using("a", 50)], {"a": 3, "x": 3, "y": 2}),
        ([using("a", 20, hours=40)], {"a": 3, "x": 3, "y": 2}),
        ([using("a", 90)], {"a": 3, "x": 3, "y": 2}),
        ([using("a", 50, hours=42), using("b", 50)], {"a": 3, "x": 3, "y": 2}),
        ([using("a", 50, hours=42), using("b", 50), using("c", 60)], {"a": 8}),
        ([using("a", 20, hours=40, weight=0), using("b", 90)], {"b": 3, "x": 3, "y": 2}),
    ],
    ids=["none", "even", "in a hurry", "spared", "two", "most are even", "no weight"],
)
def test_who_is_not_heard_of_yet_gets_turns_as_one_in_the_middle_of_those_who_are(
    known: Any, expected: Any
) -> None:
    pool = [Candidate(id="y", windows=(Window(minutes=WEEK, used=3),)), *known, Candidate(id="x")]

    found = turns(pool, 8)

    assert {account: found.count(account) for account in sorted(set(found))} == expected


def test_turns_go_round_strictly_while_accounts_are_heard_of_one_after_the_other() -> None:
    heard = {"a": using("a", 20), "b": using("b", 30), "c": using("c", 40)}
    pool = {account: Candidate(id=account) for account in heard}
    asked = ""

    for cursor in range(6):
        asked += chosen(pool.values(), cursor=cursor).account_id
        pool[asked[-1]] = heard[asked[-1]]

    assert asked == "abcabc"


def test_strict_turns_know_nothing_of_quota_but_pass_over_the_spent() -> None:
    pool = [using("a", 98, hours=2), using("b", 10), using("c", 100)]

    assert turns(pool, 4, routing=Routing.ROUND_ROBIN, reserve=5) == "abab"


def test_the_least_used_account_comes_first_and_turns_decide_between_equals() -> None:
    pool = [using("a", 50), using("b", 10), using("c", 10)]

    assert turns(pool, 3, routing=Routing.LEAST_USED) == "bbc"
    assert chosen(pool, cursor=0, routing=Routing.LEAST_USED).basis is Reason.LEAST_USED


def test_the_quota_that_begins_anew_first_is_spent_first_and_an_unknown_one_last() -> None:
    pool = [Candidate(id="a"), using("b", 0, hours=3), using("c", 0, hours=1)]
    pool.append(using("d", 0, hours=1, weight=0))

    choice = chosen(pool, cursor=0, routing=Routing.DRAIN_SOONEST)

    assert (choice.account_id, choice.basis) == ("c", Reason.SOONEST_RESET)


def test_an_account_of_which_nothing_is_known_gets_its_turns_among_the_least_used() -> None:
    pool = [using("a", 50), Candidate(id="b"), using("c", 10)]

    assert turns(pool, 3, routing=Routing.LEAST_USED) == "cbc"


def test_draining_spares_a_shorter_window_that_is_spent_too_fast() -> None:
    short = Window(minutes=300, used=80, resets_at=NOW + 4 * 3600)
    soon = using("a", 10, hours=5)
    pool = [Candidate(id="a", windows=(short, *soon.windows)), using("b", 10, hours=90)]

    assert chosen(pool, cursor=0, routing=Routing.DRAIN_SOONEST).account_id == "b"
    assert chosen(pool[:1], cursor=0, routing=Routing.DRAIN_SOONEST).account_id == "a"


def test_without_a_cursor_the_turn_begins_at_the_first() -> None:
    assert chosen(candidates(b=None, a=None)).account_id == "a"


def test_cooling_accounts_are_passed_over_and_a_cooldown_that_has_ended_is_none() -> None:
    pool = candidates(a=cooling(), b=cooling(seconds=-1))

    assert chosen(pool, cursor=0).account_id == "b"


@pytest.mark.parametrize("reason", [CooldownReason.TRANSIENT, CooldownReason.SUBSTITUTED])
def test_some_reasons_never_take_out_the_last_account(reason: CooldownReason) -> None:
    pool = candidates(
        a=cooling(CooldownReason.TRANSIENT, seconds=90),
        b=cooling(reason, seconds=40),
        c=cooling(CooldownReason.QUOTA, seconds=5),
    )

    choice = chosen(pool, cursor=0)

    assert (choice.account_id, choice.basis) == ("b", Reason.LAST)


def test_where_the_last_accounts_are_full_one_waits_for_those_whose_faults_may_pass() -> None:
    pool = [
        Candidate(id="a", cooldown=cooling(CooldownReason.TRANSIENT), full=True),
        Candidate(id="b", cooldown=cooling(CooldownReason.QUOTA)),
    ]

    assert chosen(pool) == NoCandidate(cause=NoCandidateCause.BUSY, accounts=("a",))


@pytest.mark.parametrize(
    ("cooldowns", "expected"),
    [
        ({}, NoCandidate(cause=NoCandidateCause.EMPTY)),
        (
            {"a": cooling(seconds=7000), "b": cooling(CooldownReason.RATE, seconds=20)},
            NoCandidate(cause=NoCandidateCause.COOLING, until=NOW + 20),
        ),
        (
            {"a": cooling(seconds=7000), "b": cooling(seconds=9000)},
            NoCandidate(cause=NoCandidateCause.SPENT, until=NOW + 7000),
        ),
        (
            {"a": cooling(seconds=7000), "b": cooling(CooldownReason.CREDENTIAL, seconds=600)},
            NoCandidate(cause=NoCandidateCause.SPENT, until=NOW + 7000),
        ),
        (
            {"a": cooling(CooldownReason.CREDENTIAL, seconds=600)},
            NoCandidate(cause=NoCandidateCause.REFUSED, until=NOW + 600),
        ),
        (
            {"a": cooling(CooldownReason.ENTITLEMENT, seconds=9000)},
            NoCandidate(cause=NoCandidateCause.UNENTITLED, until=NOW + 9000),
        ),
        (
            {"a": cooling(CooldownReason.ENTITLEMENT, seconds=10), "b": cooling(seconds=7000)},
            NoCandidate(cause=NoCandidateCause.SPENT, until=NOW + 7000),
        ),
    ],
)
def test_when_nobody_can_be_asked_the_most_telling_cause_is_given(
    cooldowns: Any, expected: Any
) -> None:
    assert chosen(candidates(**cooldowns), cursor=3) == expected


def a_reason(reason: CooldownReason, code: str, seconds: float = 100.0) -> Cooldown:
    return Cooldown(until=NOW + seconds, reason=reason, since=NOW, code=code)


@pytest.mark.parametrize(
    ("cooldowns", "cause"),
    [
        ([(CooldownReason.ENTITLEMENT, "usage_not_included")], NoCandidateCause.UNENTITLED),
        ([(CooldownReason.ENTITLEMENT, "model_not_in_plan")], NoCandidateCause.UNENTITLED),
        ([(CooldownReason.ENTITLEMENT, "request_blocked")], NoCandidateCause.FORBIDDEN),
        (
            [(CooldownReason.ENTITLEMENT, "usage_not_included"), (CooldownReason.ENTITLEMENT, "x")],
            NoCandidateCause.FORBIDDEN,
        ),
        ([(CooldownReason.CREDENTIAL, "token_expired")], NoCandidateCause.REFUSED),
        (
            [
                (CooldownReason.CREDENTIAL, "token_expired"),
                (CooldownReason.CREDENTIAL, "credential_unavailable"),
            ],
            NoCandidateCause.RENEWING,
        ),
    ],
)
def test_why_no_login_may_serve_is_told_by_what_ends_soonest(cooldowns: Any, cause: Any) -> None:
    found = why_none([a_reason(*each) for each in cooldowns], NOW)

    assert (found.cause, found.until) == (cause, NOW + 100)
