"""Which conditions hold, from the figures of one moment."""

from typing import Any

import pytest

from codex_proapi.console.alerts.conditions import (
    DAY,
    AccountFacts,
    DriftFacts,
    Facts,
    SubstitutionFacts,
    WindowFacts,
    find_conditions,
)
from codex_proapi.console.alerts.kinds import AlertKind

NOW = 1_790_000_000


def account(name: str = "ada", **fields: Any) -> AccountFacts:
    return AccountFacts(
        **{"id": name, "name": name, "state": "ready", "paused": False, "until": 0, **fields}
    )


def window(left: float | None, minutes: int = 300) -> WindowFacts:
    return WindowFacts(minutes=minutes, left=left, resets_at=NOW + 60)


def holding(**facts: Any) -> set[tuple[str, str]]:
    found = find_conditions(Facts(at=NOW, **facts))
    return {(kind.value, subject) for kind, subject in found.holding}


@pytest.mark.parametrize(
    ("left", "holds", "undecided"),
    [(0.0, 1, 0), (10.0, 1, 0), (10.5, 0, 1), (15.0, 0, 1), (15.5, 0, 0), (None, 0, 1)],
)
def test_a_window_is_low_at_the_threshold_and_well_a_margin_above(
    left: float | None, holds: int, undecided: int
) -> None:
    found = find_conditions(Facts(at=NOW, accounts=(account(windows=(window(left),)),)))

    assert (len(found.holding), len(found.undecided)) == (holds, undecided)


def test_the_threshold_is_a_setting_and_a_paused_account_begins_nothing() -> None:
    accounts = (account(windows=(window(30.0),)), account("p", paused=True, windows=(window(0),)))

    assert holding(accounts=accounts, window_percent=40) == {("window_low", "ada/300")}


@pytest.mark.parametrize("state", ["sign_in", "new_token", "disabled"])
def test_an_account_that_must_sign_in_has_no_other_alert(state: str) -> None:
    accounts = (account(state=state, windows=(window(0),)), account("grace"))

    assert holding(accounts=accounts) == {("account_sign_in", "ada")}


def test_the_pool_is_dry_when_nobody_is_ready_and_comes_back_with_the_first() -> None:
    accounts = (account(state="spent", until=90), account("g", state="cooling", until=70))
    found = find_conditions(Facts(at=NOW, accounts=accounts)).holding

    assert found[AlertKind.POOL_DRY, "pool"].at == 70
    assert holding(accounts=(*accounts, account("x"))) == set()
    assert holding() == set(), "no accounts at all is a first run"


def test_a_pool_outside_its_owners_hours_is_not_dry_nor_is_a_dry_one_over_then() -> None:
    resting = account(state="closed", outside_hours=True, until=NOW + 90)
    absent = (account("p", state="closed", paused=True), account("s", state="sign_in"))

    found = find_conditions(Facts(at=NOW, accounts=(resting, *absent)))

    assert (AlertKind.POOL_DRY, "pool") not in found.holding
    assert found.undecided == {(AlertKind.POOL_DRY, "pool")}


@pytest.mark.parametrize(
    ("accounts", "state"),
    [
        ([account(state="closed"), account("b", state="closed", outside_hours=True)], "closed"),
        ([account(state="spent"), account("b", state="closed", outside_hours=True)], ""),
        ([account(state="sign_in")], ""),
    ],
)
def test_a_dry_pool_says_whether_owners_close_it(accounts: Any, state: str) -> None:
    found = find_conditions(Facts(at=NOW, accounts=tuple(accounts)))

    assert found.holding[AlertKind.POOL_DRY, "pool"].state == state
    assert found.undecided == set()


@pytest.mark.parametrize(
    ("ends", "holds"),
    [(0, 0), (NOW, 0), (NOW + 1, 1), (NOW + 3 * DAY - 1, 1), (NOW + 3 * DAY, 0)],
)
def test_a_saved_reset_is_told_of_three_days_before_it_is_lost(ends: int, holds: int) -> None:
    found = holding(accounts=(account(reset_ends_at=ends),))

    assert found == ({("reset_expiring", "ada")} if holds else set())


@pytest.mark.parametrize(
    ("backup_at", "since", "days", "old"),
    [
        (NOW - 7 * DAY, 0, 7, False),
        (NOW - 7 * DAY - 1, 0, 7, True),
        (0, NOW - 7 * DAY, 7, False),
        (0, NOW - 8 * DAY, 7, True),
        (0, NOW - 8 * DAY, 0, False),
    ],
)
def test_a_backup_is_too_old_after_the_days_also_if_there_never_was_one(
    backup_at: int, since: int, days: int, old: bool
) -> None:
    found = holding(backup_at=backup_at, watched_since=since, backup_days=days)

    assert found == ({("backup_old", "backup")} if old else set())


def test_drift_lasts_a_day_after_it_was_seen_last() -> None:
    def drift(last_at: int) -> DriftFacts:
        return DriftFacts(sort="event", name="response.odd", first_at=5, last_at=last_at)

    assert holding(drift=(drift(NOW - DAY + 1),)) == {("upstream_drift", "event response.odd")}
    assert holding(drift=(drift(NOW - DAY),)) == set()


def test_a_model_in_whose_place_another_answered_is_told_by_account_and_model() -> None:
    seen = (SubstitutionFacts(sent="gpt-6-sol", answered="gpt-6-luna"),)
    found = find_conditions(Facts(at=NOW, accounts=(account(substitutions=seen),))).holding

    subject = found[AlertKind.MODEL_SUBSTITUTED, "ada/gpt-6-sol"]
    assert (subject.sent_model, subject.answered_model) == ("gpt-6-sol", "gpt-6-luna")
