from collections import Counter
from typing import Any

import pytest

from commons.accounts.model import Cooldown, CooldownReason
from gateway.choice import Cause, Choice, NoChoice, Order, Standing, choose, schedule

NOW = 1_790_000_000.0


def cooling(reason: Any = CooldownReason.QUOTA, *, seconds: Any = 30.0) -> Any:
    return Cooldown(until=NOW + seconds, reason=reason, since=NOW - 1)


def standings(**cooldowns: Any) -> Any:
    return [Standing(id=account, cooldown=cooldown) for account, cooldown in cooldowns.items()]


def chosen(found: Any, *, cursor: Any = None, affine: Any = None, order: Any = Order.TURNS) -> Any:
    return choose(found, now=NOW, cursor=cursor, affine=affine, order=order)


def test_new_conversations_go_strictly_in_turn_by_id() -> None:
    pool = standings(c=None, a=None, b=None)

    turns = [chosen(pool, cursor=cursor).account_id for cursor in range(6)]

    assert turns == ["a", "b", "c", "a", "b", "c"]


def test_a_conversation_returns_to_its_account() -> None:
    choice = chosen(standings(a=None, b=None), affine="b")

    assert choice == Choice(account_id="b", why="affinity")


def test_a_conversation_whose_account_is_out_goes_in_turn() -> None:
    pool = standings(a=None, b=cooling())

    assert chosen(pool, cursor=1, affine="b") == Choice(account_id="a", why="round robin")


def test_the_least_used_account_comes_first_and_turns_decide_between_equals() -> None:
    pool = [
        Standing(id="a", used_percent=50),
        Standing(id="b", used_percent=10),
        Standing(id="c", used_percent=10),
    ]

    turns = [chosen(pool, cursor=c, order=Order.LEAST_USED) for c in range(3)]

    assert [turn.account_id for turn in turns] == ["b", "b", "c"]
    assert turns[0].why == "least used"


def test_the_quota_that_begins_anew_first_is_spent_first_and_an_unknown_one_last() -> None:
    pool = [
        Standing(id="a"),
        Standing(id="b", resets_at=NOW + 9000),
        Standing(id="c", resets_at=NOW + 60),
        Standing(id="d", resets_at=NOW + 60, weight=0),
    ]

    choice = chosen(pool, cursor=0, order=Order.SOONEST_RESET)

    assert choice == Choice(account_id="c", why="soonest reset")


def test_without_a_cursor_the_turn_begins_at_the_first() -> None:
    assert chosen(standings(b=None, a=None)).account_id == "a"


def test_cooling_accounts_are_passed_over_and_a_cooldown_that_has_ended_is_none() -> None:
    pool = standings(a=cooling(), b=cooling(seconds=-1))

    assert chosen(pool, cursor=0).account_id == "b"


def test_an_account_whose_breaker_is_half_open_is_a_probe() -> None:
    pool = [Standing(id="a", half_open=True)]

    assert chosen(pool, cursor=0).probe


def test_transient_faults_never_take_out_the_last_account() -> None:
    pool = standings(
        a=cooling(CooldownReason.TRANSIENT, seconds=90),
        b=cooling(CooldownReason.TRANSIENT, seconds=40),
        c=cooling(CooldownReason.QUOTA, seconds=5),
    )

    assert chosen(pool, cursor=0) == Choice(account_id="b", why="last account left, despite faults")


@pytest.mark.parametrize(
    ("cooldowns", "expected"),
    [
        ({}, NoChoice(cause=Cause.EMPTY)),
        (
            {"a": cooling(seconds=7000), "b": cooling(CooldownReason.RATE, seconds=20)},
            NoChoice(cause=Cause.COOLING, until=NOW + 20),
        ),
        (
            {"a": cooling(seconds=7000), "b": cooling(seconds=9000)},
            NoChoice(cause=Cause.SPENT, until=NOW + 7000),
        ),
        (
            {"a": cooling(seconds=7000), "b": cooling(CooldownReason.CREDENTIAL, seconds=600)},
            NoChoice(cause=Cause.SPENT, until=NOW + 7000),
        ),
        (
            {"a": cooling(CooldownReason.CREDENTIAL, seconds=600)},
            NoChoice(cause=Cause.REFUSED, until=NOW + 600),
        ),
        (
            {"a": cooling(CooldownReason.ENTITLEMENT, seconds=9000)},
            NoChoice(cause=Cause.UNENTITLED, until=NOW + 9000),
        ),
        (
            {"a": cooling(CooldownReason.ENTITLEMENT, seconds=10), "b": cooling(seconds=7000)},
            NoChoice(cause=Cause.SPENT, until=NOW + 7000),
        ),
    ],
)
def test_when_nobody_can_be_asked_the_most_telling_cause_is_given(
    cooldowns: Any, expected: Any
) -> None:
    assert chosen(standings(**cooldowns), cursor=3) == expected


def test_a_weight_is_a_share_of_the_turns_spread_out() -> None:
    turns = schedule((("a", 1.0), ("b", 0.5), ("c", 0.0)))

    assert Counter(turns) == {"a": 2, "b": 1}
    assert turns == ("a", "b", "a")


def test_weights_that_are_all_nought_count_as_equal() -> None:
    assert schedule((("b", 0.0), ("a", 0.0))) == ("a", "b")
