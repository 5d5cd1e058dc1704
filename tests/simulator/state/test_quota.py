from typing import Any

from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.state.quota import (
    is_spent,
    limit_event,
    limit_headers,
    usage_report,
    windows,
)

NOW = 1_795_500_000.0


def account(plan: Any, used: Any = 42.0) -> Any:
    return SimulatedAccount(name="ada", plan=plan, used_percent=used)


def test_plus_has_five_hours_and_a_week() -> None:
    assert [window["minutes"] for window in windows(account("plus"), NOW)] == [300, 10_080]


def test_pro_has_its_week_in_primary_and_an_empty_secondary() -> None:
    headers = limit_headers(account("pro"), NOW)

    assert headers["x-codex-primary-window-minutes"] == "10080"
    assert headers["x-codex-primary-used-percent"] == "42"
    assert headers["x-codex-secondary-window-minutes"] == "0"
    assert headers["x-codex-secondary-reset-at"] == ""


def test_windows_reset_in_the_future() -> None:
    headers = limit_headers(account("plus"), NOW)

    for slot in ("primary", "secondary"):
        assert int(headers[f"x-codex-{slot}-reset-at"]) > NOW
        assert int(headers[f"x-codex-{slot}-reset-after-seconds"]) > 0


def test_an_accounts_windows_are_in_their_middle_when_windows_since_of_whatever_the_day() -> None:
    for days in range(8):
        now = NOW + days * 86_400
        rests = [window["resets_at"] - now for window in windows(account("plus"), now)]

        assert rests == [9000, 302_400]


def test_a_window_runs_on_until_it_begins_anew() -> None:
    ada = account("plus")
    ada.window_passed = 0.9

    five = [
        windows(ada, NOW + seconds)[0]["resets_at"] - NOW for seconds in (0, 1799, 1800, 19_799)
    ]

    assert five == [1800, 1800, 19_800, 19_800]


def test_a_spent_window_is_told_everywhere() -> None:
    spent = account("plus", used=100)

    assert is_spent(spent)
    assert limit_event(spent, NOW)["rate_limits"]["limit_reached"] is True
    assert usage_report(spent, NOW)["rate_limit"]["allowed"] is False


def test_the_event_of_a_single_window_plan_has_no_secondary() -> None:
    assert limit_event(account("pro"), NOW)["rate_limits"]["secondary"] is None
    assert usage_report(account("pro"), NOW)["rate_limit"]["secondary_window"] is None


def test_the_usage_report_names_the_account_and_its_windows() -> None:
    report = usage_report(account("plus"), NOW)

    assert report["plan_type"] == "plus"
    assert report["rate_limit"]["primary_window"]["limit_window_seconds"] == 18_000
    assert report["rate_limit"]["secondary_window"]["limit_window_seconds"] == 604_800
