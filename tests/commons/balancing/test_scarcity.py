from typing import Any

from codex_proapi.commons.balancing.candidates import Candidate, Window
from codex_proapi.commons.balancing.scarcity import left_of, scarce

NOW = 1_790_000_000.0


def using(used: float, **fields: Any) -> Candidate:
    windows = (Window(minutes=300, used=used / 2), Window(minutes=10_080, used=used))
    return Candidate(id="a", windows=windows, **fields)


def test_what_is_left_is_the_mean_of_the_tightest_windows() -> None:
    assert left_of([using(80), using(120)], now=NOW) == 10


def test_an_account_of_which_nothing_is_known_says_nothing() -> None:
    assert left_of([using(80), Candidate(id="b")], now=NOW) == 20
    assert left_of([Candidate(id="b")], now=NOW) is None


def test_bought_credits_are_plenty() -> None:
    assert left_of([using(100, credits=True), using(100)], now=NOW) == 50


def test_a_window_that_has_begun_anew_has_all_left() -> None:
    past = Candidate(id="a", windows=(Window(minutes=300, used=99, resets_at=NOW - 1),))

    assert left_of([past], now=NOW) == 100


def test_a_pool_is_scarce_below_its_border_and_never_below_none() -> None:
    assert scarce([using(92)], now=NOW, below=10)
    assert not scarce([using(90)], now=NOW, below=10)
    assert not scarce([using(100)], now=NOW, below=0)
    assert not scarce([], now=NOW, below=10)
