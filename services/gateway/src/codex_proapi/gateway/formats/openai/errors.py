"""Errors in OpenAI's format: the envelope, and the error events of both streams.

Only encoding; errors are created elsewhere.
"""

from http import HTTPStatus
from typing import Any

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.gateway.errors import (
    SERVER_FAULTS,
    AllSpent,
    BudgetSpent,
    GatewayError,
)
from codex_proapi.gateway.formats.codex.public_errors import GENERAL_TYPE, SPENT_CODES
from codex_proapi.gateway.formats.sse import encode_sse


def error_type(error: GatewayError) -> str:
    """OpenAI's `type` of an error, which clients check before the code."""
    if isinstance(error, AllSpent | BudgetSpent) or error.code in SPENT_CODES:
        return "usage_limit_reached"
    if error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "server_error" if error.status >= SERVER_FAULTS else GENERAL_TYPE


def error_fields(error: GatewayError) -> dict[str, Any]:
    """The fields of the envelope, in OpenAI's order."""
    fields: dict[str, Any] = {
        "message": error.message,
        "type": error_type(error),
        "param": error.param,
        "code": error.code,
    }
    if isinstance(error, AllSpent):
        fields["plan_type"] = error.plan
    if isinstance(error, AllSpent | BudgetSpent):
        fields |= {"resets_at": error.resets_at, "resets_in_seconds": error.resets_in}
    return fields


def error_body(error: GatewayError, *, request_id: str = "") -> bytes:  # noqa: ARG001 - a header names it
    """Return the body of a response with an error status."""
    return write({"error": error_fields(error)})


def chat_error_event(error: GatewayError) -> bytes:
    """Return the last event of a failed chat stream; no `[DONE]` follows."""
    return encode_sse(error_body(error))


def response_failed_event(
    error: GatewayError, response: dict[str, Any], *, sequence_number: int
) -> bytes:
    """Return `response.failed`, which Codex and the AI SDK read."""
    failure = {"code": error.code or error_type(error), "message": error.message}
    return encode_sse(
        write(
            {
                "type": "response.failed",
                "sequence_number": sequence_number,
                "response": {**response, "status": "failed", "error": failure},
            }
        ),
        event=b"response.failed",
    )


def response_error_event(error: GatewayError, *, sequence_number: int) -> bytes:
    """Return `error`, flat and nested: the OpenAI SDKs raise on it, Zed reads the nested form."""
    code = error.code or error_type(error)
    return encode_sse(
        write(
            {
                "type": "error",
                "sequence_number": sequence_number,
                "code": code,
                "message": error.message,
                "param": error.param,
                "error": {**error_fields(error), "code": code},
            }
        ),
        event=b"error",
    )
