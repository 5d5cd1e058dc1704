"""Ends connections as a broken network or server does."""

import asyncio
import socket
import struct

from aiohttp import web


def reset(request: web.Request) -> None:
    """Reset the connection at once: the client sees ECONNRESET."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def close_later(request: web.Request, seconds: float) -> None:
    """Close an idle keep-alive connection some time after its response, without `connection: close`."""
    transport = request.transport
    if transport is not None:
        asyncio.get_running_loop().call_later(seconds, transport.close)
