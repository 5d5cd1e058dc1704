"""`python -m bench.growth [WHAT…]`: how the cost of a request grows with accounts, keys, body and tools.

Prints, for one of each kind at a time, calls of Python functions and CPU time for a streamed chat
request of five deltas. The calls are counted in a run of their own, and are the same on any machine
but for what runs beside the requests. Asserts nothing.
"""

import asyncio
import json
import pathlib
import signal
import sys
import time
from dataclasses import dataclass

import psutil
import uvloop
from bench.__main__ import FILLER
from bench.load import load
from bench.marker import Marker
from bench.targets import CHAT, Bench, targets

COUNTED, TIMED, AT_ONCE = 200, 600, 8
WAIT_SECONDS, START_SECONDS = 10, 120
QUIET_CALLS = 3000
"""Calls in a second of a gateway that does nothing but its rounds."""
TOOL = {
    "description": "Reads a file and gives its lines, with their numbers.",
    "parameters": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "The file, from the root of the project."},
            "first": {"type": "integer", "minimum": 1},
            "last": {"type": "integer"},
        },
        "required": ["path"],
    },
}


@dataclass(frozen=True)
class Case:
    """One row: what is there, and what is asked."""

    what: str
    accounts: int = 20
    keys: int = 2
    kilobytes: int = 1
    tools: int = 0

    @property
    def timed(self) -> int:
        """Requests whose CPU time is taken."""
        return max(40, TIMED // (1 + self.kilobytes // 16))

    def body(self) -> bytes:
        """The request."""
        text = f"{FILLER * self.kilobytes} {Marker()}"
        fields = {
            "model": "gpt-5.5",
            "stream": True,
            "messages": [{"role": "user", "content": text}],
        }
        functions = [{"name": f"tool_{number}", **TOOL} for number in range(self.tools)]
        tools = [{"type": "function", "function": each} for each in functions]
        return json.dumps(fields | ({"tools": tools} if tools else {})).encode()


CASES = (
    *(Case(f"accounts {count:,}", accounts=count) for count in (1, 20, 200, 1000)),
    *(Case(f"keys {count:,}", keys=count) for count in (2, 1000)),
    *(Case(f"body {size:,} KB", kilobytes=size) for size in (1, 16, 128, 1000)),
    *(Case(f"tools {count}", tools=count) for count in (1, 20, 100)),
)


def _told(process: psutil.Process, file: pathlib.Path) -> int:
    """How many calls the gateway has counted by now."""
    file.unlink(missing_ok=True)
    process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + WAIT_SECONDS
    while not file.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("the gateway did not tell its calls")
        time.sleep(0.01)
    return int(file.read_text())


async def _ask(case: Case, port: int, key: str, requests: int) -> None:
    seen = await load(port, CHAT, [case.body()], requests=requests, at_once=AT_ONCE, key=key)
    if seen.errors:
        raise RuntimeError(f"{case.what}: {seen.errors} errors")
    await asyncio.sleep(0.3)  # what is written behind them is part of their cost


def _settled(process: psutil.Process, file: pathlib.Path) -> int:
    """Wait until the gateway has done what it does once for each account; gives its calls by then."""
    deadline = time.monotonic() + START_SECONDS
    calls = _told(process, file)
    while time.monotonic() < deadline:
        time.sleep(1)
        before, calls = calls, _told(process, file)
        if calls - before < QUIET_CALLS:
            return calls
    raise RuntimeError("the gateway does not come to rest")


def _calls(bench: Bench, case: Case) -> float:
    file = bench.folder / "calls"
    port, process, key = bench.gateway(
        tls=True, accounts=case.accounts, keys=case.keys, count_calls=file
    )
    uvloop.run(_ask(case, port, key, 4 * AT_ONCE))
    before = _settled(process, file)
    counted = min(COUNTED, case.timed)
    uvloop.run(_ask(case, port, key, counted))
    calls = (_told(process, file) - before) / counted
    process.terminate()
    return calls


def _milliseconds(bench: Bench, case: Case) -> float:
    port, process, key = bench.gateway(tls=True, accounts=case.accounts, keys=case.keys)
    uvloop.run(_ask(case, port, key, 4 * AT_ONCE))
    time.sleep(3 + case.accounts / 50)  # what it does once for each account
    before = sum(process.cpu_times()[:2])
    uvloop.run(_ask(case, port, key, case.timed))
    spent = sum(process.cpu_times()[:2]) - before
    process.terminate()
    return float(1000 * spent / case.timed)


def main() -> None:
    """Measure every case, or those whose names begin with an argument."""
    wanted = tuple(sys.argv[1:])
    print(f"{'':18}{'calls':>8}{'CPU ms':>9}")
    with targets(()) as (bench, _):
        for case in CASES:
            if not wanted or case.what.startswith(wanted):
                calls, spent = _calls(bench, case), _milliseconds(bench, case)
                print(f"{case.what:18}{calls:8.0f}{spent:9.2f}", flush=True)


if __name__ == "__main__":
    main()
