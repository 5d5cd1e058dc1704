"""Reads a request's body within deadlines and limits, and decompresses it."""

import asyncio
from collections.abc import Mapping

from codex_proapi.gateway.errors import BodyTooSlow
from codex_proapi.gateway.server.asgi import Receive
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.server.decompression import decompress, too_large

BODY_BYTES = 64 * 1024 * 1024
"""Most bytes of a body, compressed and decompressed; images are base64."""
STALL_SECONDS = 60.0
"""Most seconds without any byte of a body."""
LEAST_RATE = 4096
"""Least average rate of a body in bytes per second, enforced after STALL_SECONDS.

It ends clients that send single bytes slowly to hold a connection (slow POST).
"""
BODY_SECONDS = 600.0
"""Most seconds for a whole body."""


class ClientGone(Exception):
    """The client disconnected before its request was complete."""


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    *,
    limit: int = BODY_BYTES,
    stall: float = STALL_SECONDS,
    hold: BodyHold | None = None,
) -> bytes:
    """The whole body, unpacked; `hold` has its bytes until its owner releases them.

    Raises ClientFault, Overloaded, or ClientGone when the client hung up.
    """
    hold = hold or BodyHold()
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    body = await _receive_all(receive, limit=limit, stall=stall, hold=hold)
    packing = headers.get(b"content-encoding")
    if packing is None:
        return body
    return await decompress(body, packing.decode("latin-1"), limit, hold)


async def _receive_all(receive: Receive, *, limit: int, stall: float, hold: BodyHold) -> bytes:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(stall) as patience:
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
                if not more:
                    return b"".join((*pieces, piece)) if pieces else piece
                pieces.append(piece)
                slowest = begin + min(stall + size / LEAST_RATE, BODY_SECONDS)
                patience.reschedule(min(loop.time() + stall, slowest))
    except TimeoutError:
        raise BodyTooSlow("The request body did not arrive in time.") from None
