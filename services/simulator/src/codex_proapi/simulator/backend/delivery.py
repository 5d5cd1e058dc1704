"""Writing a composed stream to a socket: pace, silence, garbage, and cuts at any byte."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

from aiohttp import web

from codex_proapi.simulator.backend.streams import Line, encode_line
from codex_proapi.simulator.faults import Fault
from codex_proapi.simulator.received_requests import ReceivedRequest

GIANT = 32 * 1024 * 1024
"""Bytes of the giant line: more than any client should buffer."""
_BATCH = 16 * 1024
_GARBAGE = {
    "utf8": b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"\xff\xfe\xc3"}\n\n',
    "not_json": b"event: response.output_text.delta\ndata: {this is no json\n\n",
    "half_event": b'event: response.output_text.delta\ndata: {"type":"response.out',
    "giant_line": b"data: " + b"x" * 64,
}


class Cut(Exception):
    """The connection ends here."""


async def deliver(
    lines: list[Line],
    response: web.StreamResponse,
    request: web.Request,
    *,
    fault: Fault,
    arrival: ReceivedRequest,
    clock: Callable[[], float],
) -> None:
    """Write the stream as the fault would have it; leaves the ending in the arrival."""
    writer = _Writer(response, fault, arrival)
    try:
        for piece, pause in _pieces(lines, fault):
            if pause:
                await writer.flush()
                await asyncio.sleep(pause)
            await writer.write(piece)
        await writer.flush()
    except Cut:
        arrival.end("cut", clock())
        await _cut(request, response, how=fault.cut)
        return
    except (ConnectionError, asyncio.CancelledError):
        arrival.end("client_left", clock())
        raise
    arrival.end("failed" if fault.failure else "whole", clock())
    with contextlib.suppress(ConnectionError):
        await response.write_eof()


def reset(request: web.Request) -> None:
    """Reset the connection at once: the client sees ECONNRESET."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _pieces(lines: list[Line], fault: Fault) -> Iterator[tuple[bytes, float]]:
    """Bytes in order, each with the seconds to wait before them."""
    if fault.framing == "bom":
        yield b"\xef\xbb\xbf", 0.0
    spoken, troubled = 0, not (fault.silence or fault.garbage)
    for line in lines:
        pause = fault.pace if line.speaks else 0.0
        if not troubled and (fault.words == 0 or (line.speaks and spoken >= fault.words)):
            troubled = True
            pause += fault.silence
            if fault.garbage:
                yield _garbage(fault.garbage), pause
                pause = 0.0
        spoken += line.speaks
        if fault.comments:
            yield b": ping\n\n", 0.0
        yield encode_line(line, fault.framing), pause
    if fault.terminal == "done_marker":
        yield b"data: [DONE]\n\n", 0.0


def _garbage(kind: str) -> bytes:
    lead = _GARBAGE[kind]
    return lead + b"x" * (GIANT - len(lead)) if kind == "giant_line" else lead


class _Writer:
    """Collects small writes, and stops at the byte where the stream is cut."""

    def __init__(
        self, response: web.StreamResponse, fault: Fault, arrival: ReceivedRequest
    ) -> None:
        self._response = response
        self._fault = fault
        self._arrival = arrival
        self._waiting = bytearray()

    def __repr__(self) -> str:
        return f"<_Writer after {self._arrival.bytes_sent} bytes>"

    async def write(self, piece: bytes) -> None:
        """Take bytes; write them in batches, or drop by drop."""
        self._waiting += piece
        step = self._fault.dribble
        if step:
            data, self._waiting = bytes(self._waiting), bytearray()
            for at in range(0, len(data), step):
                await self._send(data[at : at + step])
                await asyncio.sleep(0)
        elif self._fault.pace or len(self._waiting) >= _BATCH:
            await self.flush()

    async def flush(self) -> None:
        """Write what waits."""
        data, self._waiting = bytes(self._waiting), bytearray()
        if data:
            await self._send(data)

    async def _send(self, data: bytes) -> None:
        limit = self._fault.cut_after
        if limit is not None:
            data = data[: max(0, limit - self._arrival.bytes_sent)]
        if data:
            await self._response.write(data)
            self._arrival.bytes_sent += len(data)
        if limit is not None and self._arrival.bytes_sent >= limit:
            raise Cut


async def _cut(request: web.Request, response: web.StreamResponse, *, how: str) -> None:
    if how == "eof":
        await response.write_eof()
        return
    # Let what was written leave first, or a reset would discard it.
    await asyncio.sleep(0.02)
    if how == "reset":
        reset(request)
    elif request.transport is not None:
        request.transport.close()
