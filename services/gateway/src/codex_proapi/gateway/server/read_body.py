"""Reads a request's body within deadlines and limits, and decompresses it."""

import asyncio
from collections.abc import Mapping
from functools import partial

from codex_proapi.commons.http.connection.request_cycle import ClientGone
from codex_proapi.commons.http.limits import BodyDeadlines
from codex_proapi.gateway.errors import BodyTooSlow
from codex_proapi.gateway.server.asgi import Receive
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.server.body_threads import in_thread
from codex_proapi.gateway.server.decompression import decompress, too_large
from codex_proapi.gateway.server.http_limits import BODY_DEADLINES

BODY_BYTES = 64 * 1024 * 1024
"""Most bytes of a body, compressed and decompressed; images are base64."""
JOIN_BESIDE = 4 * 1024 * 1024
"""Bytes from which a body's pieces are joined in a thread: joining does not need the interpreter's lock."""


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    *,
    limit: int = BODY_BYTES,
    deadlines: BodyDeadlines = BODY_DEADLINES,
    hold: BodyHold | None = None,
    whole: bytes | None = None,
) -> bytes:
    """Read the whole body and decompress it.

    Args:
        receive: ASGI's `receive`.
        headers: request headers by lower-case name.
        limit: most bytes, compressed and decompressed.
        deadlines: how slowly it may arrive.
        hold: takes the body's bytes from the body budget, until its owner releases them.
        whole: the body, if it came with the head: nothing is received then.

    Raises:
        ClientFault: it is too large, too slow, or not compressed as the headers say.
        Overloaded: the body budget is exhausted.
        ClientGone: the client disconnected.
    """
    hold = hold or BodyHold()
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    if whole is None:
        body = await _receive_all(receive, limit=limit, deadlines=deadlines, hold=hold)
    else:
        hold.take(len(whole))
        body = whole
    packing = headers.get(b"content-encoding")
    if packing is None:
        return body
    return await decompress(body, packing.decode("latin-1"), limit, hold)


async def _receive_all(
    receive: Receive, *, limit: int, deadlines: BodyDeadlines, hold: BodyHold
) -> bytes:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(deadlines.stall_seconds) as timeout:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGone
                piece = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(piece)
                if size > limit:
                    raise too_large(limit)
                hold.take(len(piece))
                pieces.append(piece)
                if not more:
                    break
                timeout.reschedule(deadlines.latest(begun=begun, now=loop.time(), size=size))
    except TimeoutError:
        raise BodyTooSlow("The request body did not arrive in time.") from None
    if size < JOIN_BESIDE:
        return b"".join(pieces)
    async with hold.turn():
        return await in_thread(partial(b"".join, pieces))
