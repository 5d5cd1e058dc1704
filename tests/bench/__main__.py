"""`make bench`: the gateway beside a direct connection, and nginx where it is installed.

Prints CPU, added latency and memory of the proxy process for the shapes of real traffic. One
process each, everything on this machine, so quote ratios, not absolute times. Asserts nothing.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass

import psutil
import uvloop
from bench.load import Result, load
from bench.marker import Marker
from bench.targets import Target, targets

FILLER = "Explain what this code does and why. " * 30


@dataclass(frozen=True)
class Shape:
    """One kind of traffic."""

    name: str
    marker: Marker
    requests: int
    at_once: int


SHAPES = (
    Shape("one at a time", Marker(5, 0, 8), 400, 1),
    Shape("tiny", Marker(5, 0, 8), 3000, 16),
    Shape("burst", Marker(500, 0, 8), 300, 8),
    Shape("paced", Marker(150, 20, 1), 100, 100),
)


def _body(path: str, marker: Marker) -> bytes:
    """A request of a client, with the marker in the user's message."""
    text = f"{FILLER} {marker}"
    if path.endswith("/responses"):
        message = {"role": "user", "content": [{"type": "input_text", "text": text}]}
        fields = {"instructions": "", "store": False, "input": [{"type": "message", **message}]}
    else:
        fields = {"messages": [{"role": "user", "content": text}]}
    return json.dumps({"model": "gpt-5.5", "stream": True, **fields}).encode()


def _cpu(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    times = [member.cpu_times() for member in _family(process)]
    return float(sum(t.user + t.system for t in times))


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _resident(process: psutil.Process) -> int:
    """Bytes in memory, children included."""
    return sum(int(member.memory_info().rss) for member in _family(process))


async def _measure(target: Target, shape: Shape) -> tuple[Result, float]:
    """One run after a short warm-up: what the load saw, and the CPU seconds of the target."""
    body = _body(target.path, shape.marker)
    warm = min(shape.requests, 4 * shape.at_once, 100)
    await load(target.port, target.path, body, requests=warm, at_once=min(shape.at_once, 16))
    before = _cpu(target.process)
    seen = await load(
        target.port, target.path, body, requests=shape.requests, at_once=shape.at_once
    )
    return seen, _cpu(target.process) - before


async def _memory(target: Target, *, streams: int) -> float:
    """KiB of resident memory that each open stream adds."""
    if target.process is None:
        return 0.0
    body = _body(target.path, Marker(6, 500, 1))
    before = _resident(target.process)
    run = asyncio.ensure_future(
        load(target.port, target.path, body, requests=streams, at_once=streams)
    )
    most = before
    while not run.done():
        await asyncio.sleep(0.1)
        most = max(most, _resident(target.process))
    await run
    return (most - before) / 1024 / streams


def _line(*cells: object) -> None:
    widths = (15, 22, 13, 13, 11, 11, 11, 11, 7)
    print("".join(str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)))


async def _run(all_targets: list[Target]) -> None:
    print(f"Python {sys.version.split()[0]}, {psutil.cpu_count()} CPUs, one process each\n")
    _line("shape", "target", "CPU ms/req", "CPU s/100k", "first p50", "first p99", "delay p50",
          "delay p99", "errors")  # fmt: skip
    for shape in SHAPES:
        for target in all_targets:
            seen, cpu = await _measure(target, shape)
            cells = [
                f"{1000 * cpu / shape.requests:.3f}",
                f"{cpu / max(seen.deltas, 1) * 1e5:.2f}",
                *(f"{seen.percentile(seen.first_delta, p):.2f}" for p in (0.5, 0.99)),
                *(f"{seen.percentile(seen.delays, p):.2f}" for p in (0.5, 0.99)),
            ]
            _line(shape.name, target.name, *cells, seen.errors)
    print("\nmemory, 500 open streams:")
    for target in all_targets:
        if target.process:
            print(f"  {target.name:22}{await _memory(target, streams=500):.1f} KiB a stream")
    print("\nCPU is user + system of the target's process; times in ms; 100k = deltas.")


if __name__ == "__main__":
    begun = time.monotonic()
    with targets() as everything:
        uvloop.run(_run(everything))
    print(f"took {time.monotonic() - begun:.0f} s")
