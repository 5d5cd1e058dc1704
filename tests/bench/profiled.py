"""Runs a gateway and notes what it does: `python -m bench.profiled stacks|calls FILE`.

`stacks` looks at the Python stack every millisecond of CPU time and writes a flame graph (SVG) when
the gateway ends. `calls` counts calls of Python functions, and writes their number at each SIGUSR1:
unlike CPU time it is the same whatever else runs on the machine.
"""

import atexit
import collections
import html
import pathlib
import runpy
import signal
import sys
from collections.abc import Mapping
from types import FrameType

SECONDS = 0.001
"""CPU time between two looks."""
WIDTH, ROW = 1600.0, 17
"""Of the flame graph, in pixels."""

Stack = tuple[str, ...]


def flame_graph(samples: Mapping[Stack, int]) -> str:
    """An SVG of stacks, the outermost function on top; each as wide as its share of the looks."""
    total = sum(samples.values()) or 1
    depth = max((len(stack) for stack in samples), default=1)
    size = f'width="{WIDTH:.0f}" height="{(depth + 1) * ROW}" font-family="monospace"'
    rows = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="11">']
    counts: collections.Counter[Stack] = collections.Counter()
    for stack, count in samples.items():
        for end in range(1, len(stack) + 1):
            counts[stack[:end]] += count
    lefts: dict[Stack, float] = {(): 0.0}
    for frames in sorted(counts):
        width = WIDTH * counts[frames] / total
        left = lefts[frames[:-1]]
        lefts[frames[:-1]] = left + width
        lefts[frames] = left
        rows.append(_box(frames[-1], left, len(frames) * ROW, width, counts[frames] / total))
    return "\n".join([*rows, "</svg>\n"])


def _box(name: str, left: float, top: float, width: float, share: float) -> str:
    shade = 120 + sum(name.encode()) % 110
    shown = html.escape(name[: int(width / 6.7)])
    return (
        f"<g><title>{html.escape(name)}: {share:.1%}</title>"
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 1}"'
        f' fill="rgb(235,{shade},60)"/><text x="{left + 2:.1f}" y="{top + 12}">{shown}</text></g>'
    )


def _stack_of(frame: FrameType | None) -> Stack:
    names: list[str] = []
    while frame is not None:
        code = frame.f_code
        names.append(f"{pathlib.Path(code.co_filename).stem}.{code.co_qualname}")
        frame = frame.f_back
    return tuple(reversed(names))


def _sample(file: pathlib.Path) -> None:
    samples: collections.Counter[Stack] = collections.Counter()

    def look(_: int, frame: FrameType | None) -> None:
        samples[_stack_of(frame)] += 1

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)

    def write() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        file.write_text(flame_graph(samples))

    atexit.register(write)


def _count(file: pathlib.Path) -> None:
    calls = 0

    def note(_frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event == "call":
            calls += 1

    def tell(_: int, _frame: FrameType | None) -> None:
        part = file.with_suffix(".part")
        part.write_text(str(calls))
        part.rename(file)

    signal.signal(signal.SIGUSR1, tell)
    sys.setprofile(note)


if __name__ == "__main__":
    mode, target = sys.argv[1:]
    {"stacks": _sample, "calls": _count}[mode](pathlib.Path(target))
    sys.argv = ["codex_proapi.gateway"]
    runpy.run_module("codex_proapi.gateway", run_name="__main__", alter_sys=True)
