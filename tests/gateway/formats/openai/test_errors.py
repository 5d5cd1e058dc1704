"""Errors in the clients' dialect: envelope, stream events, and what is told of a refusal."""

import json

import pytest
from support.playbook import messages

from codex_proapi.gateway.errors import AllSpent, BadRequest, EmptyAnswer, Truncated
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.formats.openai.errors import (
    chat_error_event,
    error_body,
    error_type,
    public_error,
    response_error_event,
    response_failed_event,
)


def test_the_envelope_always_has_four_fields() -> None:
    error = BadRequest("messages is required", param="messages")

    assert json.loads(error_body(error)) == {
        "error": {
            "message": "messages is required",
            "type": "invalid_request_error",
            "param": "messages",
            "code": None,
        }
    }


def test_a_spent_pool_says_when_it_begins_anew() -> None:
    error = AllSpent("All spent.", resets_at=9, resets_in=3, plan="plus")

    assert json.loads(error_body(error))["error"] == {
        "message": "All spent.",
        "type": "usage_limit_reached",
        "param": None,
        "code": "rate_limit_exceeded",
        "plan_type": "plus",
        "resets_at": 9,
        "resets_in_seconds": 3,
    }


def test_a_chat_stream_fails_in_one_event() -> None:
    assert chat_error_event(Truncated("Cut off.")) == (
        b'data: {"error":{"message":"Cut off.","type":"server_error","param":null,'
        b'"code":"upstream_stream_truncated"}}\n\n'
    )


def test_a_responses_stream_fails_in_two() -> None:
    error = EmptyAnswer("Empty.")
    response = {"id": "resp_1", "status": "in_progress", "error": None}

    assert messages(
        response_failed_event(error, response, sequence_number=4)
        + response_error_event(error, sequence_number=5)
    ) == [
        {
            "type": "response.failed",
            "sequence_number": 4,
            "response": {
                "id": "resp_1",
                "status": "failed",
                "error": {"code": "upstream_empty_answer", "message": "Empty."},
            },
        },
        {
            "type": "error",
            "sequence_number": 5,
            "code": "upstream_empty_answer",
            "message": "Empty.",
            "param": None,
            "error": {
                "message": "Empty.",
                "type": "server_error",
                "param": None,
                "code": "upstream_empty_answer",
            },
        },
    ]


def test_an_error_without_a_code_has_its_type_there() -> None:
    error = BadRequest("No.")

    assert messages(response_error_event(error, sequence_number=0))[0]["code"] == error_type(error)


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
