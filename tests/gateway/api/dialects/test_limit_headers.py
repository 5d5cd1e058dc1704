from typing import Any

import pytest

from codex_proapi.commons.api_keys.budgets import Spent
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.gateway.api.dialects.limit_headers import (
    headers_of_limits,
    limit_headers,
    share_headers,
)
from codex_proapi.gateway.limits.limit_charge import Allowance, LimitCharge


def told(allowance: Allowance | None, **limits: int) -> Any:
    charge = LimitCharge(
        key_id="key_1", limits=Limits(**limits), request_id="r", version=0, tokens=0
    )
    charge.allowance = allowance
    return {name.decode(): value.decode() for name, value in limit_headers(charge)}


def test_without_limits_or_before_the_survey_nothing_is_told() -> None:
    assert headers_of_limits(None, False) == headers_of_limits(None, True) == []
    assert told(None, rpm=1) == {}
    assert told(Allowance(), concurrent=3) == {}


@pytest.mark.parametrize(("seconds", "words"), [(60.0, "60s"), (5.2, "6s"), (0.12, "120ms")])
def test_the_limits_of_a_minute_are_told_as_clients_know_them(seconds: Any, words: Any) -> None:
    allowance = Allowance(requests_left=4, requests_reset=seconds, tokens_left=9, tokens_reset=1.0)

    assert told(allowance, rpm=5, tpm=10) == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": words,
        "x-ratelimit-limit-tokens": "10",
        "x-ratelimit-remaining-tokens": "9",
        "x-ratelimit-reset-tokens": "1s",
    }
    assert set(told(allowance, tpm=10)) == {
        f"x-ratelimit-{what}-tokens" for what in ("limit", "remaining", "reset")
    }


def test_a_codex_client_is_told_its_keys_budgets_as_it_knows_them() -> None:
    charge = LimitCharge(
        key_id="key_1", limits=Limits(tokens_day=1000), request_id="r", version=0, tokens=0
    )
    charge.allowance = Allowance(spent=Spent(day=420), at=1_795_000_000.0)

    told = dict(share_headers(charge))

    assert told[b"x-codex-primary-used-percent"] == b"42"
    assert told[b"x-codex-primary-reset-at"] == b"1795046400"
    assert b"x-codex-secondary-used-percent" not in told
