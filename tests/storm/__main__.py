"""`make storm`: a longer storm for people, round after round; prints what was asked and what is wrong.

`ROUNDS=10 make storm` for more. Ends with 1 if anything is wrong.
"""

import asyncio
import os
import pathlib
import sys
import tempfile
import time

from storm.crowd import Seen
from storm.team import DEEDS, TEAM, faults_of
from storm.weather import Storm, drift, storm

ROUNDS = int(os.environ.get("ROUNDS", "3"))
"""Storms, one after the other, each with processes of its own."""


async def _round(folder: pathlib.Path) -> int:
    async with storm(folder, TEAM, accounts=("ada", "ben", "cleo")) as the:
        begun = time.monotonic()
        seen = await the.rage(DEEDS, clients=16, calm_seconds=5)
        faults = await faults_of(the, seen)
        _print(seen, time.monotonic() - begun)
        for kind, true in the.truth(seen).items():
            off = drift((await the.counted())[kind], true)
            print(f"  drift by {kind}: " + ", ".join(f"{k} {v:+.4%}" for k, v in off.items()))
        await asyncio.gather(*map(the.fleet.ready, range(len(the.fleet.ports))))
        print(f"  a key taken back is refused everywhere after {await the.revoke('alice'):.2f} s")
        print(f"  places healed after {await _healed(the):.0f} s")
        for fault in faults:
            print(f"  WRONG: {fault}")
        return len(faults)


def _print(seen: Seen, seconds: float) -> None:
    whole = sum(spent.answers for spent in seen.spent.values())
    print(f"{whole} whole answers and {seen.left} that were left, in {seconds:.0f} s")
    for (member, status), count in sorted(seen.statuses.items()):
        print(f"  {member:8} {status if status > 0 else 'broken':>6} {count:6}")


async def _healed(the: Storm) -> float:
    """Seconds until nobody holds a place any more: the clients have all gone."""
    begun = time.monotonic()
    while True:
        seconds, _ = await the.redis.time()
        if not [until for until in await the.places() if until > seconds]:
            return time.monotonic() - begun
        await asyncio.sleep(1)


def main() -> int:
    """Run the rounds."""
    wrong = 0
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            wrong += asyncio.run(_round(pathlib.Path(folder)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
