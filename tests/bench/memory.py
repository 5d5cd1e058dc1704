"""What open streams, slow readers and request bodies cost in memory: the last part of `make bench`.

Prints resident memory that each adds to a gateway process of its own, over plain and encrypted
connections to the upstream. Asserts nothing. `python -m bench.memory [NAME…]` prints these rows alone.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psutil
from bench.marker import Marker
from bench.targets import CHAT, Bench, targets

STREAMS = 200
BODIES = 40
GROWTH_BYTES = 256 * 1024
"""What counts as growth of a process."""
FILLER = "Explain what this code does and why. "
SLOW_BYTES, SLOW_BUFFER = 1024, 4096
"""What a slow reader takes each second, and how much its own kernel keeps for it."""
STEADY_SECONDS, MOST_SECONDS = 4, 60
"""Memory is watched until it has not grown for so long, at most for so long."""


@dataclass(frozen=True)
class Row:
    """One kind of load: a prompt, how many of it, how each client behaves."""

    name: str
    marker: Marker
    count: int
    unit: str
    client: Callable[[socket.socket, bytes], Awaitable[None]]
    filler: int = 1
    """How often the prompt repeats its text; 28,000 times are a megabyte."""


async def _take_all(sock: socket.socket, request: bytes) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, request)
    while await loop.sock_recv(sock, 65536):
        pass


async def _take_slowly(sock: socket.socket, request: bytes) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, request)
    while await loop.sock_recv(sock, SLOW_BYTES):
        await asyncio.sleep(1)


async def _send_half(sock: socket.socket, request: bytes) -> None:
    """All but the last byte, so that the whole body waits for its end."""
    await asyncio.get_running_loop().sock_sendall(sock, request[:-1])
    await asyncio.Event().wait()


async def _leave_unread(sock: socket.socket, request: bytes) -> None:
    """Send all, and stay."""
    await asyncio.get_running_loop().sock_sendall(sock, request)
    await asyncio.Event().wait()


MEGABYTE = 28_000
ROWS = (
    Row("open stream", Marker(400, 50, 1), STREAMS, "KiB a stream", _take_all),
    Row("slow reader, 1 KB/s", Marker(8000, 0, 8), STREAMS, "KiB a stream", _take_slowly),
    Row("1 MB body, last byte missing", Marker(), BODIES, "KiB a body", _send_half, MEGABYTE),
    Row(
        "1 MB body, waiting for upstream",
        Marker(wait_ms=60_000),
        *(BODIES, "KiB a body", _take_all, MEGABYTE),
    ),
    Row(
        "60 MB body, six at once",
        Marker(wait_ms=60_000),
        *(6, "KiB a body", _leave_unread, 60 * MEGABYTE),
    ),
)


async def _load(row: Row, port: int, process: psutil.Process) -> tuple[float, float]:
    """KiB that each client adds at most, and that stay when all have gone."""
    prompt = f"{FILLER * row.filler} {row.marker}"
    fields = {"messages": [{"role": "user", "content": prompt}], "stream": True}
    body = json.dumps({"model": "gpt-5.5", **fields}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer bench\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    await _warm_up(port, head)
    before = process.memory_info().rss
    clients, sockets = [], []
    for _ in range(row.count):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        sockets.append(sock)
        clients.append(asyncio.ensure_future(row.client(sock, request)))
    most = await _steady(process)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    for sock in sockets:
        sock.close()
    left = -await _steady(process, sign=-1)
    return (most - before) / 1024 / row.count, (left - before) / 1024 / row.count


async def _steady(process: psutil.Process, sign: int = 1) -> int:
    """Memory when it has grown to its most; with the sign -1, when it has shrunk to its least."""
    most = sign * process.memory_info().rss
    begun = grown = time.monotonic()
    while time.monotonic() < min(grown + STEADY_SECONDS, begun + MOST_SECONDS):
        await asyncio.sleep(0.1)
        now = sign * process.memory_info().rss
        if now > most + GROWTH_BYTES:
            grown = time.monotonic()
        most = max(most, now)
    return most


async def _warm_up(port: int, head: str) -> None:
    """Some small answers: what the first of them load and cache is no stream's."""
    body = json.dumps(
        {
            "model": "gpt-5.5",
            "messages": [{"role": "user", "content": str(Marker(500, 0, 8))}],
            "stream": True,
        }
    ).encode()
    request = f"{head}connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    for _ in range(20):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setblocking(False)
        await _take_all(sock, request)
        sock.close()


def measure(bench: Bench, row: Row, *, tls: bool) -> None:
    """Measure one row and print it."""
    port, process, _ = bench.gateway(tls=tls)
    most, left = asyncio.run(_load(row, port, process))
    process.terminate()
    upstream = "TLS" if tls else "plain"
    print(f"{row.name:34}{upstream:8}{most:9.1f} {row.unit}, {left:.1f} stay", flush=True)


def measure_all(bench: Bench, rows: Sequence[Row]) -> None:
    """Measure and print some rows, each over plain and encrypted connections."""
    for row in rows:
        for tls in (False, True):
            measure(bench, row, tls=tls)


def main() -> None:
    """Measure every row, or those whose names begin with an argument."""
    wanted = sys.argv[1:]
    rows = [row for row in ROWS if not wanted or row.name.startswith(tuple(wanted))]
    with targets(()) as (bench, _):
        measure_all(bench, rows)


if __name__ == "__main__":
    main()
