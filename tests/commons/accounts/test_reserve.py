"""The reserve of an account, in what was last seen of its quota."""

import json
from typing import Any

import pytest

from codex_proapi.commons.accounts.quota_merge import join, seen
from codex_proapi.commons.accounts.quota_store import SeenQuota
from codex_proapi.commons.codex.quota_parser import quota_of_usage

NOW = 1_795_000_000.0
WEEK = 604_800


def window(used: float, resets_at: float = NOW + 3600) -> dict[str, Any]:
    return {"used_percent": used, "limit_window_seconds": WEEK, "reset_at": resets_at}


def usage(ordinary: float, reserve: Any, *, at: float = NOW, **changes: Any) -> SeenQuota:
    extras = [
        {
            "metered_feature": "base_model_inference",
            "limit_name": "gpt-reserve",
            "normal_model_slug": "gpt-5.6-luna",
            "rate_limit": {"primary_window": reserve},
            **changes,
        }
    ]
    body = {
        "rate_limit": {"primary_window": window(ordinary)},
        "additional_rate_limits": None if reserve is None else extras,
    }
    quota = quota_of_usage(json.dumps(body).encode())
    assert quota is not None
    return seen(quota, at)


@pytest.mark.parametrize(
    ("ordinary", "reserve", "model"),
    [
        (100, 10, "gpt-5.6-luna"),
        (100, 100, ""),
        (99, 10, ""),
        (100, 99.9, "gpt-5.6-luna"),
    ],
)
def test_it_serves_while_the_ordinary_windows_are_shut_and_it_is_open(
    ordinary: float, reserve: float, model: str
) -> None:
    assert usage(ordinary, window(reserve)).reserve(NOW) == model


def test_a_window_that_has_been_reset_is_shut_no_more() -> None:
    assert usage(100, window(10)).reserve(NOW + 3601) == ""


def test_it_is_known_by_id_or_name_and_needs_its_model_and_a_window() -> None:
    assert usage(100, window(1), limit_name="else").reserve(NOW) == "gpt-5.6-luna"
    assert usage(100, window(1), metered_feature="x").reserve(NOW) == "gpt-5.6-luna"
    assert usage(100, window(1), normal_model_slug=None).reserve(NOW) == ""
    assert usage(100, window(1), normal_model_slug=7).reserve(NOW) == ""
    assert usage(100, {}).reserve(NOW) == ""


def test_a_later_list_without_it_does_not_erase_it_until_its_window_resets() -> None:
    known = usage(100, window(10))

    later = join(known, usage(100, None, at=NOW + 60), complete=True)
    over = join(known, usage(100, None, at=NOW + 3600), complete=True)

    assert later.reserve(NOW + 60) == "gpt-5.6-luna"
    assert [family.id for family in over.families] == ["codex"]


def test_requests_for_its_model_are_still_counted_in_the_ordinary_windows() -> None:
    known = usage(100, window(10))

    assert [w.used_percent for w in known.windows_for("gpt-5.6-luna")] == [100]
    assert [w.used_percent for w in known.windows_for("gpt-reserve")] == [10]
