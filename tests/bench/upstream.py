"""A fast upstream for the benchmark: POST …/responses as SSE, as many deltas as the prompt says.

The same over WebSocket, as text frames.

Not the simulator: it checks nothing, so that it costs little.
`python -m bench.upstream PORT [TLS_PORT CERTIFICATE]`; `GET /bench/connections` on PORT gives how many
connections both ports have had, `GET /bench/next` lets every answer with a gap of ASKED write once more
and gives how many there were.
"""

import asyncio
import base64
import functools
import hashlib
import json
import re
import ssl
import sys
import time
from collections.abc import Callable
from typing import cast

import uvloop
from bench.marker import ASKED, Marker

RESPONSE = {
    "id": "resp_bench",
    "object": "response",
    "created_at": 1763790000,
    "status": "in_progress",
    "model": "gpt-5.5",
    "output": [],
    "instructions": "Follow the instructions of the user. " * 8,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": None,
}
ITEM = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant"}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    b"x-request-id: bench\r\n\r\n"
)
LAST = b"0\r\n\r\n"
KEPT_BYTES = 64 * 1024
"""Of a longer body only its last bytes are kept, which have the marker."""
MODELS = json.dumps({"models": [{"slug": "gpt-5.5", "visibility": "list", "priority": 1}]}).encode()


def _event(kind: str, **fields: object) -> bytes:
    content = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {content}\n\n".encode()


def _chunks(events: bytes) -> bytes:
    """Events of a stream, each in a chunk of its own, as a server does that flushes each."""
    each = [part + b"\n\n" for part in events.split(b"\n\n") if part]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in each)


OPENING = (
    _event("response.created", sequence_number=0, response=RESPONSE)
    + _event("response.in_progress", sequence_number=1, response=RESPONSE)
    + _event("response.output_item.added", sequence_number=2, output_index=0, item=ITEM)
)
BEFORE, BETWEEN, AFTER = re.split(
    b"STAMP|NUMBER",
    _event(
        "response.output_text.delta",
        **{**PLACE, "delta": " tok@STAMP@", "logprobs": [], "sequence_number": "NUMBER"},
    ).replace(b'"NUMBER"', b"NUMBER"),
)
FIRST_NUMBER = 4
"""Of a delta: three events, and the part that a gateway adds, come before."""


def _frames(events: bytes) -> bytes:
    """Events of a stream as text frames."""
    return b"".join(
        _frame(part.partition(b"\ndata: ")[2]) for part in events.split(b"\n\n") if part
    )


def _frame(content: bytes) -> bytes:
    size = len(content)
    if size < 126:
        return b"\x81%c%b" % (size, content)
    return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), content)


def _accepted(head: bytes) -> bytes:
    """The answer to an upgrade."""
    key = head.lower().index(b"sec-websocket-key:") + len(b"sec-websocket-key:")
    sent = head[key:].split(b"\r\n")[0].strip()
    guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    made = base64.b64encode(hashlib.sha1(sent + guid).digest())  # noqa: S324 - the protocol's
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"x-request-id: bench\r\nsec-websocket-accept: %b\r\n\r\n" % made
    )


def _message(data: bytes) -> tuple[bytes, bytes] | None:
    """The payload of one masked frame, and what follows it; None if it is not whole."""
    if len(data) < 2:
        return None
    size, at = data[1] & 0x7F, 2
    if size >= 126:
        length = 2 if size == 126 else 8
        size, at = int.from_bytes(data[at : at + length], "big"), at + length
    if len(data) < at + 4 + size:
        return None
    mask, payload = data[at : at + 4], data[at + 4 : at + 4 + size]
    long = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ long).to_bytes(size, "big"), data[at + 4 + size :]


def _closing(deltas: int) -> bytes:
    done = ITEM | {"status": "completed", "content": [{"type": "output_text", "text": "…"}]}
    usage = {"input_tokens": 900, "output_tokens": deltas, "total_tokens": 900 + deltas}
    response = RESPONSE | {"status": "completed", "usage": usage}
    return _event(
        "response.output_item.done", sequence_number=8, output_index=0, item=done
    ) + _event("response.completed", sequence_number=9, response=response)


class Upstream(asyncio.Protocol):
    """One connection; requests one after another."""

    opened = 0
    """Connections of all."""
    held: list[Callable[[], None]] = []  # noqa: RUF012 - of all connections
    """What the answers do that wait until the next write is asked for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        Upstream.opened += 1
        self.buffer = b""
        self.left = 0
        self.upgraded = False
        self.message = b""

    def data_received(self, data: bytes) -> None:
        """Collect one request, or the end of a long one; answer it when it is whole."""
        if self.left:
            self.left -= len(data)
            self.buffer = (self.buffer + data)[-KEPT_BYTES:]
            if self.left <= 0:
                rest, self.buffer, self.left = self.buffer, b"", 0
                self._answer(rest)
            return
        self.buffer += data
        if self.upgraded:
            self._frames()
            return
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        if b"transfer-encoding: chunked" in lowered:
            if not rest.endswith(b"0\r\n\r\n"):
                return
        elif b"content-length:" in lowered:
            length = int(lowered.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(rest) < length:
                if length > KEPT_BYTES:
                    self.left, self.buffer = length - len(rest), rest[-KEPT_BYTES:]
                return
        self.buffer = b""
        if head.startswith(b"GET /bench/"):
            self._tell(head)
            return
        if b"upgrade: websocket" in lowered:
            self.upgraded = True
            self.transport.write(_accepted(head))
            return
        if head.startswith(b"GET"):
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(MODELS))
            self.transport.write(MODELS)
            return
        self._answer(rest)

    def _tell(self, head: bytes) -> None:
        """Answer who measures; this connection is not counted."""
        Upstream.opened -= 1
        number = Upstream.opened
        if head.startswith(b"GET /bench/next"):
            held, Upstream.held = Upstream.held, []
            for write in held:
                write()
            number = len(held)
        said = b"%d" % number
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(said)
        )
        self.transport.write(said)
        self.transport.close()

    def _frames(self) -> None:
        """Answer the message that is whole; pings and closes go unanswered."""
        while (found := _message(self.buffer)) is not None:
            first, (payload, self.buffer) = self.buffer[0], found
            if first & 0x0F > 1:
                continue
            self.message += payload
            if first & 0x80:
                body, self.message = self.message, b""
                self._answer(body)

    def _write(self, events: bytes) -> None:
        self.transport.write(_frames(events) if self.upgraded else _chunks(events))

    def _answer(self, body: bytes) -> None:
        marker = Marker.found_in(body)
        if marker.wait_ms:
            asyncio.get_running_loop().call_later(marker.wait_ms / 1000, self._begin, marker)
        else:
            self._begin(marker)

    def _begin(self, marker: Marker) -> None:
        if not self.transport.is_closing():
            if not self.upgraded:
                self.transport.write(HEAD)
            self._write(OPENING)
            self._send(marker, marker.deltas)

    def _send(self, marker: Marker, left: int) -> None:
        if self.transport.is_closing():
            return
        while left > 0:
            count = min(marker.per_write, left)
            before = BEFORE + str(time.monotonic_ns()).encode() + BETWEEN
            first = FIRST_NUMBER + marker.deltas - left
            self._write(b"".join(before + b"%d" % (first + i) + AFTER for i in range(count)))
            left -= count
            if marker.gap_ms == ASKED:
                Upstream.held.append(functools.partial(self._send, marker, left))
                return
            if marker.gap_ms:
                loop = asyncio.get_running_loop()
                loop.call_later(marker.gap_ms / 1000, self._send, marker, left)
                return
        self._write(_closing(marker.deltas))
        if self.upgraded:
            return
        if not marker.end_ms:
            self.transport.write(LAST)
            return
        asyncio.get_running_loop().call_later(marker.end_ms / 1000, self._end)

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(LAST)


async def _serve(port: int, tls_port: int = 0, certificate: str = "") -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, backlog=4096)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        await loop.create_server(Upstream, "127.0.0.1", tls_port, ssl=context, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    own, *tls = sys.argv[1:]
    uvloop.run(_serve(int(own), *((int(tls[0]), tls[1]) if tls else ())))
