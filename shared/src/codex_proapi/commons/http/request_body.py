"""Deadlines of request bodies for applications that read them by themselves."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from codex_proapi.commons.http.limits import BodyDeadlines

Receive: TypeAlias = Callable[[], Awaitable[Any]]
"""ASGI's `receive`; frameworks type its messages differently."""


def with_deadlines(
    receive: Receive, deadlines: BodyDeadlines, too_slow: Callable[[], Exception]
) -> Receive:
    """ASGI's `receive` that does not wait longer for a body than the deadlines allow.

    After the body's end it waits without a deadline, for the client to disconnect.

    Args:
        receive: the server's own.
        deadlines: how slowly the body may arrive; they begin with the first call.
        too_slow: makes the exception that is raised for a body that is slower.
    """
    begun: float | None = None
    size = 0
    more = True

    async def receive_in_time() -> Any:
        nonlocal begun, size, more
        if not more:
            return await receive()
        now = asyncio.get_running_loop().time()
        begun = now if begun is None else begun
        try:
            async with asyncio.timeout_at(deadlines.latest(begun=begun, now=now, size=size)):
                message: Mapping[str, Any] = await receive()
        except TimeoutError:
            raise too_slow() from None
        size += len(message.get("body", b""))
        more = bool(message.get("more_body", False))
        return message

    return receive_in_time
