"""`make test-dates`: runs tests as if it were another date, in every process that they start.

The tests, the gateways they start and their Redis are told a time that is so many seconds off;
it runs on as ever, and clocks that only measure are left alone. Each folder begins at the date.
"""

import argparse
import datetime as dt
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from support.tree import ROOT

DATES = {
    "2027-01-31T12:00:00": "a Sunday, and the last of a month of 31 days",
    "2027-02-27T23:59:00": "a Saturday's last minute",
    "2027-02-28T23:59:00": "a Sunday's last minute, and a month's",
    "2027-03-31T23:59:00": "the last minute of a week that is counted from the epoch",
    "2027-12-31T23:59:00": "a year's last minute, on a Friday",
    "2028-02-29T12:00:00": "a leap day",
}
"""What a date may change, by the time (UTC) that tests begin at."""
TESTS = ("tests/commons", "tests/gateway", "tests/journeys", "tests/local", "tests/console")
"""All of the members but the simulator's."""
REAL_TIME = "tests/console/browser"
"""Not run: its browser keeps the real time."""
LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"
PROBE = """
import time, redis
from support.redis_server import RedisServer
with RedisServer() as server, redis.Redis.from_url(server.url) as client:
    print(int(time.time()), client.time()[0])
"""


def main() -> int:
    """Run what the command line asks for; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m dates", description=__doc__)
    parser.add_argument("--dates", default="", help="times in UTC, as 2028-02-29T12:00:00")
    parser.add_argument("--tests", default="", help="folders or files")
    parser.add_argument("rest", nargs="*", help="what pytest is told besides, after --")
    asked = parser.parse_args()
    failed = [
        f"{date} {tests}"
        for date in asked.dates.split() or DATES
        for tests in asked.tests.split() or TESTS
        if not passes(date, tests, asked.rest)
    ]
    print("\n".join(["failed on these dates:", *failed] if failed else ["passed on every date"]))
    return 1 if failed else 0


def passes(date: str, tests: str, rest: list[str]) -> bool:
    """Whether some tests pass that begin at a date."""
    print(f"== {tests} at {date} UTC{', ' + DATES[date] if date in DATES else ''}", flush=True)
    off = offset(date, now=time.time())
    environ = {**os.environ, **pretended(off)}
    told = subprocess.run(
        [sys.executable, "-c", PROBE], env=environ, capture_output=True, text=True, check=False
    )
    if any(abs(int(said) - time.time() - off) > 60 for said in told.stdout.split() or ["0"]):
        raise SystemExit(f"this machine keeps its own time: {told.stdout}{told.stderr}")
    with tempfile.TemporaryDirectory(prefix="codex-proapi-dates-") as folder:
        command = [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("--basetemp", f"{folder}/tests", "--ignore", REAL_TIME, *rest, tests),
        ]
        return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode == 0


def offset(date: str, *, now: float) -> int:
    """Whole seconds from now to a date."""
    return round(dt.datetime.fromisoformat(date).replace(tzinfo=dt.UTC).timestamp() - now)


def pretended(off: int) -> dict[str, str]:
    """The environment of processes whose clock is to be so many seconds off."""
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        raise SystemExit("libfaketime is missing: make .venv/.dev")
    return {
        "LD_PRELOAD": str(pathlib.Path(found.origin).parent / LIBRARY),
        "FAKETIME": f"{off:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


if __name__ == "__main__":
    sys.exit(main())
