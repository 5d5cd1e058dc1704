"""Sends a GatewayError as an HTTP response, with the headers that clients' retry logic reads.

The body is made by a function that the caller passes, as its format depends on the dialect.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeAlias

import msgspec
import structlog

from codex_proapi.gateway.errors import (
    LONGEST_WAIT,
    GatewayError,
    InternalFault,
    MethodRefused,
    UpgradeRefused,
)
from codex_proapi.gateway.server.asgi import Header, Send, send_response


class ErrorBody(Protocol):
    """Encodes the body of an error response in one dialect."""

    def __call__(self, error: GatewayError, *, request_id: str = "") -> bytes:
        """Return the body; `request_id` is for dialects whose errors name their request."""


ErrorHeaders: TypeAlias = Callable[[GatewayError], Sequence[tuple[bytes, bytes]]]
"""Gives the headers of an error that only one dialect's clients read."""

log = structlog.get_logger(__name__)


def error_headers(error: GatewayError) -> list[Header]:
    """`Retry-After` (whole seconds, 1 to 60), `x-should-retry`, `Allow` and `connection`, where they apply."""
    headers: list[Header] = []
    if error.retry_after is not None:
        seconds = max(1, math.ceil(min(error.retry_after, LONGEST_WAIT)))
        headers.append((b"retry-after", str(seconds).encode()))
    if error.should_retry is not None:
        headers.append((b"x-should-retry", b"true" if error.should_retry else b"false"))
    if isinstance(error, MethodRefused):
        headers.append((b"allow", error.allowed.encode()))
    if isinstance(error, UpgradeRefused):
        # After an upgrade was offered the parser takes no second request.
        headers.append((b"connection", b"close"))
    return headers


async def send_error(
    send: Send,
    error: GatewayError,
    request_id: str,
    *,
    error_body: ErrorBody,
    headers: Iterable[Header] = (),
) -> None:
    """Send an error as the whole response; `headers` go beside those of the error."""
    headers = [*headers, *error_headers(error)]
    await send_response(
        send,
        error.status,
        error_body(error, request_id=request_id),
        request_id=request_id,
        headers=headers,
    )


def with_status(body: bytes, error: GatewayError) -> bytes:
    """An error's JSON body with the status in it, for a response whose status line is gone."""
    envelope = msgspec.json.decode(body)
    envelope["error"]["status"] = error.status  # every dialect's errors have this object
    return msgspec.json.encode(envelope)


def log_refusal(error: GatewayError) -> None:
    """Log a request refused before it becomes an exchange, and so gets no access log line."""
    log.info("request.refused", status=error.status, code=error.label)


def internal_fault(error: Exception) -> InternalFault:
    """Log an unexpected exception with its traceback; gives the client's error, without it."""
    log.error("request.crashed", exc_info=error)
    return InternalFault("Something went wrong here; the log knows under this request id.")
