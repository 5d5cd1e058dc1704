"""Ties of conversations that this replica remembers until Redis has them."""

import pytest

from codex_proapi.gateway.pool import recent_affinity
from codex_proapi.gateway.pool.recent_affinity import RECENT_SECONDS, RecentAffinity


class Ties(RecentAffinity):
    """With a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(lambda: self.now)

    def account(self, fingerprint: str) -> tuple[str, bool] | None:
        found = self.of(fingerprint)
        return None if found is None else (found.account_id, found.tentative)


def test_a_tie_is_remembered_for_some_seconds_after_it_was_noted_last() -> None:
    ties = Ties()
    ties.note("f1", "acc_a", tentative=False)
    ties.now += RECENT_SECONDS - 0.01
    assert ties.account("f1") == ("acc_a", False)

    ties.note("f1", "acc_b", tentative=False)
    ties.now += RECENT_SECONDS - 0.01
    assert ties.account("f1") == ("acc_b", False)

    ties.now += 0.01
    assert ties.account("f1") is None
    assert repr(ties) == "<RecentAffinity 0 conversations>"


def test_a_tentative_tie_replaces_one_whose_account_has_answered_only_when_that_is_old() -> None:
    ties = Ties()
    ties.note("f1", "acc_a", tentative=False)
    ties.note("f1", "acc_b", tentative=True)
    assert ties.account("f1") == ("acc_a", False)

    ties.now += RECENT_SECONDS
    ties.note("f1", "acc_b", tentative=True)
    assert ties.account("f1") == ("acc_b", True)

    ties.note("f1", "acc_c", tentative=True)
    ties.note("f1", "acc_c", tentative=False)
    assert ties.account("f1") == ("acc_c", False)


def test_the_oldest_of_too_many_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_affinity, "MOST_TIES", 2)
    ties = Ties()
    for fingerprint in ("f1", "f2", "f1", "f3"):
        ties.note(fingerprint, "acc_a", tentative=False)

    assert [ties.account(each) is not None for each in ("f1", "f2", "f3")] == [True, False, True]
