from typing import Any

from commons.accounts.model import Cooldown, CooldownReason
from commons.routing import Routing
from gateway.choice.ballot import Ballot, Basis, Standing, Window
from gateway.choice.reasons import why

NOW = 1_790_000_000.0  # 14:13:20 UTC
OWN = Standing(
    id="acc_a",
    windows=(
        Window(minutes=300, used=37.4, resets_at=NOW + 3600),
        Window(minutes=10_080, used=12, resets_at=NOW + 400_000),
    ),
)


def told(*others: Any, basis: Basis = Basis.TURN, own: Standing = OWN, **fields: Any) -> str:
    return why(Ballot(now=NOW, standings=(own, *others), **fields), own, basis)


def cooling(account: str, seconds: float) -> Standing:
    cooldown = Cooldown(until=NOW + seconds, reason=CooldownReason.QUOTA, since=NOW)
    return Standing(id=account, cooldown=cooldown)


def test_what_decided_comes_first_then_the_figures_then_who_was_passed_over() -> None:
    assert told(cooling("acc_b", 1900), basis=Basis.AFFINITY) == (
        "cache warm here; 5 h window 37 % used, weekly 12 %; acc_b cooling until 14:45 UTC (quota)"
    )


def test_a_time_of_another_day_says_so() -> None:
    assert "acc_b cooling until 14:13 UTC in 2 d (quota)" in told(cooling("acc_b", 2 * 86_400))


def test_who_has_too_little_or_too_much_to_do_is_named() -> None:
    low = Standing(id="acc_b", windows=(Window(minutes=10_080, used=98),))
    spent = Standing(id="acc_c", windows=(Window(minutes=10_080, used=100),))
    full = Standing(id="acc_d", full=True)

    said = told(low, spent, full, reserve=5)

    assert said.endswith("; acc_b on its reserve; acc_c spent; acc_d full")


def test_an_account_whose_turn_it_is_not_is_not_named() -> None:
    assert told(Standing(id="acc_b"), own=Standing(id="acc_a")) == "next in turn"


def test_the_pace_is_told_where_it_changes_the_turns() -> None:
    soon = Standing(id="acc_a", windows=(Window(minutes=10_080, used=20, resets_at=NOW + 43_200),))

    assert told(own=soon) == (
        "next in turn; weekly window 20 % used; to be spent 8 times as fast as evenly"
    )
    assert told(own=soon, routing=Routing.ROUND_ROBIN) == "next in turn; weekly window 20 % used"


def test_an_account_whose_shorter_window_is_spared_says_so() -> None:
    windows = (
        Window(minutes=300, used=80, resets_at=NOW + 15_000),
        Window(minutes=10_080, used=20, resets_at=NOW + 7200),
    )
    other = Standing(id="acc_b", windows=windows)

    assert told(other, basis=Basis.SOONEST_RESET).endswith("; acc_b spares a shorter window")
    assert "acc_b" not in told(other)


def test_only_some_of_many_are_named_and_the_others_counted() -> None:
    said = told(*(cooling(f"acc_{n}", 60) for n in range(5)), own=Standing(id="acc_a"))

    assert said.count("cooling") == 3
    assert said.endswith("; 2 more passed over")


def test_a_window_that_has_begun_anew_is_not_told() -> None:
    past = Standing(id="acc_a", windows=(Window(minutes=45, used=90, resets_at=NOW - 1),))
    runs = Standing(id="acc_a", windows=(Window(minutes=45, used=90),))

    assert told(own=past, basis=Basis.LEAST_USED) == "least used"
    assert told(own=runs, basis=Basis.SOONEST_RESET) == "resets first; 45 min window 90 % used"
