"""Errors in Anthropic's format: the envelope, the stream's `error` event, headers.

The names of the types are those of Anthropic's API reference ("Errors", 2026). Two wordings are
part of the protocol, because Claude Code 2.1.332 acts on them: "prompt is too long: N tokens > M
maximum" begins compaction, and a message containing `signature` makes it drop old thinking.
"""

import re
from http import HTTPStatus
from typing import Final

from codex_proapi.commons.runtime.lenient_json import write
from codex_proapi.gateway.errors import (
    BadKey,
    BudgetSpent,
    GatewayError,
    Overloaded,
    UpstreamSlow,
)
from codex_proapi.gateway.formats.sse import encode_sse

TYPE_OF_STATUS: Final[dict[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    501: "not_supported",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Error type by HTTP status; any other 4xx is an invalid request, the rest `api_error`."""
OVERLOAD_CODES: Final = frozenset({"server_is_overloaded", "server_overloaded"})
OVERFLOW_CODE: Final = "context_length_exceeded"
SIGNATURE_CODE: Final = "invalid_encrypted_content"

OVERFLOW_WORDS: Final = "prompt is too long"
SIGNATURE_WORDS: Final = "Invalid `signature` in `thinking` block."
_NUMBERS: Final = re.compile(r"\d[\d,]{2,}(?= tokens?\b)|(?<=is )\d[\d,]{2,}")
_MINIMUM_NUMBERS: Final = 2
_INDEX: Final = re.compile(r"\[(\d+)\]")
"""An index in a parameter's name, which this API writes with a dot: `tools.0.name`."""
BUDGET_PREFIX: Final = "anthropic-ratelimit-unified-"
BUDGET_PERIODS: Final = {"day": "daily", "week": "weekly", "month": "monthly"}
"""The period of a budget to its name in `overage-period`."""


def error_type(error: GatewayError) -> str:
    """Return the type of an error: by its class, else by its status."""
    if isinstance(error, BudgetSpent):
        return "billing_error"
    if isinstance(error, Overloaded) or error.code in OVERLOAD_CODES:
        return "overloaded_error"
    if isinstance(error, UpstreamSlow):
        return "timeout_error"
    known = TYPE_OF_STATUS.get(error.status)
    if known is not None:
        return known
    client = HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR
    return "invalid_request_error" if client else "api_error"


def error_message(error: GatewayError) -> str:
    """Return the public message, with the wording that clients act on and the parameter's name."""
    message = error.message
    if error.code == OVERFLOW_CODE:
        return _overflow_message(message)
    if error.code == SIGNATURE_CODE:
        return f"{SIGNATURE_WORDS} {message}"
    param = _INDEX.sub(r".\1", error.param or "")
    return f"{param}: {message}" if param and param not in message else message


def error_body(error: GatewayError, *, request_id: str = "") -> bytes:
    """Return the body of an answer with an error status."""
    return write(_envelope(error, request_id))


def error_event(error: GatewayError, *, request_id: str = "") -> bytes:
    """Return the last event of a stream that failed; no `message_stop` follows."""
    return encode_sse(error_body(error, request_id=request_id), event=b"error")


def error_headers(error: GatewayError) -> list[tuple[str, str]]:
    """Return the headers that only this dialect's clients read, beside `retry-after`.

    `x-should-retry: false` for a refused key, as without it Claude Code backs off for minutes. For a
    spent budget those of Claude Code's gateway contract (`claude gateway`, 2.1.332).
    """
    if isinstance(error, BadKey):
        return [("x-should-retry", "false")]
    if isinstance(error, BudgetSpent):
        period = BUDGET_PERIODS.get(error.period)
        return [
            ("retry-after", str(error.resets_in)),
            *([(f"{BUDGET_PREFIX}overage-period", period)] if period else ()),
            (f"{BUDGET_PREFIX}status", "rejected"),
            (f"{BUDGET_PREFIX}reset", str(error.resets_at)),
            (f"{BUDGET_PREFIX}overage-reset", str(error.resets_at)),
            (f"{BUDGET_PREFIX}overage-utilization", "1"),
            (f"{BUDGET_PREFIX}overage-surpassed-threshold", "1"),
            (f"{BUDGET_PREFIX}overage-disabled-reason", "org_spend_cap_reached"),
        ]
    return []


def _envelope(error: GatewayError, request_id: str) -> dict[str, object]:
    body: dict[str, object] = {
        "type": "error",
        "error": {"type": error_type(error), "message": error_message(error)},
    }
    if request_id:
        body["request_id"] = request_id
    return body


def _overflow_message(message: str) -> str:
    """The message for a prompt that is too long, with both sizes if the backend gives them."""
    if OVERFLOW_WORDS in message:
        return message
    numbers = sorted({int(found.replace(",", "")) for found in _NUMBERS.findall(message)})
    if len(numbers) >= _MINIMUM_NUMBERS:
        return f"{OVERFLOW_WORDS}: {numbers[-1]} tokens > {numbers[0]} maximum"
    return f"{OVERFLOW_WORDS}: {message}"
