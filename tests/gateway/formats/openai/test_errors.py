"""Errors in the clients' dialect: envelope, stream events, and what is told of a refusal."""

import json

from support.playbook import messages

from codex_proapi.gateway.errors import AllSpent, BadRequest, EmptyAnswer, Truncated
from codex_proapi.gateway.formats.openai.errors import (
    chat_error_event,
    error_body,
    error_type,
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
