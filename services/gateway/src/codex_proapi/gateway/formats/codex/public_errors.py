"""Converts a refusal of the backend into the error that a client of any dialect receives."""

from http import HTTPStatus
from typing import Final

from codex_proapi.gateway.errors import LONGEST_WAIT, UpstreamRefused
from codex_proapi.gateway.formats.codex.refusals import STATUS_OF_CODE, Refusal

GENERAL_TYPE: Final = "invalid_request_error"
"""The general type of an error, which adds nothing to its status; of OpenAI's and Anthropic's APIs."""
MODEL_NOT_FOUND: Final = "model_not_found"
MODEL_WORDS: Final = "Model not found"
"""Beginning of the backend's 404 for an unknown model, which has no code. Any other 404 without code
and parameter is for an unknown path, not for the client's model."""
SOON: Final = 1.0
"""Seconds of `retry-after` for failures of the backend."""


CONTEXT_CODES: Final = ("context_length_exceeded", "context_window_exceeded", "context_too_large")
CONTEXT_WORDS: Final = ("context window", "maximum context length")
"""The wording by which agents recognise that they must begin compaction."""

WITHOUT_REASON: Final = "The backend refused without a reason."
TOO_LARGE: Final = (
    "The request is too large for the backend: send less text, or fewer or smaller images."
)
SPENT_CODES: Final = (
    "usage_limit_reached",
    "usage_not_included",
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
)


def public_error(refusal: Refusal) -> UpstreamRefused:
    """The error for a refusal that ends the exchange.

    The client's own errors are 400 or 404 with upstream's message; faults of an account or of the
    backend are `server_error`, which clients retry, and never 401 or 403, which would mean a bad key.
    """
    # A specific type replaces a missing code; the general one does not.
    telling = refusal.type in STATUS_OF_CODE and refusal.type != GENERAL_TYPE
    code = refusal.code or (refusal.type if telling else "")
    status = STATUS_OF_CODE.get(code, refusal.status)
    too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    message = refusal.message or (TOO_LARGE if too_large else WITHOUT_REASON)
    if code in CONTEXT_CODES:
        if not any(words in message.lower() for words in CONTEXT_WORDS):
            message += " The input is longer than the model's context window."
        return _invalid(refusal, message, code="context_length_exceeded")
    if code in SPENT_CODES:
        return UpstreamRefused(message, status=429, code=code)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = None if refusal.retry_after is None else min(refusal.retry_after, LONGEST_WAIT)
        return UpstreamRefused(
            message,
            status=429,
            code=code or "rate_limit_exceeded",
            retry_after=wait,
        )
    if status == HTTPStatus.NOT_FOUND and (code or refusal.param):
        about_model = code == MODEL_NOT_FOUND or refusal.param == "model"
        return _invalid(
            refusal, message, status=404, code=MODEL_NOT_FOUND if about_model else code or None
        )
    if status == HTTPStatus.NOT_FOUND and message.startswith(MODEL_WORDS):
        return _invalid(refusal, message, status=404, code=MODEL_NOT_FOUND)
    if too_large:
        return _invalid(refusal, message, status=413, code="request_too_large")
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        return _invalid(refusal, message, code=code or None)
    return _unavailable(refusal, message, code)


def _invalid(
    refusal: Refusal, message: str, *, status: int = 400, code: str | None
) -> UpstreamRefused:
    return UpstreamRefused(message, status=status, code=code, param=refusal.param)


def _unavailable(refusal: Refusal, message: str, code: str) -> UpstreamRefused:
    """A fault that is not the client's: 503 if waiting or another account helps, else 502."""
    ours = refusal.status in (401, 402, 403) or STATUS_OF_CODE.get(code) in (401, 402)
    if ours or (refusal.is_html and refusal.status != HTTPStatus.NOT_FOUND):
        # The message of such a refusal is about the account, which is not the client's.
        message, code = "The backend does not serve us at the moment.", "upstream_unavailable"
    busy = ours or refusal.status in (403, 503) or code == "server_is_overloaded"
    return UpstreamRefused(
        message,
        status=503 if busy else 502,
        code=code or "server_error",
        retry_after=min(refusal.retry_after or SOON, LONGEST_WAIT),
    )
