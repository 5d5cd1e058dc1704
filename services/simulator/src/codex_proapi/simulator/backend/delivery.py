"""Writes a stream to a socket with the pace, silence, invalid bytes and cuts of a fault."""

import asyncio
import contextlib
from collections.abc import Iterator

from aiohttp import web

from codex_proapi.simulator.backend.events import StreamEvent, encode_event
from codex_proapi.simulator.http.connections import close_later, reset
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.received_requests import ReceivedRequest
from codex_proapi.simulator.state.world import World

GIANT = 32 * 1024 * 1024
"""Bytes of the fault `giant_line`: more than any client should buffer."""
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
    lines: list[StreamEvent],
    response: web.StreamResponse,
    request: web.Request,
    *,
    fault: Fault,
    received: ReceivedRequest,
    world: World,
) -> None:
    """Write the stream with a fault; sets `ending` of the received request."""
    writer = _Writer(response, fault, received)
    try:
        for piece, pause in _pieces(lines, fault):
            if pause:
                await writer.flush()
                await world.wait(pause)
            await writer.write(piece)
        await writer.flush()
    except Cut:
        received.end("cut", world.clock())
        await _cut(request, response, how=fault.cut)
        return
    except (ConnectionError, asyncio.CancelledError):
        received.end("client_left", world.clock())
        raise
    try:
        await world.wait(fault.end_delay)
    except asyncio.CancelledError:
        # The client closed after the last event: the answer was complete.
        received.end("failed" if fault.failure else "whole", world.clock())
        raise
    received.end("failed" if fault.failure else "whole", world.clock())
    await world.wait(fault.late_end)
    with contextlib.suppress(ConnectionError):
        await response.write_eof()
    if fault.idle_close is not None:
        close_later(request, fault.idle_close)


def _pieces(lines: list[StreamEvent], fault: Fault) -> Iterator[tuple[bytes, float]]:
    """Bytes in order, each with the seconds to wait before them."""
    if fault.framing == "bom":
        yield b"\xef\xbb\xbf", 0.0
    deltas, troubled = 0, not (fault.silence or fault.garbage)
    for line in lines:
        pause = fault.pace if line.is_delta else 0.0
        if not troubled and (fault.words == 0 or (line.is_delta and deltas >= fault.words)):
            troubled = True
            pause += fault.silence
            if fault.garbage:
                yield _garbage(fault.garbage), pause
                pause = 0.0
        deltas += line.is_delta
        if fault.comments:
            yield b": ping\n\n", 0.0
        yield encode_event(line, fault.framing), pause
    if fault.terminal == "done_marker":
        yield b"data: [DONE]\n\n", 0.0


def _garbage(kind: str) -> bytes:
    lead = _GARBAGE[kind]
    return lead + b"x" * (GIANT - len(lead)) if kind == "giant_line" else lead


class _Writer:
    """Collects small writes, and stops at the byte where the stream is cut."""

    def __init__(
        self, response: web.StreamResponse, fault: Fault, received: ReceivedRequest
    ) -> None:
        self._response = response
        self._fault = fault
        self._received = received
        self._waiting = bytearray()

    def __repr__(self) -> str:
        return f"<_Writer after {self._received.bytes_sent} bytes>"

    async def write(self, piece: bytes) -> None:
        """Add bytes; writes them in batches, or in small pieces with pauses."""
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
        """Write the buffered bytes."""
        data, self._waiting = bytes(self._waiting), bytearray()
        if data:
            await self._send(data)

    async def _send(self, data: bytes) -> None:
        limit = self._fault.cut_after
        if limit is not None:
            data = data[: max(0, limit - self._received.bytes_sent)]
        if data:
            await self._response.write(data)
            self._received.bytes_sent += len(data)
        if limit is not None and self._received.bytes_sent >= limit:
            raise Cut


async def _cut(request: web.Request, response: web.StreamResponse, *, how: str) -> None:
    if how == "eof":
        await response.write_eof()
        return
    # Let the written bytes be sent first, as a reset would discard them.
    await asyncio.sleep(0.02)
    if how == "reset":
        reset(request)
    elif request.transport is not None:
        request.transport.close()
