"""What a client is told of the backend's refusals."""

import pytest

from codex_proapi.gateway.formats.codex.public_errors import public_error
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.openai.errors import error_type


@pytest.mark.parametrize(
    ("refusal", "status", "type_", "code"),
    [
        (Refusal(status=400, code="cyber_policy", message="m"), 400, "invalid_request_error", "cyber_policy"),
        (Refusal(status=400, message="m"), 400, "invalid_request_error", None),
        (Refusal(status=422, message="m"), 400, "invalid_request_error", None),
        (Refusal(status=404, message="m"), 502, "server_error", "server_error"),
        (Refusal(status=404, is_html=True, message="m"), 502, "server_error", "server_error"),
        (Refusal(status=404, param="input", message="m"), 404, "invalid_request_error", None),
        (Refusal(status=404, param="model", message="m"), 404, "invalid_request_error", "model_not_found"),
        (Refusal(status=413, message="m"), 413, "invalid_request_error", "request_too_large"),
        (Refusal(status=429, message="m"), 429, "rate_limit_error", "rate_limit_exceeded"),
        (Refusal(status=429, code="slow_down", message="m"), 429, "rate_limit_error", "slow_down"),
        (Refusal(status=429, type="usage_limit_reached", message="m"), 429, "usage_limit_reached", "usage_limit_reached"),
        (Refusal(status=429, code="insufficient_quota", message="m"), 429, "usage_limit_reached", "insufficient_quota"),
        (Refusal(status=500, message="m"), 502, "server_error", "server_error"),
        (Refusal(status=502, code="odd", message="m"), 502, "server_error", "odd"),
        (Refusal(status=503, code="server_is_overloaded", message="m"), 503, "server_error", "server_is_overloaded"),
    ],
)  # fmt: skip
def test_a_refusal_becomes_what_a_client_can_act_on(
    refusal: Refusal, status: int, type_: str, code: str | None
) -> None:
    error = public_error(refusal)

    assert (error.status, error_type(error), error.code, error.message) == (
        status,
        type_,
        code,
        "m",
    )


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(status=401, code="token_expired", message="of user@example.org"),
        Refusal(status=402, message="of user@example.org"),
        Refusal(status=403, message="of user@example.org"),
        Refusal(status=502, code="token_revoked", message="of user@example.org"),
        Refusal(status=403, is_html=True),
    ],
)
def test_trouble_with_an_account_is_never_told(refusal: Refusal) -> None:
    error = public_error(refusal)

    assert (error.status, error_type(error), error.code) == (
        503,
        "server_error",
        "upstream_unavailable",
    )
    assert "user@example.org" not in error.message


def test_a_page_of_the_edge_is_a_bad_gateway() -> None:
    assert public_error(Refusal(status=520, is_html=True)).status == 502


@pytest.mark.parametrize("message", ["Too long.", "Exceeds the context window.", ""])
def test_an_input_too_long_is_told_in_words_agents_look_for(message: str) -> None:
    error = public_error(Refusal(status=400, code="context_too_large", message=message))

    assert (error.status, error.code) == (400, "context_length_exceeded")
    assert error.message.count("context window") == 1


def test_waits_are_told_but_never_long_ones() -> None:
    assert public_error(Refusal(status=429, retry_after=3.0)).retry_after == 3.0
    assert public_error(Refusal(status=429, retry_after=3600.0)).retry_after == 60.0
    assert public_error(Refusal(status=503, retry_after=3600.0)).retry_after == 60.0
    assert public_error(Refusal(status=503)).retry_after == 1.0


def test_the_culprit_is_named() -> None:
    assert public_error(Refusal(status=400, param="tools")).param == "tools"


def test_a_path_the_backend_does_not_have_is_not_told_as_an_unknown_model() -> None:
    error = public_error(Refusal(status=404, message="Not Found"))

    assert (error.status, error.code) == (502, "server_error")


def test_a_request_that_is_too_large_is_told_what_to_do() -> None:
    assert "images" in public_error(Refusal(status=413, is_html=True)).message
