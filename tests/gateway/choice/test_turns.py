from collections import Counter

from gateway.choice.turns import schedule


def test_a_weight_is_a_share_of_the_turns_spread_out() -> None:
    turns = schedule((("a", 1.0), ("b", 0.5), ("c", 0.0)))

    assert Counter(turns) == {"a": 2, "b": 1}
    assert turns == ("a", "b", "a")


def test_turns_of_unlike_weights_are_spread_evenly() -> None:
    assert "".join(schedule((("a", 4.0), ("b", 2.0), ("c", 1.0)))) == "abacaba"


def test_weights_that_are_all_nought_count_as_equal() -> None:
    assert schedule((("b", 0.0), ("a", 0.0))) == ("a", "b")


def test_whoever_has_any_weight_gets_a_turn() -> None:
    assert Counter(schedule((("a", 8.0), ("b", 0.01)))) == {"a": 640, "b": 1}
