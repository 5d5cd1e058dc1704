"""Every error in Anthropic's envelope, with the words that Claude Code acts on."""

import json

import pytest

from codex_proapi.gateway.errors import (
    AllCooling,
    AllSpent,
    BadKey,
    BadRequest,
    BodyTooSlow,
    BudgetSpent,
    GatewayError,
    InternalFault,
    LimitExceeded,
    MethodRefused,
    NoAccounts,
    Overloaded,
    StoreUnreachable,
    TooLarge,
    Truncated,
    UnknownModel,
    UnknownRoute,
    UpstreamRefused,
    UpstreamSlow,
    UpstreamUnreachable,
)
from codex_proapi.gateway.formats.anthropic.errors import (
    error_body,
    error_event,
    error_headers,
    error_message,
    error_type,
)

BUDGET = BudgetSpent(
    "The day's budget is spent.", resets_at=1_764_547_200, resets_in=60, period="day"
)


def refused(status: int, code: str | None = None, message: str = "no") -> UpstreamRefused:
    return UpstreamRefused(message, status=status, code=code)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BadRequest("no"), "invalid_request_error"),
        (BadKey("no"), "authentication_error"),
        (UnknownModel("no"), "not_found_error"),
        (UnknownRoute("no"), "not_found_error"),
        (MethodRefused("no", allowed="GET"), "invalid_request_error"),
        (BodyTooSlow("no"), "timeout_error"),
        (TooLarge("no"), "request_too_large"),
        (LimitExceeded("no"), "rate_limit_error"),
        (BUDGET, "billing_error"),
        (AllCooling("no"), "rate_limit_error"),
        (AllSpent("no", resets_at=1, resets_in=1, plan="plus"), "rate_limit_error"),
        (NoAccounts("no"), "api_error"),
        (Overloaded("no"), "overloaded_error"),
        (StoreUnreachable("no"), "api_error"),
        (InternalFault("no"), "api_error"),
        (UpstreamUnreachable("no"), "api_error"),
        (UpstreamSlow("no"), "timeout_error"),
        (Truncated("no"), "api_error"),
        (refused(400), "invalid_request_error"),
        (refused(404), "not_found_error"),
        (refused(413), "request_too_large"),
        (refused(429), "rate_limit_error"),
        (refused(502), "api_error"),
        (refused(503, "server_is_overloaded"), "overloaded_error"),
        (refused(418), "invalid_request_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else value,
)
def test_type_of_each_error(error: GatewayError, expected: str) -> None:
    assert error_type(error) == expected


def test_envelope_names_the_request() -> None:
    assert json.loads(error_body(BadKey("No such key."), request_id="req_1")) == {
        "type": "error",
        "error": {"type": "authentication_error", "message": "No such key."},
        "request_id": "req_1",
    }


def test_envelope_without_a_request_id_has_none() -> None:
    assert "request_id" not in json.loads(error_body(BadKey("no")))


def test_event_is_one_message_named_error() -> None:
    event = error_event(Truncated("cut"), request_id="req_1")

    assert event.startswith(b'event: error\ndata: {"type":"error"')
    assert event.endswith(b"}\n\n")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            (
                "This model's maximum context length is 272000 tokens. However, your messages"
                " resulted in 300,123 tokens."
            ),
            "prompt is too long: 300123 tokens > 272000 maximum",
        ),
        (
            "Your input exceeds the context window of this model.",
            "prompt is too long: Your input exceeds the context window of this model.",
        ),
        (
            "prompt is too long: 5000 tokens > 4000 maximum",
            "prompt is too long: 5000 tokens > 4000 maximum",
        ),
    ],
)
def test_overflow_is_told_in_the_words_that_begin_compaction(message: str, expected: str) -> None:
    assert error_message(refused(400, "context_length_exceeded", message)) == expected


def test_reasoning_that_cannot_be_read_speaks_of_the_signature() -> None:
    told = error_message(refused(400, "invalid_encrypted_content", "Cannot decrypt."))

    assert told == "Invalid `signature` in `thinking` block. Cannot decrypt."


def test_parameter_is_named_once() -> None:
    assert error_message(BadRequest("must be a list", param="tools")) == "tools: must be a list"
    assert error_message(BadRequest("'tools' is no list", param="tools")) == "'tools' is no list"
    assert error_message(BadRequest("no name", param="tools[2].name")) == "tools.2.name: no name"


def test_refused_key_is_not_tried_again() -> None:
    assert error_headers(BadKey("no")) == [("x-should-retry", "false")]
    assert error_headers(BadRequest("no")) == []


def test_spent_budget_says_when_it_resets() -> None:
    headers = dict(error_headers(BUDGET))

    assert headers["anthropic-ratelimit-unified-status"] == "rejected"
    assert headers["anthropic-ratelimit-unified-reset"] == "1764547200"
    assert headers["anthropic-ratelimit-unified-overage-period"] == "daily"
    assert headers["retry-after"] == "60"
    assert "anthropic-ratelimit-unified-representative-claim" not in headers
    assert "anthropic-ratelimit-unified-overage-status" not in headers
