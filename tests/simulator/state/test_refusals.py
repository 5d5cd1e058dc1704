from typing import Any

import pytest

from codex_proapi.simulator.state.refusals import REFUSALS, Circumstance, Refusal, refuse

AT = Circumstance(now=1000, plan="free", model="gpt-9", resets_in=60, retry_after=2)


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_has_an_error_status_and_a_code(name: Any) -> None:
    refusal = refuse(name, AT)

    assert 400 <= refusal.status < 600
    assert refusal.code


def test_a_usage_limit_says_the_plan_and_when_it_resets() -> None:
    assert refuse("usage_limit_reached", AT).body == {
        "error": {
            "type": "usage_limit_reached",
            "message": "The usage limit has been reached",
            "plan_type": "free",
            "resets_at": 1060,
            "resets_in_seconds": 60,
        }
    }


def test_a_rate_limit_says_when_to_come_again() -> None:
    refusal = refuse("rate_limit_exceeded", AT)

    assert refusal.headers == {"retry-after": "2"}
    assert refusal.body["error"]["code"] == "rate_limit_exceeded"


def test_cloudflare_is_a_page() -> None:
    refusal = refuse("cloudflare", AT)

    assert refusal.headers["cf-mitigated"] == "challenge"
    assert refusal.body.startswith("<!DOCTYPE html>")
    assert refusal.code == "html"


def test_a_dead_session_says_its_code_in_the_body_and_in_a_header() -> None:
    refusal = refuse("token_expired", AT)

    assert refusal.body["error"]["code"] == "token_expired"
    assert refusal.body["status"] == 401
    assert refusal.headers == {"x-openai-authorization-error": "token_expired"}


CODES = [
    ({"detail": "Not Found"}, "Not Found"),
    ({"detail": {"code": "deactivated_workspace"}}, "deactivated_workspace"),
    ({"error": "invalid_grant"}, "invalid_grant"),
    ({"error": {"type": "usage_not_included"}}, "usage_not_included"),
]


@pytest.mark.parametrize(("body", "code"), CODES)
def test_a_code_is_found_in_every_form(body: Any, code: Any) -> None:
    assert Refusal(status=400, body=body).code == code


def test_the_used_refresh_token_says_what_the_real_one_says() -> None:
    assert refuse("refresh_token_reused", AT).body["error"]["message"] == (
        "Your refresh token has already been used to generate a new access token. "
        "Please try signing in again."
    )
