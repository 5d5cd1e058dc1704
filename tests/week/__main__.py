"""`make week`: replays synthetic weeks with every strategy; prints the table of docs/routing.md.

`--week FILE` replays a week from JSON instead, `--write NAME SEED FILE` makes such a file.
"""

import argparse
import pathlib
import sys

import msgspec
from week.scenarios import SCENARIOS, SEEDS, make
from week.table import HEAD, rows_of

from codex_proapi.console.what_if.replay.week import Week


def main() -> int:
    """Replay what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m week", description=__doc__)
    parser.add_argument("--week", type=pathlib.Path, metavar="FILE", help="a week in JSON")
    parser.add_argument("--write", nargs=3, metavar=("NAME", "SEED", "FILE"))
    parser.add_argument("--only", choices=SCENARIOS, help="one kind of week")
    asked = parser.parse_args()
    if asked.write:
        name, seed, file = asked.write
        pathlib.Path(file).write_bytes(msgspec.json.encode(make(name, int(seed))))
        return 0
    print(HEAD)
    if asked.week:
        week = msgspec.json.decode(asked.week.read_bytes(), type=Week)
        _print(week.name, [week])
        return 0
    for name in [asked.only] if asked.only else SCENARIOS:
        _print(name, [make(name, seed) for seed in SEEDS])
    return 0


def _print(name: str, weeks: list[Week]) -> None:
    for line in rows_of(name, weeks):
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
