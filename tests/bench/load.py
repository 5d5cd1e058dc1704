"""The load: so many requests, so many at once; times of headers, first delta and each delta."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from bench.marker import STAMP


@dataclass
class Result:
    """What one run of the load saw; times in milliseconds."""

    first_delta: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    deltas: int = 0
    errors: int = 0
    seconds: float = 0.0

    def percentile(self, values: list[float], share: float) -> float:
        """The value below which this share lies."""
        ordered = sorted(values)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


class _Client(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.done: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.first = self.spoke = False
        self.begun, self.tail = 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.done and not self.done.done():
            self.result.errors += 1
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self.first and not data.startswith(b"HTTP/1.1 200"):
            self.result.errors += 1
        self.first = False
        for stamp in STAMP.findall(data):
            if not self.spoke:
                self.result.first_delta.append((now - self.begun) / 1e6)
                self.spoke = True
            self.result.delays.append((now - int(stamp)) / 1e6)
            self.result.deltas += 1
        if (self.tail + data)[-5:] == b"0\r\n\r\n" and self.done and not self.done.done():
            self.result.whole.append((now - self.begun) / 1e6)
            self.done.set_result(None)
        self.tail = data[-5:]

    async def ask(self, request: bytes) -> None:
        """Send one request and wait for the end of its answer."""
        self.first, self.spoke, self.tail = True, False, b""
        self.done = asyncio.get_running_loop().create_future()
        self.begun = time.monotonic_ns()
        assert self.transport is not None
        self.transport.write(request)
        await self.done


async def load(
    port: int,
    path: str,
    bodies: Sequence[bytes],
    *,
    requests: int,
    at_once: int,
    key: str = "bench",
) -> Result:
    """Run the load against one port of this machine; the bodies take turns."""
    result = Result()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\ncontent-length: "
    )
    sent = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]
    left = requests
    loop = asyncio.get_running_loop()

    async def worker() -> None:
        nonlocal left
        client = _Client(result)
        while left > 0:
            left -= 1
            if client.transport is None:
                _, client = await loop.create_connection(lambda: _Client(result), "127.0.0.1", port)
            await client.ask(sent[left % len(sent)])
        if client.transport is not None:
            client.transport.close()

    begun = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    result.seconds = time.monotonic() - begun
    return result
