from typing import Any

from codex_proapi.commons.accounts.model import Cooldown, CooldownReason
from codex_proapi.commons.balancing.candidates import Candidate, Reason, SelectionInput, Window
from codex_proapi.commons.balancing.explanations import Explanations
from codex_proapi.commons.balancing.strategies import Routing
from codex_proapi.commons.owner_terms.closing import Closed, Term

NOW = 1_790_000_000.0  # 14:13:20 UTC
OWN = Candidate(
    id="acc_a",
    windows=(
        Window(minutes=300, used=37.4, resets_at=NOW + 3600),
        Window(minutes=10_080, used=12, resets_at=NOW + 400_000),
    ),
)


def told(*others: Any, basis: Reason = Reason.TURN, own: Candidate = OWN, **fields: Any) -> str:
    pool = SelectionInput(now=NOW, candidates=(own, *others), **fields)
    full = {other.id for other in others if other.full}
    return Explanations(pool).of(own.id, basis, full=full)


def cooling(account: str, seconds: float) -> Candidate:
    cooldown = Cooldown(until=NOW + seconds, reason=CooldownReason.QUOTA, since=NOW)
    return Candidate(id=account, cooldown=cooldown)


def test_what_decided_comes_first_then_the_figures_then_who_was_passed_over() -> None:
    assert told(cooling("acc_b", 1900), basis=Reason.AFFINITY) == (
        "cache warm here; 5 h window 37 % used, weekly 12 %; acc_b cooling until 14:45 UTC (quota)"
    )


def test_a_time_of_another_day_says_so() -> None:
    assert "acc_b cooling until 14:13 UTC in 2 d (quota)" in told(cooling("acc_b", 2 * 86_400))


def test_who_has_too_little_or_too_much_to_do_is_named() -> None:
    low = Candidate(id="acc_b", windows=(Window(minutes=10_080, used=98),))
    spent = Candidate(id="acc_c", windows=(Window(minutes=10_080, used=100),))
    full = Candidate(id="acc_d", full=True)

    assert told(low, spent, reserve=5).endswith("; acc_b on its reserve; acc_c spent")
    assert told(low, full, reserve=5).endswith("; acc_b on its reserve; acc_d full")
    assert told(low, spent, full, reserve=5).endswith("acc_c spent; 1 more passed over")


def test_who_is_closed_by_an_owner_is_named_with_the_term() -> None:
    def closed(account: str, term: Term, until: float = 0.0) -> Candidate:
        return Candidate(id=account, closed=Closed(term=term, until=until))

    hours, share = (
        closed("acc_b", Term.HOURS, NOW + 1900),
        closed("acc_c", Term.SHARE, NOW + 86_400),
    )
    assert told(hours, share, basis=Reason.AFFINITY).endswith(
        "; acc_b outside its owner's hours until 14:45 UTC"
        "; acc_c on its owner's share until 14:13 UTC in 1 d"
    )
    assert told(closed("acc_b", Term.KEYS)).endswith("; acc_b not offered to this key")


def test_an_account_whose_turn_it_is_not_is_not_named() -> None:
    assert told(Candidate(id="acc_b"), own=Candidate(id="acc_a")) == "next in turn"


def test_the_pace_is_told_where_it_changes_the_turns() -> None:
    soon = Candidate(id="acc_a", windows=(Window(minutes=10_080, used=20, resets_at=NOW + 43_200),))

    assert told(own=soon) == (
        "next in turn; weekly window 20 % used; to be spent 8 times as fast as evenly"
    )
    assert told(own=soon, routing=Routing.ROUND_ROBIN) == "next in turn; weekly window 20 % used"


def test_an_account_whose_shorter_window_is_spared_says_so() -> None:
    windows = (
        Window(minutes=300, used=80, resets_at=NOW + 15_000),
        Window(minutes=10_080, used=20, resets_at=NOW + 7200),
    )
    other = Candidate(id="acc_b", windows=windows)

    assert told(other, basis=Reason.SOONEST_RESET).endswith("; acc_b spares a shorter window")
    assert "acc_b" not in told(other)


def test_only_some_of_many_are_named_and_the_others_counted() -> None:
    said = told(*(cooling(f"acc_{n}", 60) for n in range(5)), own=Candidate(id="acc_a"))

    assert said.count("cooling") == 2
    assert said.endswith("; 3 more passed over")


def test_a_window_that_has_begun_anew_is_not_told() -> None:
    past = Candidate(id="acc_a", windows=(Window(minutes=45, used=90, resets_at=NOW - 1),))
    runs = Candidate(id="acc_a", windows=(Window(minutes=45, used=90),))

    assert told(own=past, basis=Reason.LEAST_USED) == "least used"
    assert told(own=runs, basis=Reason.SOONEST_RESET) == "resets first; 45 min window 90 % used"
