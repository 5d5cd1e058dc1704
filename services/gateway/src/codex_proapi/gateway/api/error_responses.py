"""A GatewayError becomes an answer: the only place that turns errors into status and body.

The body's shape is `dialects.openai_errors`' business; which error it is was decided below.
"""

import math
from collections.abc import Iterable

import structlog

from codex_proapi.gateway.errors import LONGEST_WAIT, GatewayError, InternalFault, UpgradeRefused
from codex_proapi.gateway.formats.openai.errors import error_body
from codex_proapi.gateway.server.asgi import Header, Send, send_response

log = structlog.get_logger(__name__)


def headers_of_error(error: GatewayError) -> list[Header]:
    """What clients' retry loops read, beside the status."""
    headers: list[Header] = []
    if error.retry_after is not None:
        seconds = max(1, math.ceil(min(error.retry_after, LONGEST_WAIT)))
        headers.append((b"retry-after", str(seconds).encode()))
    if error.should_retry is not None:
        headers.append((b"x-should-retry", b"true" if error.should_retry else b"false"))
    if isinstance(error, UpgradeRefused):
        # After an upgrade was offered the parser takes no second request.
        headers.append((b"connection", b"close"))
    return headers


async def refuse(
    send: Send, error: GatewayError, request_id: str, *, headers: Iterable[Header] = ()
) -> None:
    """Answer with an error; `headers` are those the answer would have had anyway."""
    headers = [*headers, *headers_of_error(error)]
    await send_response(
        send, error.status, error_body(error), request_id=request_id, headers=headers
    )


def fault_of(error: Exception) -> InternalFault:
    """Our own fault, logged with its trace and told to the client without it."""
    log.error("request.crashed", exc_info=error)
    return InternalFault("Something went wrong here; the log knows under this request id.")
