"""A share told in the backend's own forms: read back, it is the same."""

import json
from typing import Any

import pytest

from codex_proapi.commons.codex.quota_parser import (
    Quota,
    QuotaFamily,
    QuotaWindow,
    quota_of_headers,
    quota_of_usage,
)
from codex_proapi.gateway.formats.codex.quota_encoder import (
    headers_of_quota,
    quota_of_windows,
    usage_of_quota,
)

NOW = 1_795_000_000
DAY = QuotaWindow(minutes=1440, used_percent=25, resets_at=NOW + 46_400, resets_in=46_400)
WEEK = QuotaWindow(minutes=10_080, used_percent=8, resets_at=NOW + 564_800, resets_in=564_800)
MONTH = QuotaWindow(minutes=43_200, used_percent=70, resets_at=NOW + 1_083_200, resets_in=1_083_200)
SPENT = QuotaWindow(minutes=10_080, used_percent=100, resets_at=NOW + 9, resets_in=9)


def test_windows_go_by_their_length_and_further_ones_are_families_of_their_own() -> None:
    assert quota_of_windows([MONTH, DAY, WEEK]) == Quota(
        plan="guest",
        active_limit="codex",
        families=(
            QuotaFamily(id="codex", windows=(DAY, WEEK)),
            QuotaFamily(id="codex_monthly", name="API key", windows=(MONTH,)),
        ),
    )


def test_a_share_in_headers_is_what_the_backend_would_say() -> None:
    assert dict(headers_of_quota(quota_of_windows([DAY, WEEK]))) == {
        "x-codex-active-limit": "codex",
        "x-codex-plan-type": "guest",
        "x-codex-credits-has-credits": "False",
        "x-codex-credits-unlimited": "False",
        "x-codex-primary-used-percent": "25",
        "x-codex-primary-window-minutes": "1440",
        "x-codex-primary-reset-at": str(NOW + 46_400),
        "x-codex-primary-reset-after-seconds": "46400",
        "x-codex-secondary-used-percent": "8",
        "x-codex-secondary-window-minutes": "10080",
        "x-codex-secondary-reset-at": str(NOW + 564_800),
        "x-codex-secondary-reset-after-seconds": "564800",
    }


@pytest.mark.parametrize("windows", [[DAY], [SPENT], [DAY, WEEK], [DAY, SPENT]])
def test_headers_read_back_are_the_same_share(windows: list[QuotaWindow]) -> None:
    read = quota_of_headers(dict(headers_of_quota(quota_of_windows(windows))))

    assert read is not None
    told = quota_of_windows(windows)
    assert (read.plan, read.families) == (told.plan, told.families)
    assert (read.reached, read.reached_type) == (told.reached, told.reached_type)


def test_of_three_windows_headers_tell_the_shortest_and_the_fuller_of_the_others() -> None:
    read = quota_of_headers(dict(headers_of_quota(quota_of_windows([DAY, WEEK, MONTH]))))

    assert read is not None
    assert read.families == (QuotaFamily(id="codex", windows=(DAY, MONTH)),)


def test_where_there_is_nothing_to_tell_there_are_no_headers() -> None:
    assert headers_of_quota(Quota()) == []
    assert headers_of_quota(quota_of_windows([])) == []


@pytest.mark.parametrize("windows", [[], [DAY], [DAY, WEEK, MONTH], [SPENT], [DAY, SPENT, MONTH]])
def test_a_usage_answer_read_back_is_the_same_share(windows: list[QuotaWindow]) -> None:
    body = usage_of_quota(quota_of_windows(windows))
    read = quota_of_usage(body)

    assert read is not None
    told = quota_of_windows(windows)
    assert (read.plan, read.families, read.reached) == (told.plan, told.families, told.reached)


def integers(value: Any) -> bool:
    windows = [value["primary_window"], value["secondary_window"]]
    return all(type(n) is int for window in windows if window for n in window.values())


def test_a_usage_answer_has_the_shape_that_the_cli_decodes() -> None:
    unknown = QuotaWindow(minutes=300, used_percent=99.9)
    body = json.loads(usage_of_quota(quota_of_windows([unknown, DAY, SPENT])))

    assert body["plan_type"] == "guest"
    assert (body["user_id"], body["account_id"], body["email"]) == (None, None, None)
    assert integers(body["rate_limit"])
    assert body["rate_limit"]["primary_window"] == {
        "used_percent": 99,
        "limit_window_seconds": 18_000,
        "reset_after_seconds": 0,
        "reset_at": 0,
    }
    assert (body["rate_limit"]["allowed"], body["rate_limit"]["limit_reached"]) == (False, True)
    assert body["rate_limit_reached_type"] == {"type": "rate_limit_reached"}
    [further] = body["additional_rate_limits"]
    assert (further["limit_name"], further["metered_feature"]) == ("API key", "codex_weekly")
    assert integers(further["rate_limit"])
    assert body["credits"]["has_credits"] is False


def test_a_share_without_windows_is_an_answer_too() -> None:
    body = json.loads(usage_of_quota(quota_of_windows([])))

    assert (body["rate_limit"], body["additional_rate_limits"]) == (None, [])
    assert body["rate_limit_reached_type"] is None
