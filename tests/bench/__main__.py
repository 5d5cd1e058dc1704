"""`make bench`: gateways beside a direct connection, nginx where it is installed, and codex-proapi.

The latter if PROAPI_FOLDER names it (`npm install codex-proapi`, then `…/node_modules/codex-proapi`).

Prints one table: CPU, added latency, connections opened upstream and memory of the proxy process for
the shapes of real traffic. One process each, everything on this machine, so quote ratios, not absolute
times. `--part 0.1` runs a tenth of the requests, `--only SHAPE_OR_TARGET` (often) a part of the table,
`--only memory` only what streams, slow readers and bodies take. `--profile FOLDER` leaves a flame graph
of each gateway there (which costs it a tenth more). Asserts nothing.
"""

import argparse
import asyncio
import json
import pathlib
import sys
import time
from dataclasses import dataclass, replace

import psutil
import uvloop
from bench.load import Result, load
from bench.marker import Marker
from bench.memory import ROWS, measure_all
from bench.targets import NAMES, Bench, Target, targets

FILLER = "Explain what this code does and why. " * 30


@dataclass(frozen=True)
class Shape:
    """One kind of traffic."""

    name: str
    marker: Marker
    requests: int
    at_once: int
    kilobytes: tuple[int, ...] = (1,)
    """Sizes of the prompts, which take turns."""


SHAPES = (
    Shape("one at a time", Marker(5, 0, 8), 400, 1),
    Shape("tiny", Marker(5, 0, 8), 3000, 16),
    Shape("burst", Marker(500, 0, 8), 300, 8),
    Shape("paced", Marker(150, 20, 1), 100, 100),
    Shape("late end", Marker(5, 0, 8, 200), 800, 16),
    Shape("mixed sizes", Marker(40, 0, 4), 400, 16, (1, 1, 1, 4, 4, 16, 64, 256)),
    Shape("1 MB body", Marker(5, 0, 8), 60, 4, (1000,)),
)
STREAMS = 300
"""Open at once while memory is measured."""


def _body(path: str, marker: Marker, kilobytes: int = 1) -> bytes:
    """A request of a client, with the marker in the user's message."""
    text = f"{FILLER * kilobytes} {marker}"
    if path.endswith("/responses"):
        message = {"role": "user", "content": [{"type": "input_text", "text": text}]}
        fields = {"instructions": "", "store": False, "input": [{"type": "message", **message}]}
    else:
        fields = {"messages": [{"role": "user", "content": text}]}
        if path.endswith("/messages"):
            fields |= {"max_tokens": 32_000}
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


@dataclass(frozen=True)
class Measured:
    """One run: what the load saw, CPU seconds of the target, connections the upstream got."""

    seen: Result
    cpu: float
    connections: int


async def _measure(bench: Bench, target: Target, shape: Shape) -> Measured:
    """One run after a short warm-up."""
    bodies = [_body(target.path, shape.marker, size) for size in shape.kilobytes]

    async def run(requests: int, at_once: int) -> Result:
        return await load(
            *(target.port, target.path, bodies),
            requests=requests,
            at_once=at_once,
            key=target.key,
        )

    await run(min(shape.requests, 4 * shape.at_once, 100), min(shape.at_once, 16))
    opened = await asyncio.to_thread(bench.connections)
    before = _cpu(target.process)
    seen = await run(shape.requests, shape.at_once)
    cpu = _cpu(target.process) - before
    return Measured(seen, cpu, await asyncio.to_thread(bench.connections) - opened)


async def _memory(target: Target, *, streams: int) -> float:
    """KiB of resident memory that each open stream adds."""
    if target.process is None:
        return 0.0
    body = _body(target.path, Marker(6, 500, 1))
    before = _resident(target.process)
    run = asyncio.ensure_future(
        load(*(target.port, target.path, [body]), requests=streams, at_once=streams, key=target.key)
    )
    most = before
    while not run.done():
        await asyncio.sleep(0.1)
        most = max(most, _resident(target.process))
    await run
    return (most - before) / 1024 / streams


COLUMNS = (
    *(("shape", 14), ("target", 19), ("CPU ms/req", 11), ("s/100k", 8), ("x nginx", 8)),
    *(("first p50", 10), ("p99", 8), ("delay p50", 10), ("p99", 8), ("whole p50", 10)),
    *(("opened", 7), ("errors", 6)),
)


def _line(*cells: object) -> None:
    print(
        "".join(str(cell).ljust(width) for cell, (_, width) in zip(cells, COLUMNS, strict=True)),
        flush=True,
    )


def _row(shape: Shape, target: Target, measured: Measured, nginx: float) -> None:
    seen, cpu = measured.seen, measured.cpu
    each = 1000 * cpu / shape.requests
    _line(
        shape.name,
        target.name,
        f"{each:.3f}",
        f"{cpu / max(seen.deltas, 1) * 1e5:.2f}",
        f"{each / nginx:.1f}" if nginx else "",
        *(f"{seen.percentile(seen.first_delta, p):.2f}" for p in (0.5, 0.99)),
        *(f"{seen.percentile(seen.delays, p):.2f}" for p in (0.5, 0.99)),
        f"{seen.percentile(seen.whole, 0.5):.1f}",
        measured.connections,
        seen.errors,
    )


async def _run(bench: Bench, found: list[Target], shapes: list[Shape]) -> None:
    print(f"Python {sys.version.split()[0]}, {psutil.cpu_count()} CPUs, one process each\n")
    _line(*(name for name, _ in COLUMNS))
    for shape in shapes:
        nginx: dict[str, float] = {}
        for target in found:
            measured = await _measure(bench, target, shape)
            nginx.setdefault(target.name, 1000 * measured.cpu / shape.requests)
            _row(shape, target, measured, nginx.get(target.beside, 0.0))
    print(
        "\nCPU is user + system of the target's process, x nginx the ratio of it to nginx over the same"
        "\nkind of connection; times in ms; s/100k = CPU seconds for 100,000 deltas; whole = to the end of"
        "\nthe body; opened = connections the upstream got during the run."
    )


async def _open_streams(found: list[Target]) -> None:
    """What an open stream takes in each target."""
    print(f"\nmemory, {STREAMS} open streams:")
    for target in found:
        if target.process:
            print(f"  {target.name:22}{await _memory(target, streams=STREAMS):.1f} KiB a stream")


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--part", type=float, default=1.0, help="part of the requests of each shape"
    )
    parser.add_argument(
        "--only", action="append", default=[], help="a shape, a target, or `memory`"
    )
    parser.add_argument("--profile", type=pathlib.Path, help="a folder for flame graphs")
    asked = parser.parse_args()
    if asked.profile is not None:
        asked.profile.mkdir(parents=True, exist_ok=True)
    shapes = [
        replace(shape, requests=max(int(shape.requests * asked.part), shape.at_once))
        for shape in SHAPES
    ]
    begun = time.monotonic()
    chosen = [shape for shape in shapes if shape.name in asked.only]
    wanted = [name for name in NAMES if name in asked.only] or NAMES
    if "memory" in asked.only and not chosen:
        with targets(()) as (bench, _):
            measure_all(bench, ROWS)
        return
    with targets(wanted, profile=asked.profile) as (bench, found):
        uvloop.run(_run(bench, found, chosen or shapes))
        uvloop.run(_open_streams(found))
        if not chosen or "memory" in asked.only:
            print("\nmemory of slow readers and large bodies, lean, each in a process of its own:")
            measure_all(bench, ROWS[1:])
    print(f"took {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
