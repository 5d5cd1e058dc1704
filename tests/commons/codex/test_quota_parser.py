"""Quota from headers, events and the usage answer: windows by their length, never by their slot."""

import json
from typing import Any

import pytest

from codex_proapi.commons.codex.quota_parser import (
    Credits,
    Quota,
    QuotaFamily,
    QuotaWindow,
    combined,
    quota_of_event,
    quota_of_headers,
    quota_of_usage,
)

PRO = {
    "x-codex-active-limit": "codex",
    "x-codex-plan-type": "pro",
    "x-codex-primary-used-percent": "22",
    "x-codex-primary-window-minutes": "10080",
    "x-codex-primary-reset-at": "1790426679",
    "x-codex-primary-reset-after-seconds": "155800",
    "x-codex-primary-over-secondary-limit-percent": "0",
    "x-codex-secondary-used-percent": "0",
    "x-codex-secondary-window-minutes": "0",
    "x-codex-secondary-reset-at": "",
    "x-codex-secondary-reset-after-seconds": "0",
    "x-codex-credits-has-credits": "False",
    "x-codex-credits-unlimited": "False",
    "x-codex-credits-balance": "0",
}
"""As a Pro account sent them in September 2026: the weekly window in the first slot."""

USAGE = {
    "plan_type": "plus",
    "rate_limit": {
        "allowed": True,
        "limit_reached": False,
        "primary_window": {
            "used_percent": 46,
            "limit_window_seconds": 18000,
            "reset_after_seconds": 6699,
            "reset_at": 1778689421,
        },
        "secondary_window": {
            "used_percent": 15,
            "limit_window_seconds": 604800,
            "reset_after_seconds": 505326,
            "reset_at": 1779188048,
        },
    },
    "code_review_rate_limit": None,
    "additional_rate_limits": [
        {
            "limit_name": "GPT-5.3-Codex-Spark",
            "metered_feature": "codex_bengalfox",
            "rate_limit": {"primary_window": {"used_percent": 1, "limit_window_seconds": 18000}},
        },
        "odd",
    ],
    "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
    "spend_control": {"reached": False, "individual_limit": None},
    "rate_limit_reached_type": None,
}


def window(minutes: int, used: float, **more: Any) -> QuotaWindow:
    return QuotaWindow(minutes=minutes, used_percent=used, **more)


def test_the_window_of_a_pro_account_is_weekly_and_its_empty_slot_is_none() -> None:
    quota = quota_of_headers(PRO)

    assert quota == Quota(
        plan="pro",
        active_limit="codex",
        families=(
            QuotaFamily(
                id="codex",
                windows=(window(10080, 22.0, resets_at=1790426679, resets_in=155800),),
            ),
        ),
        credits=Credits(balance="0"),
    )
    assert [w.name for w in quota.windows] == ["weekly"]


@pytest.mark.parametrize(
    ("minutes", "name"),
    [
        (300, "five_hour"),
        (299, "five_hour"),
        (10080, "weekly"),
        (43200, "monthly"),
        (1440, "1440_minutes"),
        (0, "0_minutes"),
    ],
)
def test_windows_are_named_by_their_length(minutes: int, name: str) -> None:
    assert window(minutes, 1).name == name


def test_header_names_and_booleans_come_in_any_case() -> None:
    quota = quota_of_headers(
        {
            "X-Codex-Primary-Used-Percent": "100",
            "X-Codex-Primary-Window-Minutes": "300",
            "X-Codex-Credits-Has-Credits": "TRUE",
            "X-Codex-Credits-Unlimited": "true",
            "X-Codex-Rate-Limit-Reached-Type": "rate_limit_reached",
        }
    )

    assert quota is not None
    assert quota.spent_window == window(300, 100.0)
    assert quota.credits == Credits(has_credits=True, unlimited=True)
    assert (quota.reached, quota.reached_type) == (True, "rate_limit_reached")


def test_limits_of_some_models_are_families_of_their_own() -> None:
    quota = quota_of_headers(
        {
            "x-codex-bengalfox-primary-used-percent": "7",
            "x-codex-bengalfox-primary-window-minutes": "300",
            "x-codex-bengalfox-limit-name": "GPT-5.3-Codex-Spark",
            "x-codex-primary-used-percent": "5.5",
            "x-codex-secondary-used-percent": "1",
            "x-codex-secondary-window-minutes": "300",
        }
    )

    assert quota is not None
    assert quota.families == (
        QuotaFamily(id="codex", windows=(window(0, 5.5), window(300, 1.0))),
        QuotaFamily(id="codex_bengalfox", name="GPT-5.3-Codex-Spark", windows=(window(300, 7.0),)),
    )


@pytest.mark.parametrize("value", ["", "nan", "inf", "-1", "many", "1e999", "1e300"])
def test_a_window_without_a_sensible_use_is_none(value: str) -> None:
    headers = {"x-codex-primary-used-percent": value, "x-codex-primary-window-minutes": "300"}

    assert quota_of_headers(headers) is None


def test_headers_without_quota_have_none() -> None:
    assert quota_of_headers({"content-type": "text/event-stream"}) is None


def test_the_longest_spent_window_is_the_one_to_wait_for() -> None:
    spent = (window(300, 100.0), window(10080, 100.0))

    assert Quota(families=(QuotaFamily(id="codex", windows=spent),)).spent_window == spent[1]
    assert Quota().spent_window is None
    assert Quota().windows == ()


def test_an_event_has_the_same_windows() -> None:
    quota = quota_of_event(
        json.dumps(
            {
                "type": "codex.rate_limits",
                "plan_type": "plus",
                "rate_limits": {
                    "allowed": True,
                    "limit_reached": False,
                    "primary": {"used_percent": 42, "window_minutes": 300, "reset_at": 1700000000},
                    "secondary": None,
                },
                "credits": {"has_credits": False, "unlimited": False, "balance": None},
                "metered_limit_name": None,
                "limit_name": None,
            }
        ).encode()
    )

    assert quota == Quota(
        plan="plus",
        families=(QuotaFamily(id="codex", windows=(window(300, 42.0, resets_at=1700000000),)),),
        credits=Credits(),
    )


@pytest.mark.parametrize(
    ("metered", "family"), [("premium", "codex"), ("codex_bengalfox", "codex_bengalfox")]
)
def test_an_event_names_its_family_only_in_this_form(metered: str, family: str) -> None:
    limits = {"limit_reached": True, "primary": {"used_percent": 100, "window_minutes": 300}}
    quota = quota_of_event(
        json.dumps({"metered_limit_name": metered, "rate_limits": limits}).encode()
    )

    assert quota is not None
    assert [f.id for f in quota.families] == [family]
    assert (quota.active_limit, quota.reached) == (metered, True)


def test_the_usage_answer_has_every_family() -> None:
    assert quota_of_usage(json.dumps(USAGE).encode()) == Quota(
        plan="plus",
        families=(
            QuotaFamily(
                id="codex",
                windows=(
                    window(300, 46.0, resets_at=1778689421, resets_in=6699),
                    window(10080, 15.0, resets_at=1779188048, resets_in=505326),
                ),
            ),
            QuotaFamily(
                id="codex_bengalfox", name="GPT-5.3-Codex-Spark", windows=(window(300, 1.0),)
            ),
        ),
        credits=Credits(balance="0"),
    )


def test_any_part_of_the_usage_answer_may_be_null() -> None:
    nothing = dict.fromkeys(USAGE)

    assert quota_of_usage(json.dumps(nothing).encode()) == Quota()


def test_a_business_plan_may_have_a_spending_limit_instead_of_windows() -> None:
    limit = {"source": "x", "used_percent": 100, "reset_at": 1800000000}
    usage = {"rate_limit": None, "spend_control": {"reached": True, "individual_limit": limit}}
    quota = quota_of_usage(json.dumps(usage).encode())

    assert quota == Quota(reached=True, spending=window(0, 100.0, resets_at=1800000000))


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"{", b"\xff"])
def test_what_cannot_be_read_has_no_quota(body: bytes) -> None:
    assert quota_of_event(body) is None
    assert quota_of_usage(body) is None


def test_booleans_are_no_numbers() -> None:
    limits = {"primary": {"used_percent": True, "window_minutes": 300}}

    assert quota_of_event(json.dumps({"rate_limits": limits}).encode()) == Quota()


def test_two_readings_tell_together_what_neither_tells_alone() -> None:
    general = QuotaFamily(id="codex", windows=(window(300, 5),))
    spark = QuotaFamily(id="codex_spark", windows=(window(300, 9),))
    earlier = Quota(plan="pro", families=(spark,), credits=Credits(balance="7"), reached=True)
    later = Quota(active_limit="codex", families=(general,), spending=window(0, 5))

    assert combined(earlier, later) == Quota(
        plan="pro",
        active_limit="codex",
        families=(general, spark),
        credits=Credits(balance="7"),
        spending=window(0, 5),
    )


def test_where_both_speak_the_later_one_is_right() -> None:
    earlier = Quota(families=(QuotaFamily(id="codex", windows=(window(300, 5),)),), plan="plus")
    later = Quota(families=(QuotaFamily(id="codex", windows=(window(300, 6),)),), plan="pro")

    assert combined(earlier, later) == later
    assert combined(earlier, None) == combined(None, earlier) == earlier
    assert combined(None, None) is None
