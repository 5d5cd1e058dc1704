import math
from collections import Counter

import pytest

from codex_proapi.commons.balancing.round_robin import WEIGHT_STEPS, turn_order


def test_a_weight_is_a_share_of_the_turns_spread_out() -> None:
    turns = turn_order((("a", 1.0), ("b", 0.5), ("c", 0.0)))

    assert Counter(turns) == {"a": 2, "b": 1}
    assert turns == ("a", "b", "a")


def test_turns_of_unlike_weights_are_spread_evenly() -> None:
    assert "".join(turn_order((("a", 4.0), ("b", 2.0), ("c", 1.0)))) == "abacaba"


def test_weights_that_are_all_nought_count_as_equal() -> None:
    assert turn_order((("b", 0.0), ("a", 0.0))) == ("a", "b")


def test_whoever_has_any_weight_gets_a_turn() -> None:
    assert Counter(turn_order((("a", 8.0), ("b", 0.01)))) == {"a": 640, "b": 1}


@pytest.mark.parametrize("odd", [math.inf, 1e308, 1e9, math.nan, -1.0, 1e-320])
def test_an_odd_weight_neither_fails_nor_makes_millions_of_turns(odd: float) -> None:
    turns = turn_order((("a", 1.0), ("odd", odd)))

    assert len(turns) <= 101 * WEIGHT_STEPS
    assert "a" in turns
