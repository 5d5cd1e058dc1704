import pytest

from codex_proapi.commons.api_keys.budgets import Spent
from codex_proapi.commons.api_keys.limits import Limit, Limits
from codex_proapi.gateway.api.dialects.anthropic_limits import headers_of_limits
from codex_proapi.gateway.limits.limit_charge import Allowance, LimitCharge

NOW = 1_795_000_000.0
MIDNIGHT = "1795046400"
UNIFIED = "anthropic-ratelimit-unified-"


def told(allowance: Allowance | None, **limits: int) -> dict[str, str]:
    charge = LimitCharge(
        key_id="key_1", limits=Limits(**limits), request_id="r", version=0, tokens=0
    )
    charge.allowance = allowance
    return {name.decode(): value.decode() for name, value in headers_of_limits(charge, False)}


def unified(allowance: Allowance, **limits: int) -> dict[str, str]:
    found = told(allowance, **limits)
    return {n.removeprefix(UNIFIED): v for n, v in found.items() if n.startswith(UNIFIED)}


def test_a_key_without_limits_is_told_nothing() -> None:
    assert headers_of_limits(None, False) == []
    assert told(None, tokens_day=1) == told(Allowance(at=NOW), concurrent=2) == {}


def test_the_limits_of_a_minute_have_both_makers_names() -> None:
    allowance = Allowance(requests_left=4, requests_reset=5.5, tokens_left=9, at=NOW)

    found = told(allowance, rpm=5, tpm=10)

    assert found["x-ratelimit-remaining-requests"] == "4"
    assert found["anthropic-ratelimit-requests-limit"] == "5"
    assert found["anthropic-ratelimit-requests-remaining"] == "4"
    assert found["anthropic-ratelimit-requests-reset"] == "2026-11-18T11:06:46Z"
    assert found["anthropic-ratelimit-tokens-remaining"] == "9"
    assert not any(name.startswith(UNIFIED) for name in found)


@pytest.mark.parametrize(
    ("spent", "status", "used", "step"),
    [
        (0, "allowed", "0.00", None),
        (749, "allowed", "0.75", None),
        (750, "allowed_warning", "0.75", "0.75"),
        (949, "allowed_warning", "0.95", "0.75"),
        (950, "allowed_warning", "0.95", "0.95"),
        (2000, "allowed_warning", "0.99", "0.95"),
    ],
)
def test_what_is_used_of_a_budget(spent: int, status: str, used: str, step: str | None) -> None:
    found = unified(Allowance(spent=Spent(day=spent), at=NOW), tokens_day=1000)

    assert found.pop("overage-surpassed-threshold", None) == step
    assert found == {
        "status": status,
        "representative-claim": "overage",
        "overage-status": status,
        "overage-utilization": used,
        "reset": MIDNIGHT,
        "overage-reset": MIDNIGHT,
    }


def test_the_fullest_budget_is_told() -> None:
    found = unified(
        Allowance(spent=Spent(day=10, month=900), at=NOW), tokens_day=100, tokens_month=1000
    )

    assert (found["overage-utilization"], found["overage-reset"]) == ("0.90", "1796083200")


def test_a_refusal_is_told_by_the_error_alone() -> None:
    allowance = Allowance(refused=Limit.DAY, spent=Spent(day=1000), at=NOW)

    assert unified(allowance, tokens_day=1000) == {}
