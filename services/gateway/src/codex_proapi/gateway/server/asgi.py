"""Types and helpers for raw ASGI, used on the hot path instead of a framework."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from codex_proapi.gateway.server.common_headers import CORS_HEADERS

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The request's headers by lower-case name; of several with one name the last."""
    return dict(scope["headers"])


async def send_response(
    send: Send, status: int, body: bytes, *, request_id: str, headers: Iterable[Header] = ()
) -> None:
    """Send one whole JSON answer."""
    start = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *CORS_HEADERS,
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body, "more_body": False})
