"""`make storm`: a longer storm for people, round after round; prints what was asked and what is wrong.

`ROUNDS=10 SEED=7 make storm` for more and others; in the last one Redis loses its machine. Ends with
1 if anything is wrong.
"""

import asyncio
import os
import pathlib
import sys
import tempfile
import time

from storm.clients import Seen
from storm.log_lines import Told, told
from storm.scenario import DYING_SECONDS, Storm, drift, storm
from storm.workload import (
    ACCOUNTS,
    DEEDS,
    HEALED_SECONDS,
    MOST_DRIFT,
    STREAMS,
    TEAM,
    asked,
    faults_of,
    has_met_its_limits,
    has_met_its_share,
    shares_of,
    spent,
)

ROUNDS = int(os.environ.get("ROUNDS", "3"))
"""Storms, one after the other, each with processes of its own."""
SEED = int(os.environ.get("SEED", "1"))
"""What the first storm's crowd decides by; the next ones count on."""


async def _round(folder: pathlib.Path, *, seed: int) -> int:
    async with storm(
        folder, TEAM, accounts=ACCOUNTS, seed=seed, ACCOUNT_STREAMS=str(STREAMS)
    ) as the:
        begun = time.monotonic()
        await the.rage(DEEDS, clients=16, calm_seconds=4, enough=has_met_its_limits)
        faults = await faults_of(the, await the.share(enough=has_met_its_share))
        _print(the.seen, time.monotonic() - begun)
        _print_lines(told(the.logs))
        for kind, true in the.truth(the.seen).items():
            off = drift((await the.counted())[kind], true)
            print(f"  drift by {kind}: " + ", ".join(f"{k} {v:+.4%}" for k, v in off.items()))
        print(f"  of it given in the last {DYING_SECONDS} s of a killed gateway: {the.dying()}")
        _print_limits(the)
        await asyncio.gather(*map(the.fleet.ready, range(len(the.fleet.ports))))
        print(f"  a key taken back is refused everywhere after {await the.revoke('alice'):.2f} s")
        healed = await _healed(the)
        print(f"  places and slots healed after {healed:.0f} s")
        if healed > HEALED_SECONDS:
            faults.append(f"healing took {healed:.0f} s")
        for fault in faults:
            print(f"  WRONG: {fault}")
        return len(faults)


async def _power_cut(folder: pathlib.Path, *, seed: int) -> int:
    """A storm in which Redis loses its last second: usage is right all the same, limits are not."""
    async with storm(
        folder, TEAM, accounts=ACCOUNTS, seed=seed, ACCOUNT_STREAMS=str(STREAMS)
    ) as the:
        seen = await the.rage([Storm.cut_power] * 3, clients=16, calm_seconds=4)
        print("Redis lost its last second three times")
        found = 0
        for kind, true in the.truth(seen).items():
            off = drift((await the.counted())[kind], true)
            found += any(abs(part) > MOST_DRIFT for part in off.values())
            print(f"  drift by {kind}: " + ", ".join(f"{k} {v:+.4%}" for k, v in off.items()))
        _print_limits(the)
        twice = sum(fault.startswith("turn ") for fault in told(the.logs).faults)
        print(f"  {twice} turns were taken twice")
        return found


def _print_lines(lines: Told) -> None:
    print(
        f"  {lines.choices} choices made again from the log lines; {len(lines.faults)} faults in "
        f"them; {lines.waited} waited for a slot; {lines.turns} turns told of, {lines.dense:.1%}"
    )


def _print_limits(the: Storm) -> None:
    most = {account: the.at_once_on(account) for account in ACCOUNTS}
    shares = {name: round(share, 2) for name, share in shares_of(the.seen).items()}
    print(
        f"  rpm {asked(the)} of 30; at once {the.at_once('bob')} of 2; "
        f"tpm {spent(the)} of 1000; streams {most} of {STREAMS}; shares {shares}"
    )


def _print(seen: Seen, seconds: float) -> None:
    whole = sum(spent.answers for spent in seen.spent.values())
    print(f"{whole} whole answers and {seen.left} that were left, in {seconds:.0f} s")
    for (member, status), count in sorted(seen.statuses.items()):
        print(f"  {member:8} {status if status > 0 else 'broken':>6} {count:6}")


async def _healed(the: Storm) -> float:
    """Seconds until nobody holds a place or a slot any more: the clients have all gone."""
    begun = time.monotonic()
    while True:
        seconds, _ = await the.redis.time()
        held = await the.places() + await the.slots()
        if not [until for until in held if until > seconds]:
            return time.monotonic() - begun
        await asyncio.sleep(1)


def main() -> int:
    """Run the rounds."""
    wrong = 0
    for seed in range(SEED, SEED + ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            wrong += asyncio.run(_round(pathlib.Path(folder), seed=seed))
    with tempfile.TemporaryDirectory() as folder:
        wrong += asyncio.run(_power_cut(pathlib.Path(folder), seed=SEED))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
